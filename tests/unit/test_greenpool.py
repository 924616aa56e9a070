"""Tests of `eventlet.greenpool`. Those of `imap` and `starmap` are in `test_imap.py`."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent

from eventlet import greenpool
from eventlet._core.current import get_hub
from eventlet.event import Event
from eventlet.greenpool import GreenMap, GreenPile, GreenPool
from eventlet.greenthread import sleep, spawn
from eventlet.semaphore import Semaphore

from tests.unit.actors import Actor, dismiss, settle


def fail(text: str = "failed") -> None:
    raise ValueError(text)


# --- construction -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 0, "5", 2.5])
def test_the_size_is_what_int_makes_of_it(size: Any) -> None:
    pool = GreenPool(size)

    assert (pool.size, pool.free(), pool.running(), pool.waiting()) == (int(size), int(size), 0, 0)


def test_the_usual_size_is_a_thousand() -> None:
    assert GreenPool().size == 1000


@pytest.mark.parametrize("size", ["many", None, []])
def test_a_size_that_is_no_number_is_refused(size: Any) -> None:
    with pytest.raises(TypeError):
        GreenPool(size)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, not -1"):
        GreenPool(-1)


# --- spawn ------------------------------------------------------------------------------


def test_spawn_gives_a_thread_with_the_result() -> None:
    pool = GreenPool(2)

    thread = pool.spawn(lambda a, b=0: (a, b), 1, b=2)

    assert thread.wait() == (1, 2)


def test_spawn_does_not_run_the_function_before_the_caller_yields() -> None:
    journal: list[int] = []
    pool = GreenPool(2)

    pool.spawn(journal.append, 1)
    pool.spawn_n(journal.append, 2)

    assert journal == []
    pool.waitall()
    assert journal == [1, 2]


def test_spawn_waits_while_the_pool_is_full() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    spawner = Actor("spawner", [], lambda: pool.spawn(sleep))
    assert (spawner.is_waiting, pool.waiting(), pool.free()) == (True, 1, 0)

    gate.send()
    pool.waitall()

    assert spawner.has_returned
    assert (pool.waiting(), pool.running(), pool.free()) == (0, 0, 1)


def test_never_more_than_the_size_run_at_once() -> None:
    pool = GreenPool(3)
    most: list[int] = []

    def work() -> None:
        most.append(pool.running())
        sleep(0)

    for _ in range(20):
        pool.spawn_n(work)
    pool.waitall()

    assert (len(most), max(most)) == (20, 3)


def test_an_interrupted_spawner_takes_no_place() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    spawner = Actor("spawner", [], lambda: pool.spawn(fail))

    gate.send()
    sleep(0)
    spawner.interrupt()
    settle()

    assert spawner.exc is not None
    assert (pool.free(), pool.running(), pool.waiting()) == (1, 0, 0)


def test_the_exception_of_a_spawned_function_is_raised_by_wait_and_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    thread = GreenPool(1).spawn(fail)

    with pytest.raises(ValueError, match="failed"):
        thread.wait()

    assert "ValueError: failed" in capsys.readouterr().err


def test_a_report_names_the_line_that_called_the_pool(capsys: pytest.CaptureFixture[str]) -> None:
    pool = GreenPool(2)
    pile = GreenPile(pool)

    pool.spawn(fail)
    pile.spawn(fail)
    pool.waitall()

    report = capsys.readouterr().err
    assert report.count("spawned at " + __file__) == 2


# --- a place comes free, whatever happens -----------------------------------------------


def test_a_place_comes_free_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    pool = GreenPool(1)
    pool.spawn(fail)
    pool.waitall()

    assert (pool.free(), pool.running()) == (1, 0)
    assert "ValueError" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["spawn", "spawn_n"])
def test_a_place_comes_free_when_a_thread_is_killed_before_it_starts(method: str) -> None:
    pool = GreenPool(1)
    getattr(pool, method)(fail)
    (thread,) = pool.coroutines_running

    thread.kill()

    assert (pool.free(), pool.running()) == (1, 0)
    pool.waitall()


@pytest.mark.parametrize("method", ["spawn", "spawn_n"])
def test_a_place_comes_free_when_a_running_thread_is_killed(method: str) -> None:
    pool = GreenPool(1)
    getattr(pool, method)(Event().wait)
    sleep(0)
    (thread,) = pool.coroutines_running

    thread.kill()

    assert (pool.free(), pool.running()) == (1, 0)


def test_a_place_comes_free_when_no_thread_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = GreenPool(1)

    def no_memory(*_args: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(greenpool, "GreenThread", no_memory)
        with pytest.raises(MemoryError):
            pool.spawn(sleep)

    assert pool.free() == 1
    pool.spawn(sleep)
    pool.waitall()


def test_everybody_in_the_pool_can_be_killed_through_it() -> None:
    pool = GreenPool(10)
    for _ in range(5):
        pool.spawn_n(Event().wait)
    sleep(0)

    for thread in list(pool.coroutines_running):
        thread.kill()

    assert (pool.free(), pool.running()) == (10, 0)


# --- re-entrance ------------------------------------------------------------------------


def test_a_full_pool_runs_what_its_own_thread_spawns_at_once() -> None:
    pool = GreenPool(1)

    def outer() -> Any:
        thread = pool.spawn(getcurrent)
        return thread.wait() is getcurrent(), thread.dead, thread is getcurrent(), pool.running()

    assert pool.spawn(outer).wait() == (True, True, False, 1)
    assert pool.free() == 1


def test_an_exception_of_a_nested_spawn_is_raised_in_the_caller() -> None:
    pool = GreenPool(1)

    def outer() -> str:
        with pytest.raises(ValueError, match="nested"):
            pool.spawn(fail, "nested")
        return "caught"

    assert pool.spawn(outer).wait() == "caught"


def test_a_nested_spawn_n_drops_the_exception(capsys: pytest.CaptureFixture[str]) -> None:
    pool = GreenPool(1)

    assert pool.spawn(pool.spawn_n, fail, "nested").wait() is None

    assert "ValueError: nested" in capsys.readouterr().err


def test_a_pool_with_room_does_not_run_nested_functions_in_place() -> None:
    pool = GreenPool(2)

    def outer() -> bool:
        return pool.spawn(getcurrent).wait() is getcurrent()

    assert pool.spawn(outer).wait() is False


def test_recursion_deeper_than_the_pool_ends() -> None:
    pool = GreenPool(3)
    visited: list[int] = []

    def visit(depth: int) -> None:
        visited.append(depth)
        if depth:
            for _ in range(2):
                pool.spawn_n(visit, depth - 1)

    pool.spawn_n(visit, 5)
    pool.waitall()

    assert len(visited) == 63


# --- spawn_n ----------------------------------------------------------------------------


def test_spawn_n_returns_nothing_and_prints_exceptions(capsys: pytest.CaptureFixture[str]) -> None:
    pool = GreenPool(1)

    assert pool.spawn_n(fail) is None  # type: ignore[func-returns-value]  # that is the point
    pool.waitall()

    assert "ValueError: failed" in capsys.readouterr().err


def test_without_debug_exceptions_of_spawn_n_are_dropped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greenpool, "DEBUG", False)
    pool = GreenPool(1)

    pool.spawn_n(fail)
    pool.waitall()

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_spawn_n_reaches_the_main_green_thread(kind: type[BaseException]) -> None:
    pool = GreenPool(1)

    def leave() -> None:
        raise kind

    pool.spawn_n(leave)

    with pytest.raises(kind):
        pool.waitall()
    assert pool.free() == 1


def test_a_clean_exit_in_spawn_n_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    pool = GreenPool(1)

    def leave() -> None:
        raise GreenletExit

    pool.spawn_n(leave)
    pool.waitall()

    assert capsys.readouterr().err == ""


# --- waitall ----------------------------------------------------------------------------


def test_waitall_of_an_idle_pool_returns_at_once() -> None:
    GreenPool(0).waitall()
    pool = GreenPool(1)
    pool.spawn(sleep).wait()

    pool.waitall()


def test_waitall_waits_for_those_who_wait_to_enter() -> None:
    pool = GreenPool(1)
    journal: list[int] = []

    def work(number: int) -> None:
        sleep(0)
        journal.append(number)

    spawners = [spawn(pool.spawn_n, work, number) for number in range(5)]
    sleep(0)

    pool.waitall()

    assert sorted(journal) == list(range(5))
    assert [spawner.wait() for spawner in spawners] == [None] * 5


def test_everybody_in_waitall_is_woken() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    actors = [Actor(str(number), [], pool.waitall) for number in range(3)]
    settle()
    assert [actor.is_waiting for actor in actors] == [True] * 3

    gate.send()
    settle()

    assert [actor.has_returned for actor in actors] == [True] * 3


def test_waitall_returns_when_the_last_spawner_gives_up() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    spawner = Actor("spawner", [], lambda: pool.spawn(sleep))
    waiter = Actor("waiter", [], pool.waitall)

    gate.send()
    sleep(0)
    spawner.interrupt()
    settle()

    assert waiter.has_returned


def test_waitall_inside_the_pool_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    pool = GreenPool(2)

    with pytest.raises(AssertionError, match="will never terminate"):
        pool.spawn(pool.waitall).wait()

    assert "AssertionError" in capsys.readouterr().err


def test_no_coros_running_is_sent_when_the_pool_becomes_idle() -> None:
    pool = GreenPool(1)
    for _ in range(2):
        pool.spawn(sleep)
        event = pool.no_coros_running
        assert not event.ready()

        event.wait()

        assert pool.running() == 0


def test_another_os_thread_can_use_the_pool() -> None:
    pool = GreenPool(2)
    gate = Event()
    pool.spawn(gate.wait)
    pool.spawn(gate.wait)
    journal: list[int] = []

    def work_there() -> None:
        gate.send()
        for number in range(10):
            pool.spawn(journal.append, number)
        pool.waitall()
        done.send(list(journal))

    done = Event()
    thread = threading.Thread(target=work_there)
    thread.start()

    assert done.wait(20) == list(range(10))
    pool.waitall()
    assert pool.free() == 2
    thread.join(20)  # its hub ends with it


# --- resize -----------------------------------------------------------------------------


def test_a_pool_that_grows_lets_waiting_spawners_in() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    actors = [Actor(str(number), [], lambda: pool.spawn(gate.wait)) for number in range(3)]

    pool.resize(3)
    settle()

    assert (pool.running(), pool.waiting(), pool.size) == (3, 1, 3)
    gate.send()
    pool.waitall()
    assert [actor.has_returned for actor in actors] == [True] * 3


def test_a_pool_that_shrinks_throws_nobody_out() -> None:
    pool = GreenPool(4)
    gate = Event()
    for _ in range(4):
        pool.spawn(gate.wait)

    pool.resize(1)

    assert (pool.free(), pool.running(), pool.size) == (-3, 4, 1)
    gate.send()
    pool.waitall()
    assert pool.free() == 1


def test_a_shrunk_pool_lets_nobody_in_before_it_fits() -> None:
    pool = GreenPool(2)
    gates = [Event(), Event()]
    for gate in gates:
        pool.spawn(gate.wait)
    pool.resize(1)
    spawner = Actor("spawner", [], lambda: pool.spawn(sleep))

    gates[0].send()
    settle()
    assert spawner.is_waiting

    gates[1].send()
    settle()
    assert spawner.has_returned


def test_a_pool_cannot_shrink_below_nothing() -> None:
    pool = GreenPool(2)

    with pytest.raises(ValueError, match="at least 0, not -1"):
        pool.resize(-1)
    assert (pool.size, pool.free()) == (2, 2)


def test_in_a_pool_of_size_0_spawn_waits() -> None:
    pool = GreenPool(0)
    spawner = Actor("spawner", [], lambda: pool.spawn(sleep))
    assert spawner.is_waiting

    pool.resize(1)
    settle()

    assert spawner.has_returned


def test_the_places_are_a_semaphore() -> None:
    assert isinstance(GreenPool(3).sem, Semaphore)


@pytest.mark.slow
def test_a_pool_under_kills_keeps_its_places() -> None:
    chance = random.Random(1)
    pool = GreenPool(5)

    def work() -> None:
        for _ in range(chance.randrange(3)):
            sleep(0)

    spawners = [Actor(str(number), [], lambda: pool.spawn(work)) for number in range(5)]
    for _ in range(500):
        victims = [*pool.coroutines_running, *(s.thread for s in spawners if s.is_waiting)]
        if victims:
            chance.choice(victims).kill()
        spawners += [Actor("next", [], lambda: pool.spawn(work)) for _ in range(2)]
    dismiss(spawners)
    pool.waitall()

    assert (pool.free(), pool.running(), pool.waiting()) == (5, 0, 0)


# --- GreenPile --------------------------------------------------------------------------


def test_a_pile_gives_results_in_the_order_of_spawning() -> None:
    pile = GreenPile(10)

    def work(passes: int) -> int:
        for _ in range(passes):
            sleep(0)
        return passes

    for passes in (3, 1, 2):
        pile.spawn(work, passes)

    assert list(pile) == [3, 1, 2]


def test_an_empty_pile_ends_at_once() -> None:
    assert list(GreenPile()) == []


def test_a_pile_can_be_filled_again() -> None:
    pile = GreenPile(2)
    pile.spawn(int, "1")
    assert list(pile) == [1]

    pile.spawn(int, "2")

    assert (list(pile), pile.counter) == ([2], 0)


def test_next_by_its_old_name() -> None:
    pile = GreenPile(2)
    pile.spawn(int, "1")

    assert pile.next() == 1
    with pytest.raises(StopIteration):
        pile.next()


def test_an_exception_is_raised_at_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    pile = GreenPile(5)
    for text in ["1", "x", "3"]:
        pile.spawn(int, text)

    assert next(pile) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(pile)
    assert next(pile) == 3
    with pytest.raises(StopIteration):
        next(pile)
    assert "ValueError" in capsys.readouterr().err


def test_piles_share_a_pool() -> None:
    pool = GreenPool(2)
    piles = [GreenPile(pool) for _ in range(3)]
    for number, pile in enumerate(piles):
        for text in "ab":
            pile.spawn(lambda *args: args, number, text)

    assert [list(pile) for pile in piles] == [[(n, "a"), (n, "b")] for n in range(3)]
    assert all(pile.pool is pool for pile in piles)


def test_a_pile_keeps_to_the_size_of_its_pool() -> None:
    pile = GreenPile(2)
    most: list[int] = []

    def work() -> None:
        most.append(pile.pool.running())
        sleep(0)

    for _ in range(8):
        pile.spawn(work)

    assert list(pile) == [None] * 8
    assert max(most) == 2


def test_a_spawn_that_fails_is_not_counted() -> None:
    pile = GreenPile(1)
    gate = Event()
    pile.spawn(gate.wait)
    spawner = Actor("spawner", [], lambda: pile.spawn(int))
    assert pile.counter == 2

    spawner.interrupt()
    settle()

    assert pile.counter == 1
    gate.send("result")
    assert list(pile) == ["result"]


def test_who_waits_for_a_spawn_that_fails_is_told_the_end() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    pile = GreenPile(pool)
    spawner = Actor("spawner", [], lambda: pile.spawn(int))
    reader = Actor("reader", [], lambda: list(pile))
    assert reader.is_waiting

    spawner.interrupt()
    settle()

    assert reader.value == []
    gate.send()
    pool.waitall()


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_reader_that_is_interrupted_loses_no_result(is_finished: bool) -> None:
    pile = GreenPile(2)
    gates = [Event(), Event()]
    for gate in gates:
        pile.spawn(gate.wait)
    reader = Actor("reader", [], lambda: next(pile))
    if is_finished:
        gates[0].send("first")
        sleep(0)

    reader.interrupt()
    settle()
    for number, gate in enumerate(gates[is_finished:], start=is_finished):
        gate.send(["first", "second"][number])

    assert reader.exc is not None
    assert list(pile) == ["first", "second"]


def test_a_reader_that_is_interrupted_before_a_spawn_loses_nothing() -> None:
    pool = GreenPool(1)
    gate = Event()
    pool.spawn(gate.wait)
    pile = GreenPile(pool)
    spawner = Actor("spawner", [], lambda: pile.spawn(int))
    reader = Actor("reader", [], lambda: next(pile))

    reader.interrupt()
    settle()
    gate.send()
    settle()

    assert spawner.has_returned
    assert list(pile) == [0]


def test_a_killed_worker_raises_at_its_place() -> None:
    pile = GreenPile(2)
    pile.spawn(Event().wait)
    pile.spawn(int)
    (victim, _) = pile.waiters.queue

    victim.kill()

    with pytest.raises(GreenletExit):
        next(pile)
    assert next(pile) == 0


def test_the_hub_is_left_with_nothing() -> None:
    pool = GreenPool(3)
    for _ in range(10):
        pool.spawn(sleep)
    pool.waitall()

    assert [thread for thread in get_hub().threads if thread in pool.coroutines_running] == []


# --- GreenMap ---------------------------------------------------------------------------


def test_a_map_is_read_while_it_is_filled_and_ends_where_it_was_told() -> None:
    results = GreenMap(2)

    def fill() -> None:
        for number in range(6):
            results.spawn(int, number)
        results.done_spawning()

    spawn(fill)

    assert list(results) == [0, 1, 2, 3, 4, 5]
    assert list(results) == []


def test_no_more_results_of_a_map_are_unread_than_the_pool_has_places() -> None:
    results = GreenMap(2)
    spawned: list[int] = []

    def fill() -> None:
        for number in range(4):
            results.spawn(int, number)
            spawned.append(number)

    filler = spawn(fill)
    settle()
    assert spawned == [0, 1]

    assert next(results) == 0
    settle()
    assert spawned == [0, 1, 2]

    assert [next(results) for _ in range(3)] == [1, 2, 3]
    filler.wait()
    assert results.counter == 0


def test_a_reader_of_an_empty_map_waits_for_more_or_the_end() -> None:
    results = GreenMap(1)
    readers = [Actor(str(number), [], lambda: next(results, "end")) for number in range(3)]
    assert [reader.is_waiting for reader in readers] == [True] * 3

    results.spawn(int, 7)
    results.done_spawning()
    settle()

    assert [reader.value for reader in readers] == [7, "end", "end"]


def test_a_failure_in_a_map_is_raised_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    results = GreenMap(3)
    for text in ("1", "one", "3"):
        results.spawn(int, text)
    results.done_spawning()

    assert next(results) == 1
    with pytest.raises(ValueError, match="one"):
        next(results)
    assert list(results) == [3]
    assert "ValueError" in capsys.readouterr().err


def test_an_interrupted_reader_of_a_map_loses_no_result() -> None:
    results = GreenMap(1)
    event = Event()
    results.spawn(event.wait)
    reader = Actor("reader", [], lambda: next(results))

    reader.interrupt()
    settle()
    event.send("kept")
    results.done_spawning()

    assert reader.exc is not None
    assert list(results) == ["kept"]


def test_an_interrupted_spawner_of_a_map_leaves_no_place_taken() -> None:
    pool = GreenPool(1)
    event = Event()
    pool.spawn(event.wait)
    results = GreenMap(pool)
    spawner = Actor("spawner", [], lambda: results.spawn(int, 1))

    spawner.interrupt()
    settle()
    event.send()
    results.spawn(int, 2)
    results.done_spawning()

    assert list(results) == [2]
