"""A clock in the hand of a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from eventlet._unpatched import monotonic
from eventlet.greenthread import sleep


class Clock:
    """What the server and the hub take for the time; held by a `with` block, it stands still.

    Whatever time it takes to get there: while it is held, nothing comes too late before the test
    lets time pass, and everything does that was to come by then.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        self._held: float | None = None

    def __call__(self) -> float:
        return monotonic() + self._ahead if self._held is None else self._held

    def __enter__(self) -> Self:
        self._held = self()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._held is not None
        self._ahead = self._held - monotonic()
        self._held = None

    def advance(self, seconds: float) -> None:
        """Let time pass, and what was due by then happen."""
        assert self._held is not None
        self._held += seconds
        for _ in range(5):
            sleep(0)

    def wait_until(self, claim: Callable[[], bool]) -> None:
        """Let other green threads run until a claim is true; no time passes."""
        while not claim():
            sleep(0)
