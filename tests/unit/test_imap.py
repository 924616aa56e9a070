"""Tests of `GreenPool.imap` and `starmap`, and of the workers behind them (trap 10)."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import io
import resource
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from greenlet import GreenletExit, getcurrent
from hypothesis import given
from hypothesis import strategies as st

from eventlet._core.current import get_hub
from eventlet._core.thread import GreenThread, throw_into
from eventlet._unpatched import start_new_thread
from eventlet.corolocal import local
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import kill, sleep, spawn
from eventlet.queue import Queue
from eventlet.timeout import Timeout

from tests.depth import games
from tests.unit.actors import Actor, settle


def same(value: Any) -> Any:
    return value


def same_later(value: Any) -> Any:
    sleep(0)
    return value


class Source:
    """An endless input that knows how far it was read, by whom, and whether it was closed."""

    def __init__(self, end: int | None = None) -> None:
        self.pulled = 0
        self.readers: set[int] = set()
        self.is_closed = False
        self._end = end

    def __iter__(self) -> Iterator[int]:
        try:
            while self._end is None or self.pulled < self._end:
                self.readers.add(id(getcurrent()))
                self.pulled += 1
                yield self.pulled - 1
        finally:
            self.readers.add(id(getcurrent()))
            self.is_closed = True


def items_of(gates: Queue[int]) -> Iterator[int]:
    while True:
        yield gates.get()


# --- order and end ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 4, 1000])
@pytest.mark.parametrize("function", [same, same_later])
def test_results_come_in_the_order_of_the_input(size: int, function: Callable[[Any], Any]) -> None:
    assert list(GreenPool(size).imap(function, range(50))) == list(range(50))


def test_results_wait_for_their_turn() -> None:
    gates = [Event() for _ in range(4)]
    results = GreenPool(4).imap(lambda gate: gate.wait(), gates)
    first = Actor("first", [], lambda: next(results))

    for number in (3, 2, 1):
        gates[number].send(number)
    settle()
    assert first.is_waiting
    gates[0].send(0)
    settle()

    assert first.value == 0
    assert list(results) == [1, 2, 3]


def test_several_inputs_are_taken_together() -> None:
    assert list(GreenPool(2).imap(lambda a, b: a + b, "abc", "xy")) == ["ax", "by"]


def test_no_function_gives_the_items_as_tuples() -> None:
    assert list(GreenPool(2).imap(None, [1, 2], [3, 4])) == [(1, 3), (2, 4)]
    assert list(GreenPool(2).starmap(None, [(1, 2), "ab"])) == [(1, 2), ("a", "b")]


def test_starmap_unpacks_each_item() -> None:
    assert list(GreenPool(2).starmap(pow, [(2, 3), (3, 2)])) == [8, 9]


def test_an_input_without_items_ends_at_once() -> None:
    assert list(GreenPool(2).imap(same, [])) == []
    assert list(GreenPool(2).imap(same)) == []
    assert list(GreenPool(0).imap(same, [])) == []


def test_after_the_end_it_is_the_end_again() -> None:
    results = GreenPool(2).imap(same, [1])

    assert (results.next(), next(results, "end"), next(results, "end")) == (1, "end", "end")
    with pytest.raises(StopIteration):
        results.next()


def test_the_results_are_their_own_iterator() -> None:
    results = GreenPool(2).imap(same, [1])

    assert iter(results) is results
    assert list(results) == [1]


@pytest.mark.parametrize("call", [GreenPool(2).imap, GreenPool(2).starmap])
def test_what_is_not_iterable_is_refused_at_the_call(call: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="iter"):
        call(same, 5)


def test_a_pool_without_places_cannot_map() -> None:
    results = GreenPool(0).imap(same, [1, 2])

    with pytest.raises(ValueError, match="imap needs at least 1"):
        next(results)
    assert list(results) == []


def test_a_job_may_map_itself() -> None:
    pool = GreenPool(2)

    def work(number: int) -> int:
        return sum(pool.imap(same_later, range(number)))

    assert list(pool.imap(work, range(6))) == [0, 0, 1, 3, 6, 10]


# --- how far ahead ----------------------------------------------------------------------


def test_nothing_is_pulled_before_the_caller_yields() -> None:
    source = Source()

    results = GreenPool(4).imap(same, source)

    assert source.pulled == 0
    assert next(results) == 0


@pytest.mark.parametrize("function", [same, lambda _: Event().wait()])
@pytest.mark.parametrize("size", [1, 4])
def test_an_idle_consumer_lets_size_plus_one_be_pulled(
    size: int, function: Callable[[Any], Any]
) -> None:
    before = set(get_hub().threads)
    source = Source()
    results = GreenPool(size).imap(function, source)

    settle()
    settle()

    assert source.pulled == size + 1
    del results
    settle()
    for thread in set(get_hub().threads) - before:
        kill(thread)


@pytest.mark.parametrize("function", [same, same_later])
def test_never_more_than_size_plus_one_are_ahead(function: Callable[[Any], Any]) -> None:
    source = Source(end=200)
    ahead = []

    for taken, _ in enumerate(GreenPool(4).imap(function, source)):
        sleep(0)
        ahead.append(source.pulled - taken - 1)

    assert max(ahead) == 5


def test_never_more_than_the_size_run_at_once_and_the_size_is_reached() -> None:
    running: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        running.append(number)
        most.append(len(running))
        while len(most) < 20:
            sleep(0)
        sleep(0.001)
        running.remove(number)

    with Timeout(20):
        list(GreenPool(20).imap(work, range(100)))

    assert max(most) == 20


def test_the_places_of_the_pool_are_not_used() -> None:
    pool = GreenPool(2)
    gate = Event()
    for _ in range(2):
        pool.spawn(gate.wait)
    seen = list(pool.imap(lambda _: (pool.running(), pool.free()), range(3)))

    assert seen == [(2, 0)] * 3
    gate.send()
    pool.waitall()


def test_the_input_is_read_by_one_green_thread() -> None:
    source = Source(end=100)

    list(GreenPool(4).imap(same_later, source))

    assert source.is_closed
    assert len(source.readers) == 1
    assert id(getcurrent()) not in source.readers


def test_an_input_that_waits_holds_nobody_up() -> None:
    gates: Queue[int] = Queue()
    results = GreenPool(4).imap(same, items_of(gates))
    for number in range(5):
        gates.put(number)
        assert next(results) == number


# --- errors -----------------------------------------------------------------------------


def fail_at_two(value: int) -> int:
    if value == 2:
        raise ValueError("at two")
    return value


@pytest.mark.parametrize("size", [1, 3])
def test_an_error_comes_at_its_place_and_iteration_goes_on(
    size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    results = GreenPool(size).imap(fail_at_two, range(5))

    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="at two") as caught:
        next(results)
    assert list(results) == [3, 4]
    assert "fail_at_two" in [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert capsys.readouterr().err.count("ValueError: at two") == 1


def test_the_report_of_an_error_names_who_called_imap(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError):
        list(GreenPool(2).imap(fail_at_two, [2]))

    assert "spawned at " + __file__ in capsys.readouterr().err


def test_wrong_arguments_are_an_error_at_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    results = GreenPool(2).starmap(pow, [(2, 3), 5, (3, 2)])  # type: ignore[list-item]  # on purpose

    assert next(results) == 8
    with pytest.raises(TypeError):
        next(results)
    assert next(results) == 9
    assert "TypeError" in capsys.readouterr().err
    assert list(results) == []


def broken_source() -> Iterator[int]:
    yield 0
    yield 1
    raise KeyError("source")


@pytest.mark.parametrize("size", [1, 2, 10])
def test_an_error_of_the_input_is_raised_after_the_last_result(size: int) -> None:
    results = GreenPool(size).imap(same_later, broken_source())

    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError, match="source") as caught:
        next(results)
    assert list(results) == []
    assert "broken_source" in [frame.name for frame in traceback.extract_tb(caught.tb)]


def test_a_stop_iteration_is_a_result_like_any_other() -> None:
    results = list(GreenPool(2).imap(StopIteration, range(3)))

    assert [result.value for result in results] == [0, 1, 2]


def test_a_function_that_raises_stop_iteration_does_not_end_the_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = GreenPool(2).imap(next, [iter([1]), iter([]), iter([3])])

    assert next(results) == 1
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        next(results)
    assert list(results) == [3]
    assert "RuntimeError" in capsys.readouterr().err


def test_a_job_that_is_killed_raises_at_its_place() -> None:
    threads: list[Any] = []

    def work(number: int) -> int:
        threads.append(getcurrent())
        sleep(0)
        sleep(0)
        return number

    results = GreenPool(3).imap(work, range(3))
    sleep(0)
    sleep(0)
    sleep(0)
    kill(threads[1])

    assert next(results) == 0
    with pytest.raises(GreenletExit):
        next(results)
    assert list(results) == [2]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_job_reaches_the_main_green_thread(kind: type[BaseException]) -> None:
    def leave(_: int) -> None:
        raise kind

    results = GreenPool(2).imap(leave, [1])

    with pytest.raises(kind):
        sleep(1)
    with pytest.raises(kind):
        next(results)


def test_an_exit_in_the_input_reaches_the_main_green_thread() -> None:
    def leaving() -> Iterator[int]:
        raise KeyboardInterrupt
        yield 1

    results = GreenPool(2).imap(same, leaving())

    with pytest.raises(KeyboardInterrupt):
        sleep(1)
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert list(results) == []


# --- consumers --------------------------------------------------------------------------


@pytest.mark.parametrize("is_done", [False, True])
def test_an_interrupted_consumer_loses_no_result(is_done: bool) -> None:
    gates = [Event(), Event()]
    results = GreenPool(2).imap(lambda gate: gate.wait(), gates)
    consumer = Actor("consumer", [], lambda: next(results))
    settle()
    if is_done:
        gates[0].send("first")
        sleep(0)

    consumer.interrupt()
    settle()

    assert consumer.exc is not None
    if not is_done:
        gates[0].send("first")
    gates[1].send("second")
    assert list(results) == ["first", "second"]


def test_a_timeout_in_next_loses_no_result() -> None:
    gate = Event()
    results = GreenPool(2).imap(lambda _: gate.wait(), [1])
    with pytest.raises(Timeout), Timeout(0.001):
        next(results)

    gate.send("result")

    assert list(results) == ["result"]


def test_several_consumers_share_the_results_in_the_order_of_their_arrival() -> None:
    gates = [Event() for _ in range(3)]
    results = GreenPool(3).imap(lambda gate: gate.wait(), gates)
    consumers = [Actor(str(number), [], lambda: next(results, "end")) for number in range(5)]

    for number in (2, 1, 0):
        gates[number].send(number)
    settle()
    settle()

    assert [consumer.value for consumer in consumers] == [0, 1, 2, "end", "end"]


def test_a_consumer_that_dies_when_its_result_is_there_lets_the_next_have_it() -> None:
    gate = Event()
    results = GreenPool(3).imap(lambda gate: gate.wait(), [gate])
    dying, heir = (Actor(name, [], lambda: next(results)) for name in ("dying", "heir"))
    settle()

    gate.send("result")
    sleep(0)
    dying.interrupt()
    settle()

    assert dying.exc is not None
    assert heir.value == "result"


def test_a_callback_of_the_hub_cannot_wait_for_a_result() -> None:
    results = GreenPool(2).imap(same_later, [1])
    outcome = Event()

    def in_the_hub() -> None:
        try:
            next(results)
        except RuntimeError as exc:
            outcome.send(str(exc))

    get_hub().call_soon(in_the_hub)

    assert outcome.wait().startswith("do not call blocking functions from the mainloop")
    assert list(results) == [1]


def test_another_os_thread_can_consume() -> None:
    results = GreenPool(3).imap(same_later, range(100))
    taken: Queue[list[int]] = Queue()

    start_new_thread(lambda: taken.put(list(results)), ())

    assert taken.get(timeout=20) == list(range(100))


def test_a_place_taken_just_before_the_producer_parks_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = get_hub()
    make_ticket = hub.ticket
    source = Source()
    results = GreenPool(1).imap(same, source)
    taken: list[int] = []

    def take_then_make_ticket() -> Any:
        """What another OS thread could do between the producer's look and its park."""
        monkeypatch.undo()
        taken.append(next(results))
        return make_ticket()

    settle()
    assert (source.pulled, next(results)) == (2, 0)
    monkeypatch.setattr(hub, "ticket", take_then_make_ticket)
    settle()

    assert taken == [1]
    assert source.pulled == 4


