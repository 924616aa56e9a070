"""Semantics 16 to 19: green pools, imap, piles, local timers.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import greenlet
import pytest

import eventlet
from eventlet import greenthread, hubs

from tests.semantics.calls import error_of


class Failure(Exception):
    """What workers raise."""


# -- 16: re-entrant GreenPool.spawn runs inline when full; worker waitall asserts -------------


def test_semantic_16_a_full_pool_runs_what_its_own_worker_spawns_inline() -> None:
    pool = eventlet.GreenPool(1)
    seen: list[Any] = []

    def inner() -> str:
        seen.append(eventlet.getcurrent())
        return "inner"

    def outer() -> Any:
        thread = pool.spawn(inner)
        seen.append(eventlet.getcurrent())
        return thread

    nested = pool.spawn(outer).wait()

    assert seen[0] is seen[1]
    assert (nested.wait(), nested.dead) == ("inner", True)


def test_semantic_16_a_pool_with_room_does_not_run_inline() -> None:
    pool = eventlet.GreenPool(2)
    seen: list[Any] = []

    def outer() -> None:
        pool.spawn(lambda: seen.append(eventlet.getcurrent())).wait()
        seen.append(eventlet.getcurrent())

    pool.spawn(outer).wait()

    assert seen[0] is not seen[1]


def test_semantic_16_an_inline_exception_is_raised_in_the_worker() -> None:
    pool = eventlet.GreenPool(1)

    def fail() -> None:
        raise Failure

    def outer() -> str:
        with pytest.raises(Failure):
            pool.spawn(fail)
        return "went on"

    assert pool.spawn(outer).wait() == "went on"


def test_semantic_16_a_worker_of_another_pool_waits() -> None:
    full, other = eventlet.GreenPool(1), eventlet.GreenPool(1)
    blocker = eventlet.Event()
    ran: list[str] = []
    full.spawn(blocker.wait)

    spawner = other.spawn(full.spawn, ran.append, "late")
    eventlet.sleep(0)
    eventlet.sleep(0)
    waiting = full.waiting()
    blocker.send()
    spawner.wait().wait()

    assert (waiting, ran) == (1, ["late"])


def test_semantic_16_waitall_of_a_worker_asserts() -> None:
    pool = eventlet.GreenPool()
    worker = pool.spawn(error_of, pool.waitall)

    assert isinstance(worker.wait(), AssertionError)
    pool.waitall()


# -- 17: imap: ordered, resumable after an exception, look-ahead <= size + 1, private pool ----


def test_semantic_17_imap_gives_results_in_the_order_of_the_input() -> None:
    def late_for_early(number: int) -> int:
        eventlet.sleep(0.001 * (5 - number))
        return number

    assert list(eventlet.GreenPool(5).imap(late_for_early, range(5))) == [0, 1, 2, 3, 4]
    assert list(eventlet.GreenPool(2).starmap(pow, [(2, 3), (3, 2)])) == [8, 9]
    assert list(eventlet.GreenPool(2).imap(None, [1, 2], "ab")) == [(1, "a"), (2, "b")]


def test_semantic_17_imap_goes_on_after_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    def fail_at_one(number: int) -> int:
        if number == 1:
            raise Failure
        return number

    results = eventlet.GreenPool(2).imap(fail_at_one, range(4))
    seen: list[Any] = [next(results)]
    with pytest.raises(Failure):
        next(results)
    seen += list(results)

    assert seen == [0, 2, 3]
    assert "Failure" in capsys.readouterr().err


@pytest.mark.parametrize("size", [1, 4])
def test_semantic_17_imap_pulls_at_most_size_plus_one_ahead(size: int) -> None:
    pulled: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            pulled.append(number)
            yield number

    results = eventlet.GreenPool(size).imap(lambda number: number, numbers())
    at_once = len(pulled)
    for _ in range(20):
        eventlet.sleep(0)
    ahead = len(pulled)
    most = 0
    for taken, _ in enumerate(results, 1):
        eventlet.sleep(0)
        most = max(most, len(pulled) - taken)

    assert (at_once, ahead) == (0, size + 1)
    assert most <= size + 1


def test_semantic_17_imap_has_a_pool_of_its_own() -> None:
    pool = eventlet.GreenPool(1)
    blocker = eventlet.Event()
    pool.spawn(blocker.wait)
    running: list[int] = []

    def work(number: int) -> int:
        running.append(pool.running())
        return number

    results = list(pool.imap(work, range(3)))
    blocker.send()
    pool.waitall()

    assert (results, running) == ([0, 1, 2], [1, 1, 1])


def test_semantic_17_an_exception_of_the_input_reaches_the_consumer() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise Failure

    results = eventlet.GreenPool(2).imap(abs, broken())

    assert next(results) == 1
    with eventlet.Timeout(5), pytest.raises(Failure):
        next(results)


def test_semantic_17_the_end_stays_the_end_and_a_stop_iteration_is_a_value() -> None:
    results: Any = eventlet.GreenPool(2).imap(lambda _: StopIteration("value"), range(2))

    assert [str(result) for result in results] == ["value", "value"]
    with eventlet.Timeout(5):
        assert next(results, "end") == "end"
        assert next(results, "end") == "end"


def test_semantic_17_an_abandoned_imap_can_be_collected() -> None:
    results = eventlet.GreenPool(2).imap(abs, range(100))
    next(results)
    gone = weakref.ref(results)

    del results
    gc.collect()
    eventlet.sleep(0)

    assert gone() is None


# -- 18: free() can be negative; GreenPile rolls its count back on interrupted spawn ----------


def test_semantic_18_free_is_negative_after_a_pool_was_made_smaller() -> None:
    pool = eventlet.GreenPool(3)
    blocker = eventlet.Event()
    for _ in range(3):
        pool.spawn(blocker.wait)

    pool.resize(1)

    assert (pool.free(), pool.running(), pool.size) == (-2, 3, 1)
    blocker.send()
    pool.waitall()
    assert pool.free() == 1


def test_semantic_18_growing_lets_blocked_spawners_in() -> None:
    pool = eventlet.GreenPool(1)
    blocker = eventlet.Event()
    pool.spawn(blocker.wait)
    spawner = eventlet.spawn(pool.spawn, blocker.wait)
    eventlet.sleep(0)

    pool.resize(2)
    spawner.wait()

    assert pool.running() == 2
    blocker.send()
    pool.waitall()


def test_semantic_18_a_pile_rolls_its_count_back_when_a_spawn_is_interrupted() -> None:
    pile = eventlet.GreenPile(1)
    blocker = eventlet.Event()
    pile.spawn(blocker.wait)

    with pytest.raises(eventlet.Timeout), eventlet.Timeout(0.005):
        pile.spawn(pytest.fail, "it ran")
    blocker.send("result")

    assert pile.counter == 1
    with eventlet.Timeout(5):
        assert list(pile) == ["result"]


def test_semantic_18_a_pile_ends_when_all_is_consumed_and_can_be_filled_again() -> None:
    pile = eventlet.GreenPile()

    first = list(pile)
    pile.spawn(int, "7")
    pile.spawn(int, "8")

    assert (first, list(pile), list(pile)) == ([], [7, 8], [])


# -- 19: local timers die with the scheduling greenlet; global ones don't ----------------------


def test_semantic_19_local_timers_die_with_their_greenlet_and_global_ones_do_not() -> None:
    hub = hubs.get_hub()
    told: list[str] = []

    def schedule() -> None:
        hub.schedule_call_local(0.005, told.append, "local timer")
        hub.schedule_call_global(0.005, told.append, "global timer")
        greenthread.call_after_local(0.005, told.append, "local call")
        greenthread.call_after_global(0.005, told.append, "global call")
        eventlet.spawn_after(0.005, told.append, "global thread")
        greenthread.spawn_after_local(0.005, told.append, "local thread")

    eventlet.spawn(schedule).wait()
    eventlet.sleep(0.02)

    assert sorted(told) == ["global call", "global thread", "global timer"]


@pytest.mark.parametrize("seconds", [0, 0.005])
def test_semantic_19_local_timers_fire_while_their_greenlet_lives(seconds: float) -> None:
    hub = hubs.get_hub()
    told: list[str] = []

    def schedule() -> None:
        hub.schedule_call_local(seconds, told.append, "timer")
        greenthread.spawn_after_local(seconds, told.append, "thread")
        eventlet.sleep(seconds * 4)

    eventlet.spawn(schedule).wait()

    assert told == ["timer", "thread"]


def test_semantic_19_waiting_for_a_local_thread_that_never_started_ends() -> None:
    orphan = eventlet.spawn(greenthread.spawn_after_local, 0.005, pytest.fail, "it ran").wait()

    with eventlet.Timeout(5), pytest.raises(greenlet.GreenletExit):
        orphan.wait()


@pytest.mark.parametrize(
    "schedule", [eventlet.spawn_after, greenthread.spawn_after_local, greenthread.call_after_local]
)
def test_semantic_19_what_is_cancelled_in_time_does_not_happen(
    schedule: Callable[..., Any],
) -> None:
    schedule(0.005, pytest.fail, "it ran").cancel()

    eventlet.sleep(0.01)
