"""Make every lock of the built-in types green, those that exist included; see `lines`."""

import sys
from collections.abc import Callable
from types import BuiltinMethodType
from typing import Any

from eventlet._patching.imports import patch_imports
from eventlet._patching.old_locks import OLD
from eventlet._patching.plain_locks import LINES, plain_lock_methods
from eventlet._patching.reentrant_locks import RECORDS, match_levels, reentrant_lock_methods
from eventlet._patching.simple_queues import GETTERS, simple_queue_methods
from eventlet._unpatched import lock_type, rlock_type, simple_queue_type

__all__ = ["forget_locks", "patch_locks", "waiters"]

_METHODS_OF_ITS_LOCK = ("_acquire_restore", "_is_owned", "_release_save", "acquire", "release")


def patch_locks(set_attribute: Callable[[Any, str, Any], None], threading: Any) -> None:
    """Replace the methods of the built-in lock types, on the types themselves.

    Args:
        set_attribute: like `setattr`, also for such types; remembers the change.
        threading: the module, or a copy, whose `Condition` knows methods of its lock.
    """
    OLD.note_all()
    for kind, methods in (
        (lock_type, plain_lock_methods()),
        (rlock_type, reentrant_lock_methods()),
        (simple_queue_type, simple_queue_methods()),
    ):
        for name, method in methods.items():
            method.__qualname__ = f"{kind.__name__}.{name}"
            set_attribute(kind, name, method)
    for module in (threading, sys.modules.get("__original_module_threading")):
        if module is not None:
            for name in _METHODS_OF_ITS_LOCK:
                default = vars(module.Condition).get(name)
                set_attribute(module.Condition, name, _MethodOfItsLock(name, default))
    patch_imports(set_attribute)


def waiters() -> int:
    """Return how many wait for a lock, or an item of a `SimpleQueue`."""
    lines = [*LINES.values(), *RECORDS.values(), *GETTERS.values()]
    return sum(ticket.state == 0 for line in lines for ticket in line.tickets.copy())


def forget_locks() -> None:
    """Forget what is known about locks, when their own methods are back."""
    match_levels()
    for records in (LINES, RECORDS, GETTERS):
        records.clear()


class _MethodOfItsLock:
    """An attribute of a condition that is a method of its lock.

    The condition keeps it from the time it was made: from before patching, a method in C
    that must not be called now. This one stands before the attributes of the instance.
    """

    def __init__(self, name: str, default: Any) -> None:
        self._name = name
        self._default = default

    def __get__(self, condition: Any, kind: type | None = None) -> Any:
        if condition is None:
            return self if self._default is None else self._default
        try:
            kept = condition.__dict__[self._name]
        except KeyError:
            if self._default is None:
                raise AttributeError(f"this condition has no {self._name!r}") from None
            return self._default.__get__(condition, kind)
        if type(kept) is BuiltinMethodType and isinstance(kept.__self__, (lock_type, rlock_type)):
            return getattr(kept.__self__, kept.__name__)
        return kept

    def __set__(self, condition: Any, value: Any) -> None:
        vars(condition)[self._name] = value

    def __delete__(self, condition: Any) -> None:
        del vars(condition)[self._name]