# --- abandoned iterators ----------------------------------------------------------------


def test_an_abandoned_iterator_ends_producer_and_workers() -> None:
    before = set(get_hub().threads)
    source = Source()
    results = GreenPool(4).imap(same_later, source)
    assert next(results) == 0
    iterator = weakref.ref(results)

    del results
    settle()
    settle()

    assert iterator() is None
    assert source.is_closed
    assert len(source.readers) == 1
    assert set(get_hub().threads) == before
    pulled = source.pulled
    settle()
    assert source.pulled == pulled


def test_an_iterator_abandoned_at_once_pulls_nothing() -> None:
    before = set(get_hub().threads)
    source = Source()

    GreenPool(4).imap(same, source)
    settle()

    assert source.pulled == 0
    assert set(get_hub().threads) == before


def test_an_iterator_abandoned_while_the_input_waits_ends_it() -> None:
    ended = Event()

    def waiting() -> Iterator[int]:
        try:
            yield 1
            Event().wait()
        finally:
            ended.send()

    results = GreenPool(4).imap(same, waiting())
    assert next(results) == 1
    sleep(0)

    del results
    settle()

    assert ended.ready()


def test_running_jobs_of_an_abandoned_iterator_finish_and_no_other_starts() -> None:
    gate = Event()
    started: list[int] = []
    finished: list[int] = []

    def work(number: int) -> None:
        started.append(number)
        gate.wait()
        finished.append(number)

    results = GreenPool(2).imap(work, range(10))
    settle()
    assert started == [0, 1]

    del results
    gate.send()
    settle()

    assert (started, finished) == ([0, 1], [0, 1])


