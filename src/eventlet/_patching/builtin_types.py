"""Set methods of types that are written in C: on the type itself, for every instance there is.

Such a type refuses assignment; what it shows as `__dict__` is a view of a real dictionary,
which the garbage collector names. The interpreter caches what it finds there, so it must be
told of a change. Shown on CPython 3.11 to 3.14. Instances, the type's identity, `isinstance`
and weak references stay as they are.
"""

import gc
from typing import Any

__all__ = ["delete_attribute", "is_sealed", "set_attribute"]

_IMMUTABLE_TYPE = 1 << 8  # Source: Py_TPFLAGS_IMMUTABLETYPE, Include/object.h


def is_sealed(thing: object) -> bool:
    """Whether this is a type that refuses to have its attributes set."""
    return isinstance(thing, type) and bool(thing.__flags__ & _IMMUTABLE_TYPE)


def set_attribute(kind: type, name: str, value: object) -> None:
    """Set an attribute of a sealed type."""
    _real_dict(kind)[name] = value
    _forget_cached(kind)


def delete_attribute(kind: type, name: str) -> None:
    """Remove an attribute of a sealed type."""
    del _real_dict(kind)[name]
    _forget_cached(kind)


def _real_dict(kind: type) -> dict[str, Any]:
    for found in gc.get_referents(kind.__dict__):
        if type(found) is dict:
            return found
    raise RuntimeError(f"{kind!r} does not show the dictionary of its attributes")


def _forget_cached(kind: type) -> None:
    import ctypes  # takes its time, and only patching needs it

    ctypes.PyDLL(None).PyType_Modified(ctypes.py_object(kind))
