"""Sleeps, calls, time-outs and late starts, cut short in every way, against a sorted list.

A virtual clock moves in jumps. After each, what was due has happened, once, in the order of
deadlines and of arrival; what was cancelled or killed has not; and nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappush
from typing import Any

import pytest
from greenlet import GreenletExit
from hypothesis import given
from hypothesis import strategies as st

from eventlet._core import timers as timers_module
from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.thread import throw_into
from eventlet._core.timers import Timer, Timers
from eventlet._core.wait_queue import Ticket
from eventlet.greenthread import GreenThread, kill, sleep, spawn, spawn_after
from eventlet.timeout import Timeout

from tests.depth import games
from tests.unit.actors import Interrupt, settle
from tests.unit.core.os_threads import in_os_thread

LONG = 1e6


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Appointment:
    """Something that is to happen, and what stops it."""

    name: str
    deadline: float
    thread: GreenThread | None
    timer: Timer | None
    is_ordered: bool  # a time-out runs one pass later than the rest
    is_off: bool = False


class Game:
    """A hub on a virtual clock, and its appointments."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.all: list[Appointment] = []
        self.happened: list[str] = []
        self.faults: list[str] = []

    def play(self, moves: list[tuple[str, int]]) -> list[str]:
        for verb, number in moves:
            getattr(self, f"do_{verb}")(number)
        for appointment in self.all:
            self._kill(appointment)
        settle()
        hub = get_hub()
        left = [thread for thread in hub.threads if not thread.dead]
        if left or len(hub.timers):
            self.faults.append(f"left: {left}, {list(hub.timers)}")
        return self.faults

    # -- appointments --------------------------------------------------------------------

    def do_sleep(self, seconds: int) -> None:
        self._add(seconds, lambda name: self._spawn(lambda: self._sleep(name, seconds)))
        sleep(0)

    def _sleep(self, name: str, seconds: int) -> None:
        sleep(seconds)
        self.happened.append(name)

    def do_late(self, seconds: int) -> None:
        self._add(seconds, lambda name: spawn_after(seconds, self.happened.append, name))

    def do_call(self, seconds: int) -> None:
        self._add(seconds, lambda name: get_hub().call_later(seconds, self.happened.append, name))

    def do_timeout(self, seconds: int) -> None:
        self._add(
            seconds, lambda name: self._spawn(lambda: self._time_out(name, seconds)), ordered=False
        )
        sleep(0)

    def _time_out(self, name: str, seconds: int) -> None:
        with Timeout(seconds) as timeout:
            try:
                sleep(LONG)
            except Timeout as exc:
                if exc is not timeout:
                    self.faults.append("a stranger's time-out")
                self.happened.append(name)

    def _spawn(self, body: Callable[[], None]) -> GreenThread:
        return spawn(_quietly, body)

    def _add(
        self, seconds: int, make: Callable[[str], GreenThread | Timer], ordered: bool = True
    ) -> None:
        name = f"{len(self.all)} in {seconds} s"
        made = make(name)
        thread = made if isinstance(made, GreenThread) else None
        timer = made if isinstance(made, Timer) else None
        deadline = self.clock.now + seconds
        self.all.append(Appointment(name, deadline, thread, timer, ordered))

    # -- what stops them -----------------------------------------------------------------

    def do_kill(self, number: int) -> None:
        for appointment in self.all[number : number + 1]:
            self._kill(appointment)

    def _kill(self, appointment: Appointment) -> None:
        appointment.is_off = True
        if appointment.thread is not None:
            kill(appointment.thread)
        elif appointment.timer is not None:
            appointment.timer.cancel()

    def do_interrupt(self, number: int) -> None:
        for appointment in self.all[number : number + 1]:
            if appointment.thread is not None and appointment.thread:
                appointment.is_off = True
                throw_into(appointment.thread, Interrupt())

    # -- time ----------------------------------------------------------------------------

    def do_advance(self, seconds: int) -> None:
        """Move the clock; check what has happened."""
        self.clock.now += seconds
        before = len(self.happened)
        settle()
        news = self.happened[before:]
        due = [each for each in self.all if each.deadline <= self.clock.now and not each.is_off]
        for appointment in due:
            appointment.is_off = True
        due.sort(key=lambda each: each.deadline)  # equal ones stay in the order of arrival
        in_order = [each.name for each in due if each.is_ordered]
        others = sorted(each.name for each in due if not each.is_ordered)
        if [name for name in news if name in in_order] != in_order:
            self.faults.append(f"at {self.clock.now}: {news} for {in_order}")
        if sorted(set(news) - set(in_order)) != others or len(news) != len(due):
            self.faults.append(f"at {self.clock.now}: {news} for {in_order} and {others}")


def _quietly(body: Callable[[], None]) -> None:
    try:
        body()
    except (Interrupt, GreenletExit):
        return


def play(moves: list[tuple[str, int]]) -> list[str]:
    """Play on a hub of its own; tell what was wrong."""
    clock = Clock()
    return in_os_thread(lambda: Game(clock).play(moves), partial(Hub, clock=clock))


@pytest.mark.slow
@pytest.mark.time_limit(60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["sleep", "late", "call", "timeout"]), st.integers(1, 6))
        | st.tuples(st.just("advance"), st.integers(0, 4))
        | st.tuples(st.sampled_from(["kill", "interrupt"]), st.integers(0, 12)),
        max_size=40,
    )
)
@games(300)
def test_whatever_is_cut_short_the_rest_happens_once_in_order(moves: list[tuple[str, int]]) -> None:
    before = timers_module.PURGE_MINIMUM
    timers_module.PURGE_MINIMUM = 3  # so that the heap is rebuilt
    try:
        assert play(moves) == []
    finally:
        timers_module.PURGE_MINIMUM = before


def test_equal_deadlines_of_all_kinds_come_in_the_order_of_arrival() -> None:
    moves = [("sleep", 2), ("late", 2), ("call", 2), ("call", 1), ("sleep", 1), ("timeout", 2)]

    assert play([*moves, ("kill", 1), ("advance", 1), ("advance", 1)]) == []


# --- the model finds what it is there for -----------------------------------------------


def newest_first(self: Timers, deadline: float, ticket: Ticket) -> None:
    self.heap.append((deadline, -next(self._sequence), ticket))
    self.heap.sort(key=lambda entry: entry[:2])


def lose_every_third(self: Timers, deadline: float, ticket: Ticket) -> None:
    if next(self._sequence) % 3:
        heappush(self.heap, (deadline, next(self._sequence), ticket))


@pytest.mark.parametrize("wrong", [newest_first, lose_every_third])
def test_the_model_finds_a_fault(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = [("call", 2), ("call", 2), ("call", 2), ("advance", 2)]
    assert play(moves) == []

    monkeypatch.setattr(Timers, "add", wrong)

    assert play(moves) != []