def test_a_killed_consumer_abandons_its_iterator() -> None:
    before = set(get_hub().threads)
    source = Source()

    def consume() -> None:
        for _ in GreenPool(3).imap(same_later, source):
            sleep(0)

    consumer = spawn(consume)
    settle()

    consumer.kill()
    gc.collect()
    settle()

    assert source.is_closed
    assert set(get_hub().threads) == before


def test_an_iterator_in_a_cycle_is_collected() -> None:
    source = Source()
    cycle: list[Any] = [GreenPool(3).imap(same, source)]
    cycle.append(cycle)
    assert next(cycle[0]) == 0

    del cycle
    gc.collect()
    settle()

    assert source.is_closed


def test_an_iterator_dropped_in_another_os_thread_is_abandoned_at_home() -> None:
    source = Source()
    box = [GreenPool(3).imap(same_later, source)]
    assert next(box[0]) == 0
    done = Event()

    def drop() -> None:
        box.clear()
        done.send()

    start_new_thread(drop, ())
    done.wait(10)
    settle()
    settle()

    assert source.is_closed


def test_a_finished_iterator_leaves_no_green_thread() -> None:
    before = set(get_hub().threads)

    results = GreenPool(10).imap(same_later, range(100))
    assert len(list(results)) == 100

    assert set(get_hub().threads) == before


