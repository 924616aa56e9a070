"""The book of what patching changed: asked, printed, and undone in tests."""

from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from eventlet._patching import builtin_types

__all__ = ["ABSENT", "LEDGER", "Change", "Ledger"]


class _Absent:
    """The value before a change, of a name the module did not have."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT = _Absent()


class Change(NamedTuple):
    """One name of a module, or attribute of a class or object, that was set."""

    module: Any
    name: str
    before: Any
    after: Any


class Ledger:
    """Make changes to modules and their classes and remember them, oldest first."""

    def __init__(self) -> None:
        self.switches: dict[str, bool] = {}
        self._changes: list[Change] = []

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change that is in force, oldest first."""
        return tuple(self._changes)

    def set(self, module: Any, name: str, value: Any) -> None:
        """Set a name of a module, class or object and write it down; no change is no entry."""
        before = _current(module, name)
        if before is value:
            return
        _assign(module, name, value)
        self._changes.append(Change(module, name, before, value))

    def pristine(self, module: ModuleType) -> dict[str, Any]:
        """Return what the ledger changed in a module, as it was before: name to value.

        Names that were absent have the value `ABSENT`.
        """
        found: dict[str, Any] = {}
        for change in self._changes:
            if change.module is module:
                found.setdefault(change.name, change.before)
        return found

    def undo(self) -> None:
        """Put every changed name back, newest first, and forget all switches.

        A name that somebody else has set since keeps that value.
        """
        while self._changes:
            module, name, before, after = self._changes.pop()
            if _current(module, name) is not after:
                continue
            _assign(module, name, before)
        self.switches.clear()


def _current(thing: Any, name: str) -> Any:
    if isinstance(thing, FunctionType) and name in ("__module__", "__qualname__"):
        return getattr(thing, name)  # a function does not keep them in its dictionary
    return vars(thing).get(name, ABSENT)


def _assign(thing: Any, name: str, value: Any) -> None:
    is_sealed = builtin_types.is_sealed(thing)
    line = None
    if isinstance(thing, type) and name == "__module__":  # Python 3.13 drops the line with it
        line = vars(thing).get("__firstlineno__")
    if value is ABSENT:
        (builtin_types.delete_attribute if is_sealed else delattr)(thing, name)
    else:
        (builtin_types.set_attribute if is_sealed else setattr)(thing, name, value)
    if line is not None:
        setattr(thing, "__firstlineno__", line)  # noqa: B010 - unknown to type checkers


LEDGER = Ledger()
"""What `monkey_patch` did in this process."""
