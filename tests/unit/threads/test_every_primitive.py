"""Every primitive between two OS threads: who waits there is woken from here, and so on."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import Ticket
from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn
from eventlet.queue import Queue
from eventlet.semaphore import Semaphore
from eventlet.timeout import Timeout

from tests.unit.core.os_threads import start_os_thread
from tests.unit.threads.places import PLACES, Call, in_a_green_thread_here, until
from tests.unit.threads.primitives import FOR_ALL, HANDED_OVER, Primitive

Make = Callable[[], Primitive]
Place = Callable[[Callable[[], Any]], Call]

ROUNDS = 30

each_place = pytest.mark.parametrize("place", PLACES)
every_primitive = pytest.mark.parametrize("make", HANDED_OVER + FOR_ALL)
handed_over = pytest.mark.parametrize("make", HANDED_OVER)


@pytest.fixture
def rapid_switches() -> Iterator[None]:
    """Have OS threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@every_primitive
@each_place
def test_who_waits_there_is_woken_from_here(make: Make, place: Place) -> None:
    primitive = make()
    waiter = place(primitive.wait)
    until(primitive.waiting)

    primitive.wake()
    waiter.result()

    assert (primitive.waiting(), primitive.left()) == (0, 0)


@every_primitive
@each_place
def test_who_waits_here_is_woken_from_there(make: Make, place: Place) -> None:
    primitive = make()
    waiter = in_a_green_thread_here(primitive.wait)
    until(primitive.waiting)

    place(primitive.wake).result()
    waiter.result()

    assert (primitive.waiting(), primitive.left()) == (0, 0)


@handed_over
def test_waiters_of_all_places_get_one_each(make: Make) -> None:
    primitive = make()
    waiters = []
    for place in PLACES:
        waiters.append(place(primitive.wait))
        until(lambda: primitive.waiting() == len(waiters))

    for waiter in waiters:
        primitive.wake()
        waiter.result()  # first come, first served

    assert (primitive.waiting(), primitive.left()) == (0, 0)


@pytest.mark.parametrize("make", FOR_ALL)
def test_waiters_of_all_places_go_on_together(make: Make) -> None:
    primitive = make()
    waiters = [place(primitive.wait) for place in PLACES]
    until(lambda: primitive.waiting() == len(PLACES))

    primitive.wake()
    for waiter in waiters:
        waiter.result()

    assert primitive.waiting() == 0


def start_and_leave(wait: Callable[[], Any], count: int) -> None:
    for _ in range(count):
        spawn(wait)
    sleep(0)
    sleep(0)


@every_primitive
def test_an_os_thread_ends_with_waiters_and_leaves_nothing(make: Make) -> None:
    primitive = make()

    start_os_thread(partial(start_and_leave, primitive.wait, 3)).result()
    assert primitive.waiting() == 0
    waiter = in_a_green_thread_here(primitive.wait)
    until(primitive.waiting)
    primitive.wake()
    waiter.result()

    assert (primitive.waiting(), primitive.left()) == (0, 0)


@handed_over
def test_what_is_handed_to_an_os_thread_that_ends_goes_to_the_next(
    make: Make, rapid_switches: None
) -> None:
    for _ in range(ROUNDS):
        primitive = make()
        there = start_os_thread(partial(start_and_leave, primitive.wait, 1))
        waiter = in_a_green_thread_here(primitive.wait)
        sleep(0)

        primitive.wake()  # its OS thread may just be ending
        there.result()
        sleep(0)
        if not waiter.is_done():  # it was quicker
            assert (primitive.waiting(), primitive.left()) == (1, 0)
            primitive.wake()

        waiter.result()
        assert (primitive.waiting(), primitive.left()) == (0, 0)


class EndsAfterAppend(deque[Ticket]):
    """The ready queue of a hub whose OS thread ends just when another one has woken a ticket."""

    end: Callable[[], None] | None = None

    def append(self, ticket: Ticket) -> None:
        super().append(ticket)
        end, self.end = self.end, None
        if end is not None:
            end()


def test_trap8_a_permit_handed_over_while_the_os_thread_ends_is_not_doubled() -> None:
    semaphore = Semaphore(0)
    ready = EndsAfterAppend()
    is_over = Event()
    taken: list[bool] = []

    def run() -> None:
        get_hub().ready = get_hub().announced = ready
        spawn(lambda: taken.append(semaphore.acquire()))
        is_over.wait()

    there = start_os_thread(run)
    until(lambda: semaphore._waiters)

    def end() -> None:
        is_over.send()
        there.result()

    ready.end = end
    semaphore.release()

    assert not there.is_alive()
    assert semaphore.counter + len(taken) == 1


@handed_over
@pytest.mark.parametrize("way", ["kill", "Timeout"])
def test_what_is_handed_to_a_waiter_there_that_dies_goes_to_the_next(
    make: Make, way: str, rapid_switches: None
) -> None:
    there = Elsewhere()
    for turn in range(ROUNDS):
        let_one_of_two_die(make(), there, None if way == "kill" else 0.0005 * (turn % 4))
    there.end()


def let_one_of_two_die(primitive: Primitive, there: Elsewhere, seconds: float | None) -> None:
    dying = there.wait(primitive.wait, seconds)
    until(lambda: primitive.waiting() or dying.is_done())
    waiter = in_a_green_thread_here(primitive.wait)
    sleep(0)
    if seconds is None:
        kill(dying.thread)

    primitive.wake()
    until(lambda: dying.is_done() and (dying.has_got or waiter.is_done()))
    if dying.has_got:
        assert not waiter.is_done()
        primitive.wake()
    waiter.result()

    assert (primitive.waiting(), primitive.left()) == (0, 0)


class Dying:
    """A green thread that waits, and whether it got what it waited for."""

    def __init__(self, wait: Callable[[], Any], seconds: float | None) -> None:
        self.has_got = False
        self._ended = False
        self._wait = wait
        self._seconds = seconds
        self.thread = spawn(self._run)
        self.thread.link(self._end)

    def _run(self) -> None:
        with Timeout(self._seconds, False):
            self._wait()
            self.has_got = True

    def _end(self, _thread: object) -> None:
        self._ended = True

    def is_done(self) -> bool:
        return self._ended


class Elsewhere:
    """An OS thread that starts green threads for us."""

    def __init__(self) -> None:
        self._orders: Queue[Callable[[], None] | None] = Queue()
        self._thread = start_os_thread(self._serve)

    def _serve(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def wait(self, wait: Callable[[], Any], seconds: float | None) -> Dying:
        made: list[Dying] = []
        self._orders.put(lambda: made.append(Dying(wait, seconds)))
        until(lambda: made)
        return made[0]

    def end(self) -> None:
        self._orders.put(None)
        self._thread.result()
