"""Variables that each green thread has for itself, like `threading.local`.

The values live in the greenlet's own dictionary, in a table of `local` objects. So they go
when the greenlet goes, also when a value refers back to it; and `forget_locals` gives a
worker that takes its next job a clean start.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self
from weakref import ReferenceType, ref

from greenlet import getcurrent

__all__ = ["forget_locals", "get_ident", "local"]

_TABLE: Final = "eventlet.corolocal"


def get_ident() -> int:
    """Return a number for the current green thread; another may get it after its death."""
    return id(getcurrent())


class _Values(dict[str, Any]):
    """The attributes of one `local` in one greenlet, and what ends them with the `local`."""

    __slots__ = ("owner",)

    owner: "ReferenceType[local]"


class _Table(dict[int, _Values]):
    """The values of one greenlet: id of a `local` -> its attributes."""

    __slots__ = ("__weakref__",)


class local:  # noqa: N801  # named like threading.local
    """An object whose attributes are different in each green thread.

    A subclass may have an `__init__`: it runs in each green thread at the first use
    there, with the arguments of the constructor.

    Raises:
        TypeError: arguments for a class without an `__init__`.
    """

    _local__arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the object; the caller's `__init__` runs as for every class."""
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}() takes no arguments: the class has no __init__")
        self = object.__new__(cls)
        object.__setattr__(self, "_local__arguments", (args, kwargs))
        _add_values(self)
        return self

    def __getattribute__(self, name: str) -> Any:
        values = _values_of(self)
        if name in values:
            return values[name]
        if name == "__dict__":
            return values
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        values = _values_of(self)
        if name == "__dict__":
            raise AttributeError(
                f"{type(self).__name__!r} object attribute '__dict__' is read-only"
            )
        if _is_data_descriptor(type(self), name):
            object.__setattr__(self, name, value)
        else:
            values[name] = value

    def __delattr__(self, name: str) -> None:
        values = _values_of(self)
        if _is_data_descriptor(type(self), name):
            object.__delattr__(self, name)
        elif name in values:
            del values[name]
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def forget_locals(thread: Any) -> None:
    """Drop the values that every `local` has in a greenlet, as if it had just begun."""
    vars(thread).pop(_TABLE, None)


def _values_of(owner: local) -> _Values:
    table = getcurrent().__dict__.get(_TABLE)
    if table is not None:
        values: _Values | None = table.get(id(owner))
        if values is not None:
            return values
    values = _add_values(owner)
    args, kwargs = object.__getattribute__(owner, "_local__arguments")
    initialise: Callable[..., None] = type(owner).__init__
    if initialise is not object.__init__:
        try:
            initialise(owner, *args, **kwargs)
        except BaseException:
            vars(getcurrent())[_TABLE].pop(id(owner), None)  # the next use tries again
            raise
    return values


def _add_values(owner: local) -> _Values:
    table: _Table = vars(getcurrent()).setdefault(_TABLE, _Table())
    values = table[id(owner)] = _Values()
    values.owner = ref(owner, partial(_drop_values, ref(table), id(owner)))
    return values


def _drop_values(table: "ReferenceType[_Table]", key: int, _owner: object) -> None:
    living = table()
    if living is not None:
        living.pop(key, None)


def _is_data_descriptor(cls: type, name: str) -> bool:
    for base in cls.__mro__:
        if name in vars(base):
            kind = type(vars(base)[name])
            return hasattr(kind, "__set__") or hasattr(kind, "__delete__")
    return False
