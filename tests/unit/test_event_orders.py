"""Events in every order of wait, send, reset, kill and time-out, against a plain model.

The model: who waits is told once, by a send, an interrupt or its time-out, and runs in the next
pass, in the order of telling. Until then an interrupt takes the place of what it was told. Who
was told that its time is up looks once more when it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet.event import Event
from eventlet.greenthread import sleep

from tests.depth import games
from tests.unit.actors import Actor, Interrupt, dismiss, settle

UNSENT: Final = "nothing was sent"
LOOKS_AGAIN: Final = "gets what is there when it runs"


class Sent(Exception):
    """What `fail` sends."""


class Game:
    """An event, those who wait for it, and what each will get by the model."""

    def __init__(self, kind: type[Event]) -> None:
        self.event = kind()
        self.sent: Any = UNSENT
        self.count = 0
        self.actors: list[Actor] = []
        self.journal: list[Actor] = []
        self.told: dict[Actor, Any] = {}
        self.about_to_run: set[Actor] = set()
        self.faults: list[str] = []

    def play(self, move: str) -> None:
        verb, _, number = move.partition(" ")
        if verb in ("interrupt", "expire"):
            for actor in self.actors[int(number) : int(number) + 1]:
                getattr(self, f"do_{verb}")(actor)
        else:
            getattr(self, f"do_{verb}")()

    def do_wait(self) -> None:
        self._next_pass()
        name = f"waiter {len(self.actors)}"
        actor = Actor(name, self.journal, lambda: self.event.wait(timeout=3600))
        self.actors.append(actor)
        if self.sent is not UNSENT:
            self.told[actor] = self.sent

    def do_pass(self) -> None:
        self._next_pass()
        sleep(0)

    def _next_pass(self) -> None:
        for actor in self.about_to_run:
            if self.told[actor] is LOOKS_AGAIN:
                self.told[actor] = None if self.sent is UNSENT else self.sent
        self.about_to_run.clear()

    def do_interrupt(self, actor: Actor) -> None:
        actor.interrupt()
        if actor not in self.told:
            self.told[actor] = Interrupt
        elif actor in self.about_to_run:
            self.about_to_run.discard(actor)
            self.told[actor] = Interrupt

    def do_expire(self, actor: Actor) -> None:
        actor.expire()
        self._tell(actor, LOOKS_AGAIN)

    def _tell(self, actor: Actor, outcome: Any) -> None:
        if actor not in self.told:
            self.told[actor] = outcome
            self.about_to_run.add(actor)

    def do_send(self) -> None:
        self.count += 1
        self._send(self.count, self.event.send)

    def do_fail(self) -> None:
        self._send(Sent(), self.event.send_exception)

    def _send(self, outcome: Any, send: Callable[[Any], None]) -> None:
        try:
            send(outcome)
        except AssertionError:
            self._check(self.sent is not UNSENT, "a first send was refused")
            return
        self._check(self.sent is UNSENT, "a second send was accepted")
        self.sent = outcome
        for actor in self.actors:
            self._tell(actor, outcome)

    def do_reset(self) -> None:
        try:
            self.event.reset()
        except AssertionError:
            self._check(self.sent is UNSENT, "a reset was refused")
            return
        self._check(self.sent is not UNSENT, "a reset of a fresh event was accepted")
        self.sent = UNSENT

    def _check(self, is_right: object, fault: str) -> None:
        if not is_right:
            self.faults.append(fault)

    def fault(self) -> str | None:
        """Return what is wrong now that nothing moves any more."""
        self._next_pass()
        settle()
        event, told = self.event, self.told
        state = f"{self.actors}, {event!r}, told {told}"
        waiting = [actor for actor in self.actors if actor.is_waiting]
        self._check(not set(waiting) & told.keys(), "somebody was told and still waits")
        self._check(set(waiting) | told.keys() == set(self.actors), "somebody went on untold")
        self._check(self.journal == list(told), "out of order")
        self._check(len(event._waiters) == len(waiting), "a wrong count")
        self._check(event.ready() == (self.sent is not UNSENT), "a wrong state")
        wrong = [actor.name for actor in self.journal if actor in told and not self._is_told(actor)]
        self._check(not wrong, f"{wrong} got something else")
        dismiss(self.actors)
        self._check(not event._waiters.tickets, "a ticket was forgotten")
        return f"{self.faults}: {state}" if self.faults else None

    def _is_told(self, actor: Actor) -> bool:
        expected = self.told[actor]
        if expected is Interrupt:
            return isinstance(actor.exc, Interrupt)
        if isinstance(expected, Sent):
            return actor.exc is expected
        return actor.exc is None and actor.value == expected


def play(moves: tuple[str, ...], kind: type[Event] = Event) -> str | None:
    game = Game(kind)
    for move in moves:
        game.play(move)
    return game.fault()


def faults(length: int) -> dict[tuple[str, ...], str]:
    found = {moves: play(("wait", "wait", *moves)) for moves in product(EVERY_MOVE, repeat=length)}
    return {moves: fault for moves, fault in found.items() if fault}


CALLS = ("send", "fail", "reset", "wait", "pass")
EVERY_MOVE = (*CALLS, "interrupt 0", "interrupt 1", "expire 0", "expire 1")


def test_trap_2_two_waiters_in_every_order_of_three_moves() -> None:
    assert faults(3) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
def test_trap_2_two_waiters_in_every_order_of_four_moves() -> None:
    assert faults(4) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@given(
    st.lists(
        st.sampled_from(
            [*CALLS, *(f"{verb} {n}" for verb in ("interrupt", "expire") for n in range(8))]
        ),
        max_size=30,
    )
)
@games(300)
def test_trap_2_in_long_games_everybody_gets_what_was_sent(moves: list[str]) -> None:
    assert play(tuple(moves)) is None


# --- the model finds what it is there for -----------------------------------------------


class Forgetful(Event):
    """Wakes nobody but the first."""

    def _settle(self, result: Any, exc: tuple[Any, ...] | None) -> None:
        first = self._waiters.wake_first((result, exc))
        others = list(self._waiters.tickets)
        self._waiters.tickets.clear()
        super()._settle(result, exc)
        self._waiters.tickets.extend(others if first else [])


class Backwards(Event):
    """Wakes the last to come first."""

    def _settle(self, result: Any, exc: tuple[Any, ...] | None) -> None:
        self._waiters.tickets.reverse()
        super()._settle(result, exc)


class Deaf(Event):
    """Gives nobody the result."""

    def wait(self, timeout: float | None = None) -> Any:
        super().wait(timeout)


@pytest.mark.parametrize(
    ("kind", "moves", "fault"),
    [
        (Forgetful, ("wait", "wait", "send"), "was told and still waits"),
        (Backwards, ("wait", "wait", "send"), "out of order"),
        (Deaf, ("wait", "expire 0", "send"), "got something else"),
    ],
)
def test_the_model_finds_a_fault(kind: type[Event], moves: tuple[str, ...], fault: str) -> None:
    assert fault in str(play(moves, kind))
