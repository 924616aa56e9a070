"""The public names: what is built is there and callable as promised, what is due is absent."""

from __future__ import annotations

import ast
import sys
import types
from collections import Counter
from pathlib import Path

import pytest

from tests.compat.manifest import (
    ABSENT,
    EXPECTED,
    MATCHES,
    NAMES,
    Entry,
    find_out,
    look_up,
    read_entries,
)
from tests.import_graph import read_tree
from tests.test_architecture import SOURCE

ENTRIES = list(read_entries(NAMES.read_text(encoding="utf-8")))
MODULES = list(dict.fromkeys(entry.module for entry in ENTRIES))

# Packages whose modules are found through the package.
FACES = ("eventlet.greenio.",)


@pytest.fixture(scope="module")
def findings() -> dict[int, str]:
    """The finding for each line, from a fresh interpreter."""
    return find_out()


@pytest.mark.parametrize("module", MODULES)
def test_built_names_are_there_and_all_others_are_absent(
    module: str, findings: dict[int, str]
) -> None:
    wrong = {
        entry.name: f"{entry.status}, but {findings[entry.line]}"
        for entry in ENTRIES
        if entry.module == module and findings[entry.line] != EXPECTED[entry.status]
    }

    assert wrong == {}, "python -m tools.manifest --flip writes down what has landed"


def test_no_name_is_listed_twice() -> None:
    counts = Counter(entry.bare for entry in ENTRIES)

    assert [name for name, count in counts.items() if count > 1] == []


def test_every_name_in_an_all_is_in_the_manifest() -> None:
    entries = read_entries(NAMES.read_text(encoding="utf-8"), holding=False)
    listed = {entry.bare for entry in entries if entry.status == "built"}

    assert sorted(public_names(SOURCE) - listed) == []


def public_names(root: Path) -> set[str]:
    """List `module:name` for the `__all__` of every public module that is our own.

    Green modules show the names of the standard library, shims those of their home, and a
    package with a face of its own shows those of its modules that are public.
    """
    names = set()
    for module in read_tree(root).values():
        private = any(part.startswith("_") for part in module.name.split("."))
        if private or module.is_shim or module.name.startswith(("eventlet.green.", *FACES)):
            continue
        for node in ast.parse(module.path.read_text(encoding="utf-8")).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                    names |= {f"{module.name}:{name}" for name in ast.literal_eval(value)}
    return names


# --- the check itself can fail ---------------------------------------------------------


def compare(signature: str, function: object) -> str:
    """Look up `name(signature)` in a module made for the occasion."""
    module = types.ModuleType("eventlet_made_up")
    vars(module)["name"] = function
    sys.modules[module.__name__] = module
    try:
        return look_up(Entry(1, "built", "core", module.__name__, f"name{signature}"))
    finally:
        del sys.modules[module.__name__]


class Thing:
    def method(self, a: int, b: int = 2) -> None: ...

    @classmethod
    def of(cls, a: int) -> None: ...


@pytest.mark.parametrize(
    "signature, function",
    [
        ("(a, b=1)", lambda a, b=1: None),
        ("(a)", lambda a, extra=None: None),
        ("(a)", lambda a=None: None),
        ("(func, *args, **kwargs)", lambda func, /, *a, **k: None),
        ("(a, b=...)", lambda a, b=Thing: None),
        ("(a=socket.AF_INET)", lambda a=2: None),
        ("(*, a=1)", lambda *, a=1: None),
        (".method(a, b=2)", Thing),
        (".of(a)", Thing),
        ("().method(a, b=2)", Thing),
    ],
)
def test_a_signature_matches(signature: str, function: object) -> None:
    assert compare(signature, function) == MATCHES


@pytest.mark.parametrize(
    "signature, function, finding",
    [
        ("(a, b)", lambda b, a: None, "differs: argument 1 is b, not a"),
        ("(a, b)", lambda a: None, "differs: argument 2 is nothing, not b"),
        ("(a=1)", lambda a=2: None, "differs: a defaults to 2, not 1"),
        ("(a=1)", lambda a: None, "differs: a has no default"),
        ("(a)", lambda a, extra: None, "differs: extra must be passed"),
        ("(a)", lambda a, /: None, "differs: a cannot be passed by name"),
        ("(a, *args)", lambda a: None, "differs: there is no *args"),
        ("(a, **kw)", lambda a: None, "differs: there is no **kw"),
        ("(*, a=1)", lambda: None, "differs: there is no a"),
        (".method(a, b=3)", Thing, "differs: b defaults to 2, not 3"),
        (".missing(a)", Thing, ABSENT),
        ("().missing", Thing, ABSENT),
        ("().method", 3, "broken: TypeError: 'int' object is not callable"),
    ],
)
def test_a_signature_that_differs_is_found(signature: str, function: object, finding: str) -> None:
    assert compare(signature, function) == finding


def test_a_module_that_does_not_exist_is_absent() -> None:
    assert look_up(Entry(1, "due", "core", "eventlet.never_built", "name")) == ABSENT


def test_a_name_that_some_pythons_have_is_looked_for_there_alone() -> None:
    versions = ("", "  # from 3.11", "  # from 3.999", "  # until 3.10", "  # until 3.999")
    lines = [f"built core m:f{number}(){which}" for number, which in enumerate(versions)]

    entries = read_entries("\n".join(lines))

    assert [entry.name for entry in entries] == ["m:f0()", "m:f1()", "m:f4()"]


def test_a_line_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 is not"):
        list(read_entries("# comment\nsoon core eventlet:name\n"))
