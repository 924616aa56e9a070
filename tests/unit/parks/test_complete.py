"""The table of parks has every public call that waits; what does not is listed with its reason."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from typing import Any

from eventlet import green

from tests.unit.parks.catalogue import PARKS
from tests.unit.parks.not_parking import DERIVED, NOT_PARKING
from tests.unit.parks.public_calls import PLATFORMS, key_of, public_calls

COVERS: list[Any] = [call for park in PARKS.values() for call in park.covers]
LISTED = Counter(
    f"{module}:{name}"
    for modules in NOT_PARKING.values()
    for module, names in modules.items()
    for name in names.split()
)


def covered() -> set[str]:
    """Name the public calls that the table has, by where they are defined or found."""
    keys = {key_of(call) for call in COVERS}
    return {name for name, call in public_calls().items() if name in keys or key_of(call) in keys}


def test_every_public_call_is_in_the_table_or_does_not_park() -> None:
    unknown = set(public_calls()) - covered() - set(LISTED)

    assert sorted(unknown) == [], "enter them in the table of parks, or say why they never wait"


def test_no_call_that_parks_is_said_not_to() -> None:
    assert sorted(covered() & set(LISTED)) == []


def test_what_is_said_not_to_park_is_there_and_listed_once() -> None:
    assert sorted(set(LISTED) - set(public_calls())) == []
    assert [name for name, count in LISTED.items() if count > 1] == []


def test_every_green_module_has_parks_or_is_derived() -> None:
    modules = {
        info.name.removeprefix("eventlet.green.")
        for info in pkgutil.walk_packages(green.__path__, "eventlet.green.")
        if not info.name.startswith(PLATFORMS)
    }
    ours = {key.partition(":")[0].removeprefix("eventlet.green.") for key in public_calls()}
    public = {name for name in modules if not name.rpartition(".")[2].startswith("_")}

    unknown = {name for name in public - DERIVED - ours if not has_parks(name)}
    assert sorted(unknown) == []
    assert sorted(DERIVED - modules) == []


def has_parks(name: str) -> bool:
    """Tell whether the table has a call that is defined in this green module or shown by it."""
    module = importlib.import_module(f"eventlet.green.{name}")
    shown = [value for key, value in vars(module).items() if not key.startswith("__")]
    return any(
        key_of(call).startswith(f"{module.__name__}:") or any(call is value for value in shown)
        for call in COVERS
    )