# --- trap 10: workers are used again, and nobody can tell --------------------------------


def workers_used(function: Callable[[int], Any], count: int = 10) -> int:
    """Map `function` one job at a time; return how many green threads did the jobs."""
    made: list[int] = []
    original = GreenThread.__init__

    def noting(self: GreenThread, *args: Any, **kwargs: Any) -> None:
        made.append(1)
        original(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GreenThread, "__init__", noting)
        list(GreenPool(1).imap(function, range(count)))
    return len(made) - 1  # one is the producer


@pytest.mark.parametrize("function", [same, same_later, lambda _: getcurrent() and None])
def test_trap_10_a_worker_is_used_again(function: Callable[[int], Any]) -> None:
    assert workers_used(function) == 1


def test_trap_10_a_worker_is_used_again_after_a_timeout_that_was_cancelled() -> None:
    def work(_: int) -> None:
        with Timeout(10):
            sleep(0)

    assert workers_used(work) == 1


def test_trap_10_a_kept_reference_ends_the_worker() -> None:
    kept: list[Any] = []

    assert workers_used(lambda _: kept.append(getcurrent())) == 10
    assert [thread.dead for thread in kept] == [True] * 10
    assert len({id(thread) for thread in kept}) == 10


def test_trap_10_a_kept_thread_has_the_outcome_of_its_job(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept: list[Any] = []

    def work(number: int) -> int:
        kept.append(getcurrent())
        return fail_at_two(number)

    results = GreenPool(1).imap(work, range(4))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="at two"):
        next(results)
    assert list(results) == [3]

    assert [kept[0].wait(), kept[1].wait(), kept[3].wait()] == [0, 1, 3]
    with pytest.raises(ValueError, match="at two"):
        kept[2].wait()
    assert capsys.readouterr().err.count("ValueError: at two") == 1


