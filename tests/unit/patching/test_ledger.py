"""The ledger: what was changed is remembered and can be put back."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from eventlet._patching.ledger import ABSENT, Change, Ledger


@pytest.fixture
def module() -> Any:
    made: Any = ModuleType("made")
    made.old = 1
    return made


def test_a_change_is_made_and_written_down(module: Any) -> None:
    ledger = Ledger()
    ledger.set(module, "old", 2)
    ledger.set(module, "new", 3)

    assert (module.old, module.new) == (2, 3)
    assert ledger.changes == (Change(module, "old", 1, 2), Change(module, "new", ABSENT, 3))
    assert repr(ABSENT) == "<absent>"


def test_setting_the_same_value_is_no_change(module: Any) -> None:
    ledger = Ledger()
    ledger.set(module, "old", module.old)

    assert ledger.changes == ()


def test_undo_puts_everything_back(module: Any) -> None:
    ledger = Ledger()
    ledger.switches["x"] = True
    for value in (2, 3):
        ledger.set(module, "old", value)
    ledger.set(module, "new", 3)
    ledger.undo()

    assert module.old == 1
    assert not hasattr(module, "new")
    assert (ledger.changes, ledger.switches) == ((), {})


def test_undo_leaves_what_somebody_else_has_set_since(module: Any) -> None:
    ledger = Ledger()
    ledger.set(module, "old", 2)
    module.old = 9
    ledger.undo()

    assert module.old == 9


def test_attributes_of_classes_are_changed_and_put_back() -> None:
    class Base:
        def own(self) -> str:
            return "own"

    ledger = Ledger()
    ledger.set(Base, "own", lambda self: "set")
    during = Base().own()
    ledger.undo()

    assert (during, Base().own()) == ("set", "own")


def test_pristine_tells_the_first_values(module: Any) -> None:
    ledger = Ledger()
    for value in (2, 3):
        ledger.set(module, "old", value)
    ledger.set(module, "new", 3)

    assert ledger.pristine(module) == {"old": 1, "new": ABSENT}
    assert ledger.pristine(ModuleType("other")) == {}
