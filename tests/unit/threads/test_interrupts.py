"""Kill, cancel, time-outs and scopes, used on the green threads of another OS thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from threading import get_ident
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet import tpool
from eventlet._core.current import existing_hub, get_hub
from eventlet._core.hub import Hub
from eventlet._core.timers import PURGE_MINIMUM
from eventlet.event import Event
from eventlet.greenpool import GreenPile, GreenPool
from eventlet.greenthread import GreenThread, cancel, sleep, spawn, spawn_after
from eventlet.semaphore import Semaphore
from eventlet.taskgroup import CancelScope, TaskGroup, move_on_after
from eventlet.timeout import Timeout

from tests.unit.core.os_threads import OSThread, start_os_thread
from tests.unit.threads.places import PLACES, Call, in_an_os_thread, until

Place = Callable[[Callable[[], Any]], Call]

each_place = pytest.mark.parametrize("place", PLACES)
LONG = 3600.0


@pytest.fixture
def rapid_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def natively(function: Callable[[], Any]) -> Any:
    """Return what `function` returns in an OS thread, while no green thread here runs."""
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(function()))
    thread.start()
    thread.join()
    return made[0]


def test_kill_from_an_os_thread_without_a_hub_makes_none() -> None:
    thread = spawn(sleep, LONG)
    sleep(0)

    def kill_there() -> Hub | None:
        thread.kill()
        return existing_hub()

    assert natively(kill_there) is None

    with pytest.raises(GreenletExit):
        thread.wait()


@each_place
def test_the_outcome_of_a_killed_thread_is_seen_everywhere(place: Place) -> None:
    thread = spawn(sleep, LONG)
    linked: list[GreenThread] = []
    sleep(0)
    call = place(thread.wait)
    place(lambda: thread.link(linked.append)).result()

    place(lambda: thread.kill(KeyError("why"))).result()

    with pytest.raises(KeyError, match="why"):
        call.result()
    assert linked == [thread]
    place(lambda: thread.link(linked.append)).result()
    assert linked == [thread, thread]


@pytest.mark.parametrize("how", [cancel, GreenThread.cancel])
def test_cancel_from_another_os_thread_spares_who_starts_first(
    how: Callable[[GreenThread], None],
) -> None:
    gate = Event()
    thread = spawn(gate.wait)  # it is to run before the hub hears of anything else

    natively(lambda: how(thread))
    sleep(0)
    sleep(0)
    gate.send("went on")

    assert thread.wait() == "went on"


@pytest.mark.parametrize("how", [cancel, GreenThread.cancel])
def test_cancel_from_another_os_thread_ends_who_has_not_started(
    how: Callable[[GreenThread], None],
) -> None:
    thread = spawn_after(LONG, sleep)

    natively(lambda: how(thread))

    with pytest.raises(GreenletExit):
        thread.wait()


class EndsWhenAsked(Hub):
    """A hub whose OS thread ends just when another one has seen that it is open."""

    is_asked: Callable[[], None] | None = None
    _closed = False

    @property
    def closed(self) -> bool:
        asked, was_closed = self.is_asked, self._closed
        if asked is not None and get_ident() != self.ident:
            self.is_asked = None
            asked()
        return was_closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self._closed = closed


def test_killing_a_thread_whose_os_thread_ends_meanwhile_raises_nothing() -> None:
    threads: list[GreenThread] = []
    is_over = Event()

    def run() -> None:
        threads.append(spawn(sleep, LONG))
        is_over.wait()

    there = start_os_thread(run, EndsWhenAsked)
    until(lambda: threads)

    def end() -> None:
        is_over.send()
        there.result()

    hub: Any = threads[0]._hub
    hub.is_asked = end
    threads[0].kill()
    if not is_over.ready():  # nobody asked
        end()

    with pytest.raises(GreenletExit):
        threads[0].wait()


def test_a_time_out_cancelled_elsewhere_does_not_fire() -> None:
    with Timeout(0.01) as timeout:
        natively(timeout.cancel)
        sleep(0.02)


def test_time_outs_cancelled_elsewhere_leave_the_heap_to_its_os_thread() -> None:
    hub = get_hub()
    timers = [hub.call_later(LONG, sleep) for _ in range(2 * PURGE_MINIMUM)]
    heap, size = hub.timers.heap, len(hub.timers.heap)

    def cancel_all_but_one() -> None:
        for timer in timers[1:]:
            timer.cancel()

    natively(cancel_all_but_one)
    assert hub.timers.heap is heap
    assert len(heap) == size

    timers[0].cancel()  # the next that is cancelled here
    assert len(hub.timers.heap) < PURGE_MINIMUM


# -- scopes ------------------------------------------------------------------------------


@each_place
def test_a_scope_cancelled_there_ends_parks_here(place: Place) -> None:
    with CancelScope() as scope:
        place(lambda: scope.cancel("enough"))
        sleep(LONG)

    assert (scope.cancelled_caught, scope.reason) == (True, "enough")


def test_a_scope_cancelled_elsewhere_before_it_is_entered_refuses_the_first_park() -> None:
    scope = CancelScope()
    natively(scope.cancel)

    with scope:
        sleep(LONG)

    assert scope.cancelled_caught


def test_a_shield_taken_away_elsewhere_lets_the_cancellation_in() -> None:
    with CancelScope() as outer:
        outer.cancel()
        with CancelScope(shield=True) as shield:

            def expose() -> None:
                shield.shield = False

            in_an_os_thread(expose)
            sleep(LONG)

    assert outer.cancelled_caught


class SlowToLook(dict[Any, None]):
    """The threads of a scope, for a reader in another OS thread who is slow."""

    def __init__(self, threads: dict[Any, None]) -> None:
        super().__init__(threads)
        self.home = get_ident()
        self.was_read = threading.Event()
        self.may_go_on = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        yield from list(self.keys())
        if get_ident() != self.home:
            self.was_read.set()
            self.may_go_on.wait()


def test_a_shield_that_is_entered_while_another_os_thread_cancels_holds() -> None:
    with CancelScope() as scope:
        threads = scope._threads = SlowToLook(scope._threads)

        def cancel_there() -> None:
            scope.cancel()
            threads.was_read.set()

        call = in_an_os_thread(cancel_there)
        threads.was_read.wait()
        with CancelScope(shield=True):
            get_hub().call_soon(threads.may_go_on.set)
            until(call.is_done)
            sleep(0)
            is_whole = True

    assert is_whole
    assert not scope.cancelled_caught


def test_a_deadline_set_elsewhere_holds() -> None:
    with move_on_after(LONG) as scope:
        soon = get_hub().clock() + 0.01

        def hurry() -> None:
            scope.deadline = soon

        natively(hurry)
        sleep(LONG)

    assert scope.cancelled_caught


@each_place
def test_a_task_group_is_cancelled_from_everywhere(place: Place) -> None:
    with TaskGroup() as group:
        children = [group.spawn(sleep, LONG) for _ in range(3)]
        place(group.cancel_scope.cancel)

    assert all(child.dead for child in children)


def test_a_task_group_refuses_an_os_thread_without_a_hub_and_makes_it_none() -> None:
    with TaskGroup() as group:

        def spawn_there() -> Hub | None:
            with pytest.raises(RuntimeError, match="another OS thread"):
                group.spawn(sleep)
            return existing_hub()

        assert natively(spawn_there) is None


# -- pools of green threads ----------------------------------------------------------------


def spawn_and_wait(pool: GreenPool, number: int) -> Any:
    return pool.spawn(pow, number, 2).wait()


@each_place
def test_a_green_pool_runs_what_is_spawned_there(place: Place) -> None:
    pool = GreenPool(2)

    threads = [place(partial(spawn_and_wait, pool, n)) for n in range(6)]

    assert [thread.result() for thread in threads] == [0, 1, 4, 9, 16, 25]
    pool.waitall()
    assert (pool.running(), pool.free()) == (0, 2)


def test_the_end_of_an_os_thread_frees_the_places_of_its_threads() -> None:
    pool = GreenPool(3)

    start_os_thread(lambda: [pool.spawn(sleep, LONG) for _ in range(3)]).result()

    pool.waitall()
    assert (pool.running(), pool.free()) == (0, 3)
    assert pool.spawn(int).wait() == 0


def test_a_pool_never_looks_idle_while_a_place_is_handed_to_a_spawner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = GreenPool(1)
    gates = [Event(), Event()]
    pool.spawn(gates[0].wait)
    spawner = spawn(pool.spawn, gates[1].wait)
    sleep(0)
    looks: list[Call] = []

    def look_then_release(release: Callable[[], bool] = pool.sem.release) -> bool:
        """What another OS thread could do between the two steps of a thread that leaves."""
        looks.append(in_an_os_thread(pool.waitall))
        looks[-1].wait_natively(0.05)
        return release()

    monkeypatch.setattr(pool.sem, "release", look_then_release)
    gates[0].send()
    second = spawner.wait()
    assert not looks[0].is_done()

    gates[1].send()
    second.wait()
    looks[0].result()


def have_ended(threads: list[OSThread]) -> bool:
    return not any(thread.is_alive() for thread in threads)


@pytest.mark.slow
def test_readers_of_a_pile_in_several_os_threads_get_each_result_once(
    rapid_switches: None,
) -> None:
    for _ in range(50):
        pile = GreenPile()
        numbers = range(20)
        for number in numbers:
            pile.spawn(int, number)

        readers = [start_os_thread(partial(list, pile)) for _ in range(3)]
        until(partial(have_ended, readers))

        read = [number for reader in readers for number in reader.result()]
        assert sorted(read) == list(numbers)


# -- calls in tpool ------------------------------------------------------------------------


def test_a_killed_caller_leaves_its_call_to_end_alone() -> None:
    gate, passed = Semaphore(0), Semaphore(0)
    numbers = count()

    def pass_gate() -> int:
        gate.acquire()
        passed.release()
        return next(numbers)

    caller = spawn(tpool.execute, pass_gate)
    until(lambda: gate.balance == -1)
    caller.kill()
    other = spawn(tpool.execute, pass_gate)
    until(lambda: gate.balance == -2)
    gate.release()
    gate.release()

    assert other.wait() in (0, 1)
    assert [passed.acquire(timeout=30) for _ in range(2)] == [True, True]
    assert gate.counter == 0