def test_trap_10_a_reference_as_the_result_ends_the_worker() -> None:
    threads = list(GreenPool(1).imap(lambda _: getcurrent(), range(5)))

    assert len(set(threads)) == 5


def test_trap_10_a_weak_reference_ends_the_worker() -> None:
    kept: list[Any] = []

    assert workers_used(lambda _: kept.append(weakref.ref(getcurrent()))) == 10


def test_trap_10_a_reference_in_a_traceback_ends_the_worker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(number: int) -> None:
        me = getcurrent()
        raise ValueError(number, me.dead)

    results = GreenPool(1).imap(work, range(3))
    caught = []
    for _ in range(3):
        with pytest.raises(ValueError) as info:
            next(results)
        caught.append(info.value)

    frames = [frame for exc in caught for frame, _ in traceback.walk_tb(exc.__traceback__)]
    threads = [frame.f_locals["me"] for frame in frames if "me" in frame.f_locals]
    assert len(set(threads)) == 3
    assert capsys.readouterr().err.count("ValueError: (") == 3


def test_trap_10_a_link_ends_the_worker_and_is_told_the_outcome() -> None:
    told: list[Any] = []

    def work(number: int) -> int:
        thread: Any = getcurrent()
        thread.link(lambda ended: told.append(ended.wait()))
        return number

    assert workers_used(work, 5) == 5
    assert told == [0, 1, 2, 3, 4]


def test_trap_10_a_timeout_that_was_left_does_not_reach_the_next_job() -> None:
    left: list[Timeout] = []

    def work(number: int) -> int:
        if number == 0:
            left.append(Timeout(0.005))
        else:
            sleep(0.01)
        return number

    assert list(GreenPool(1).imap(work, range(3))) == [0, 1, 2]
    assert workers_used(lambda number: left.append(Timeout(10)), 3) == 3
    for timeout in left:
        timeout.cancel()


def test_trap_10_a_late_kill_does_not_reach_the_next_job() -> None:
    victims: list[Any] = []

    def work(number: int) -> int:
        if number == 0:
            victims.append(getcurrent())
        else:
            kill(victims[0])
        return number

    assert list(GreenPool(1).imap(work, range(3))) == [0, 1, 2]


