"""Time in the hand of a test: a clock that stands, and stops that leave all the time there is."""

from __future__ import annotations

import sys

import pytest

from eventlet import _unpatched
from eventlet._core.current import get_hub

from tests.unit.server.clock import Clock
from tests.unit.server.site import LONG


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(get_hub(), "clock", clock)
    ours = [module for name, module in sys.modules.items() if name.startswith("eventlet.")]
    for module in ours:
        if module is not _unpatched and vars(module).get("monotonic") is _unpatched.monotonic:
            monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def long_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the clients of a server that stops more time than any test takes.

    So who should be young is, however slow the machine; and a server that waits for such a moment
    to pass, where it need not, does not end in time.
    """
    monkeypatch.setattr("eventlet._server.listener.YOUNG_SECONDS", LONG)
    for module in ("listener", "connection", "http_protocol"):
        monkeypatch.setattr(f"eventlet._server.{module}.LAST_SECONDS", LONG)
