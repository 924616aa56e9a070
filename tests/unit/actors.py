"""Green threads whose one call is watched: what the model tests of the primitives act with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventlet._core.thread import throw_into
from eventlet._core.wait_queue import EXPIRED, wake
from eventlet.greenthread import sleep, spawn

PASSES_TO_SETTLE = 4


class Interrupt(Exception):
    """What an interrupted actor gets."""


class Actor:
    """A green thread that makes one call. `journal` notes the actors in order of their end."""

    def __init__(self, name: str, journal: list[Actor], call: Callable[[], Any]) -> None:
        self.name = name
        self.is_waiting = True
        self.value: Any = None
        self.exc: BaseException | None = None
        self._journal = journal
        self._call = call
        self.thread = spawn(self._run)
        sleep(0)

    def _run(self) -> None:
        try:
            self.value = self._call()
        except BaseException as exc:
            self.exc = exc
        self.is_waiting = False
        self._journal.append(self)

    @property
    def has_returned(self) -> bool:
        return not self.is_waiting and self.exc is None

    def interrupt(self) -> None:
        """Have it interrupted; it runs in the next pass, so a wake may come before or after."""
        throw_into(self.thread, Interrupt(self.name))

    def expire(self) -> None:
        """Have its time be up, exactly as the hub does at the deadline."""
        ticket = self.thread._ticket
        if ticket is not None:
            wake(ticket, EXPIRED)

    def __repr__(self) -> str:
        outcome = "waiting" if self.is_waiting else repr(self.exc or self.value)
        return f"{self.name}: {outcome}"


def settle() -> None:
    """Let everybody run until nothing more can happen."""
    for _ in range(PASSES_TO_SETTLE):
        sleep(0)


def dismiss(actors: list[Actor]) -> None:
    """End those who still wait."""
    for actor in actors:
        if actor.is_waiting:
            actor.interrupt()
    settle()
