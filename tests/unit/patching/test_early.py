"""Who took an original before it was replaced."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from eventlet._patching.early import KeptOriginal, find_kept_originals
from eventlet._patching.ledger import Ledger


def block() -> None:
    """Stand for a call that blocks."""


class Blocking:
    """Stand for a class whose methods block."""


@pytest.fixture
def ledger() -> Ledger:
    """A ledger in which `standard.block` and `standard.Blocking` were replaced."""
    standard: Any = ModuleType("standard")
    standard.block, standard.Blocking, standard.number = block, Blocking, 1
    made = Ledger()
    made.set(standard, "block", lambda: None)
    made.set(standard, "Blocking", type("Green", (), {}))
    made.set(standard, "number", 2)
    made.set(standard, "added", lambda: None)
    return made


def found(ledger: Ledger, text: str, name: str = "user") -> list[tuple[str, str]]:
    module: Any = ModuleType(name)
    module.block, module.Blocking = block, Blocking
    exec(text, vars(module))  # a module, made on the spot
    del module.block, module.Blocking
    kept = find_kept_originals(ledger, {name: module, "none": None})
    assert all(entry.module == name for entry in kept)
    return [(entry.name, entry.original) for entry in kept]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1; number = 1", []),
        ("mine = block", [("mine", "standard.block")]),
        ("def f(a, b=block): pass", [("f's default argument", "standard.block")]),
        ("def f(*, b=block): pass", [("f's default argument", "standard.block")]),
        ("class C:\n wait = block", [("C.wait", "standard.block")]),
        ("class C:\n wait = staticmethod(block)", [("C.wait", "standard.block")]),
        (
            "class C:\n def f(self, b=block): pass",
            [("C.f's default argument", "standard.block")],
        ),
        ("class C(Blocking): pass", [("C's base Blocking", "standard.Blocking")]),
    ],
)
def test_references_are_found(text: str, expected: list[tuple[str, str]], ledger: Ledger) -> None:
    assert found(ledger, text) == expected


@pytest.mark.parametrize("name", ["eventlet.x", "__original_module_x", "__patched_module_x", "_io"])
def test_modules_that_have_them_rightly_are_not_told(name: str, ledger: Ledger) -> None:
    assert found(ledger, "mine = block", name) == []


def test_classes_of_other_modules_are_told_there_only(ledger: Ledger) -> None:
    other: Any = ModuleType("other")
    exec(
        "class C:\n wait = block", {**vars(other), "block": block}, vars(other)
    )  # a module, made on the spot
    other.C.__module__ = "other"
    user: Any = ModuleType("user")
    user.C = other.C

    kept = find_kept_originals(ledger, {"user": user, "other": other})

    assert kept == [KeptOriginal("other", "C.wait", "standard.block")]


def test_nothing_is_told_of_an_empty_ledger() -> None:
    assert found(Ledger(), "mine = block") == []