def test_trap_10_attributes_of_the_green_thread_are_not_seen_by_the_next_job() -> None:
    def work(number: int) -> Any:
        thread: Any = getcurrent()
        before = getattr(thread, "label", None)
        thread.label = number
        return before

    assert list(GreenPool(1).imap(work, range(5))) == [None] * 5


def test_trap_10_locals_are_empty_for_each_job_and_the_worker_is_used_again() -> None:
    mine = local()

    def work(number: int) -> Any:
        before = getattr(mine, "x", None)
        mine.x = number
        return before

    assert list(GreenPool(1).imap(work, range(5))) == [None] * 5
    assert workers_used(work) == 1


def test_trap_10_values_of_locals_go_with_their_job() -> None:
    mine = local()
    alive: weakref.WeakSet[Source] = weakref.WeakSet()

    def work(_: int) -> int:
        mine.thing = Source()
        alive.add(mine.thing)
        return len(alive)

    assert list(GreenPool(1).imap(work, range(5))) == [1] * 5


def test_trap_10_each_job_has_a_copy_of_the_context_of_the_caller() -> None:
    variable = contextvars.ContextVar("variable", default="default")

    def work(number: int) -> str:
        before = variable.get()
        variable.set(f"job {number}")
        sleep(0)
        return f"{before}, then {variable.get()}"

    def call() -> Any:
        variable.set("caller")
        results = GreenPool(1).imap(work, range(2))
        variable.set("later")
        return list(results), variable.get()

    assert spawn(call).wait() == (
        ["caller, then job 0", "caller, then job 1"],
        "later",
    )


def test_trap_10_each_job_has_a_name_of_its_own() -> None:
    def work(_: int) -> Any:
        thread: Any = getcurrent()
        return thread.name

    names = list(GreenPool(1).imap(work, range(5)))

    assert len(set(names)) == 5


def test_trap_10_a_worker_keeps_nothing_of_its_last_job() -> None:
    alive: weakref.WeakSet[Source] = weakref.WeakSet()

    def work(thing: Source) -> Source:
        alive.add(thing)
        return thing

    def things() -> Iterator[tuple[Source]]:
        for _ in range(3):
            yield (Source(),)
        Event().wait()

    results = GreenPool(2).starmap(work, things())
    for _ in range(3):
        next(results)
    sleep(0)

    assert len(alive) == 0


def resting_worker(before: set[Any]) -> Any:
    """Find the one green thread, new since `before`, that waits for a job."""
    (worker,) = (
        thread
        for thread in set(get_hub().threads) - before
        if "_rest" in [frame.name for frame in traceback.extract_stack(thread.gr_frame)]
    )
    return worker


@pytest.mark.parametrize("is_woken", [False, True])
def test_a_worker_that_is_killed_while_it_rests_is_replaced(is_woken: bool) -> None:
    gates: Queue[int] = Queue()
    before = set(get_hub().threads)
    results = GreenPool(1).imap(same, items_of(gates))
    gates.put(1)
    assert next(results) == 1
    settle()
    worker = resting_worker(before)

    if is_woken:  # behind the producer that wakes it, in front of the worker
        gates.put(2)
        get_hub().call_soon(throw_into, worker, GreenletExit())
    else:
        kill(worker)
        gates.put(2)

    assert next(results) == 2
    assert worker.dead


def test_a_worker_that_is_killed_before_it_starts_is_replaced() -> None:
    before = set(get_hub().threads)
    results = GreenPool(1).imap(same, [1, 2])
    killed: list[Any] = []

    def kill_unstarted() -> None:
        killed.extend(thread for thread in set(get_hub().threads) - before if not thread)
        for thread in killed:
            kill(thread)

    get_hub().call_soon(kill_unstarted)  # behind the producer, in front of the worker

    assert list(results) == [1, 2]
    assert len(killed) == 1


def test_a_producer_that_is_killed_before_it_starts_ends_the_results() -> None:
    before = set(get_hub().threads)
    results = GreenPool(1).imap(same, [1, 2])
    (producer,) = set(get_hub().threads) - before

    kill(producer)

    with pytest.raises(GreenletExit):
        next(results)
    assert list(results) == []


