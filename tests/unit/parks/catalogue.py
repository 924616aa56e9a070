"""Every park of the library: one table."""

from __future__ import annotations

from tests.unit.parks import (
    buffers,
    descriptors,
    names,
    primitives,
    processes,
    services,
    sockets,
    websockets,
)
from tests.unit.parks.park import Park

__all__ = ["PARKS"]

_TABLES = (
    primitives.PARKS,
    sockets.PARKS,
    descriptors.PARKS,
    buffers.PARKS,
    processes.PARKS,
    services.PARKS,
    names.PARKS,
    websockets.PARKS,
)

PARKS: dict[str, Park] = {name: park for table in _TABLES for name, park in table.items()}
assert len(PARKS) == sum(map(len, _TABLES)), "two parks have one name"
