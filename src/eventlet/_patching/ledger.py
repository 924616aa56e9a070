"""The book of what patching changed: asked, printed, and undone in tests."""

from types import ModuleType
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
        before = vars(module).get(name, ABSENT)
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
            if vars(module).get(name, ABSENT) is not after:
                continue
            _assign(module, name, before)
        self.switches.clear()


def _assign(thing: Any, name: str, value: Any) -> None:
    is_sealed = builtin_types.is_sealed(thing)
    if value is ABSENT:
        (builtin_types.delete_attribute if is_sealed else delattr)(thing, name)
    else:
        (builtin_types.set_attribute if is_sealed else setattr)(thing, name, value)


LEDGER = Ledger()
"""What `monkey_patch` did in this process."""