def test_others_run_while_jobs_never_wait() -> None:
    jobs_since_tick: list[int] = [0]

    def tick() -> None:
        while jobs_since_tick:
            jobs_since_tick.append(0)
            sleep(0)

    def work(_: int) -> None:
        jobs_since_tick[-1] += 1

    ticker = spawn(tick)
    list(GreenPool(1000).imap(work, range(1000)))
    most = max(jobs_since_tick)
    jobs_since_tick.clear()

    ticker.wait()
    assert most < 600


# --- everything at once -----------------------------------------------------------------


class Failed(Exception):
    """What a job of the random runs raises."""


@dataclass(frozen=True)
class Job:
    """What one job of a random run does: wait so many passes, leave something, fail."""

    number: int
    passes: int
    leaves: str
    fails: bool

    def run(self, kept: list[Any], mine: Any) -> tuple[int, Any]:
        thread: Any = getcurrent()
        before = getattr(mine, "x", None), thread.__dict__.get("label")
        match self.leaves:
            case "local":
                mine.x = self.number
            case "label":
                thread.label = self.number
            case "reference":
                kept.append(thread)
            case "link":
                thread.link(kept.append)
        for _ in range(self.passes):
            sleep(0)
        if self.fails:
            raise Failed(self.number)
        return self.number, before


jobs = st.builds(
    Job,
    number=st.just(0),
    passes=st.sampled_from([0, 0, 0, 1, 2, 5]),
    leaves=st.sampled_from(["nothing", "nothing", "local", "label", "reference", "link"]),
    fails=st.sampled_from([False, False, False, True]),
)


def take_all(results: Any, interruptions: set[int]) -> list[Any]:
    """Take every result; the consumer is interrupted at each number of `interruptions`."""
    taken: list[Any] = []
    while True:
        if len(taken) in interruptions:
            interruptions.discard(len(taken))
            victim = Actor("victim", taken, lambda: next(results))
            if victim.is_waiting:
                victim.interrupt()
                sleep(0)
            taken.remove(victim)
            if victim.has_returned:
                taken.append(victim.value)
                continue
            if isinstance(victim.exc, Failed):
                taken.append(victim.exc.args[0])
                continue
        try:
            taken.append(next(results))
        except Failed as exc:
            taken.append(exc.args[0])
        except StopIteration:
            return taken


@pytest.mark.slow
@pytest.mark.time_limit(240)
@given(
    size=st.integers(1, 5),
    plan=st.lists(jobs, max_size=25),
    interruptions=st.sets(st.integers(0, 25), max_size=5),
)
@games(300)
def test_random_runs_lose_and_mix_up_nothing(
    size: int, plan: list[Job], interruptions: set[int]
) -> None:
    plan = [replace(job, number=number) for number, job in enumerate(plan)]
    kept: list[Any] = []
    mine = local()
    before = set(get_hub().threads)

    with contextlib.redirect_stderr(io.StringIO()):
        results = GreenPool(size).imap(lambda job: job.run(kept, mine), plan)
        taken = take_all(results, set(interruptions))
        settle()

    assert taken == [job.number if job.fails else (job.number, (None, None)) for job in plan]
    assert len(kept) == sum(job.leaves in ("reference", "link") for job in plan)
    assert len(set(kept)) == len(kept)
    assert set(get_hub().threads) == before


# --- memory -----------------------------------------------------------------------------


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.time_limit(240)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("size", [4, 1000])
def test_memory_stays_flat_over_a_million_items(size: int) -> None:
    def source() -> Iterator[str]:
        for number in range(1_000_000):
            yield f"http://127.0.0.1/{number}"

    before = resident_bytes()
    most = before
    for count, url in enumerate(GreenPool(size).imap(same, source())):
        if count % 50_000 == 0:
            assert url == f"http://127.0.0.1/{count}"
            most = max(most, resident_bytes())

    assert count == 999_999
    assert most - before < 20_000_000
