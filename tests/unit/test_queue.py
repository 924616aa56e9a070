"""Tests of `eventlet.queue`. Its hand-over in every order is in `test_queue_orders.py`."""

from __future__ import annotations

import queue as standard_queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from eventlet import queue as queue_module
from eventlet._core.current import get_hub
from eventlet._unpatched import start_new_thread
from eventlet.event import Event
from eventlet.greenthread import sleep, spawn, spawn_n
from eventlet.queue import (
    Empty,
    Full,
    LifoQueue,
    LightQueue,
    PriorityQueue,
    Queue,
    ShutDown,
)
from eventlet.timeout import Timeout

from tests.unit.actors import Actor, dismiss, settle

KINDS: list[type[LightQueue[Any]]] = [LightQueue, Queue, PriorityQueue, LifoQueue]
WITH_TASKS: list[type[Queue[Any]]] = [Queue, PriorityQueue, LifoQueue]

every_kind = pytest.mark.parametrize("kind", KINDS)


def in_the_hub(call: Callable[[], Any]) -> Any:
    """Make a call in the hub's own greenlet; return or raise what comes of it."""
    outcome = Event()

    def run() -> None:
        try:
            outcome.send(call())
        except Exception as exc:
            outcome.send(exc=exc)

    get_hub().call_soon(run)
    return outcome.wait()


# --- names and construction -------------------------------------------------------------


def test_full_and_empty_are_those_of_the_standard_library() -> None:
    assert Full is standard_queue.Full
    assert Empty is standard_queue.Empty


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the standard library has it since 3.13")
def test_shut_down_is_that_of_the_standard_library() -> None:
    assert ShutDown is standard_queue.ShutDown  # type: ignore[attr-defined]  # since 3.13


@every_kind
@pytest.mark.parametrize(
    "given, expected", [(None, None), (-1, None), (0, 0), (1, 1), (7, 7)], ids=str
)
def test_the_size_of_a_queue(
    kind: type[LightQueue[Any]], given: int | None, expected: int | None
) -> None:
    assert kind(given).maxsize == expected
    assert kind(maxsize=given).maxsize == expected


@every_kind
def test_a_queue_can_be_subscripted(kind: type[LightQueue[Any]]) -> None:
    assert isinstance(kind[int](3), kind)  # type: ignore[index]  # a class held in a variable


def test_a_size_that_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError):
        Queue("many")  # type: ignore[arg-type]  # that is the point


# --- without waiting --------------------------------------------------------------------


@every_kind
def test_put_and_get_do_not_yield_when_they_need_not(kind: type[LightQueue[Any]]) -> None:
    items = kind(2)
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")

    items.put(1)
    items.put(1)

    assert [items.get(), items.get()] == [1, 1]
    assert journal == []
    sleep(0)


def test_a_queue_is_first_in_first_out() -> None:
    items: Queue[int] = Queue()
    for number in [3, 1, 2]:
        items.put(number)

    assert list(items.queue) == [3, 1, 2]
    assert [items.get() for _ in range(3)] == [3, 1, 2]


def test_a_priority_queue_gives_the_lowest_first() -> None:
    items: PriorityQueue[tuple[int, str]] = PriorityQueue()
    for item in [(3, "c"), (1, "a"), (2, "b")]:
        items.put(item)

    assert [items.get() for _ in range(3)] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_lifo_queue_gives_the_latest_first() -> None:
    items: LifoQueue[int] = LifoQueue()
    for number in [3, 1, 2]:
        items.put(number)

    assert [items.get() for _ in range(3)] == [2, 1, 3]


@every_kind
def test_without_blocking_a_full_queue_refuses(kind: type[LightQueue[Any]]) -> None:
    items = kind(1)
    items.put_nowait(1)

    with pytest.raises(Full):
        items.put_nowait(2)
    with pytest.raises(Full):
        items.put(2, block=False, timeout=5)
    assert items.get_nowait() == 1


@every_kind
def test_without_blocking_an_empty_queue_refuses(kind: type[LightQueue[Any]]) -> None:
    items = kind()

    with pytest.raises(Empty):
        items.get_nowait()
    with pytest.raises(Empty):
        items.get(block=False, timeout=5)


def test_the_counts_of_a_queue() -> None:
    items: Queue[int] = Queue(2)
    assert (items.qsize(), items.empty(), items.full()) == (0, True, False)
    items.put(1)
    assert (items.qsize(), items.empty(), items.full()) == (1, False, False)
    items.put(2)
    assert (items.qsize(), items.empty(), items.full()) == (2, False, True)
    assert (items.getting(), items.putting()) == (0, 0)


def test_a_queue_without_limit_is_never_full() -> None:
    items: Queue[int] = Queue()
    for number in range(1000):
        items.put(number)

    assert not items.full()


def test_the_text_of_a_queue_tells_its_state() -> None:
    items: Queue[int] = Queue(3)
    items.put(1)

    assert repr(items).startswith("<Queue at ")
    assert repr(items).endswith(": 1 of 3, 0 getting, 0 putting>")


# --- waiting ----------------------------------------------------------------------------


@every_kind
def test_a_getter_waits_for_an_item(kind: type[LightQueue[Any]]) -> None:
    items = kind()
    getter = spawn(items.get)
    sleep(0)
    assert items.getting() == 1

    items.put("item")

    assert getter.wait() == "item"
    assert items.getting() == 0


@every_kind
def test_a_putter_waits_for_room(kind: type[LightQueue[Any]]) -> None:
    items = kind(1)
    items.put("first")
    putter = spawn(items.put, "second")
    sleep(0)
    assert items.putting() == 1

    assert items.get() == "first"

    assert putter.wait() is None
    assert (items.putting(), items.get()) == (0, "second")


def test_getters_are_served_in_the_order_of_their_arrival() -> None:
    items: Queue[int] = Queue()
    journal: list[Actor] = []
    actors = [Actor(str(number), journal, items.get) for number in range(10)]

    for number in range(10):
        items.put(number)
    settle()

    assert journal == actors
    assert [actor.value for actor in actors] == list(range(10))


def test_putters_are_served_in_the_order_of_their_arrival() -> None:
    items: Queue[int] = Queue(1)
    items.put(-1)
    putters = [spawn(items.put, number) for number in range(10)]
    sleep(0)

    assert [items.get() for _ in range(11)] == list(range(-1, 10))
    assert [putter.wait() for putter in putters] == [None] * 10


def test_an_item_is_promised_to_the_getter_that_waits() -> None:
    items: Queue[str] = Queue()
    getter = spawn(items.get)
    sleep(0)

    items.put("item")

    assert (items.qsize(), items.empty()) == (0, True)
    with pytest.raises(Empty):
        items.get_nowait()
    assert getter.wait() == "item"


def test_room_is_promised_to_the_putter_that_waits() -> None:
    items: Queue[str] = Queue(1)
    items.put("first")
    putter = spawn(items.put, "second")
    sleep(0)

    items.get()

    assert items.full()
    with pytest.raises(Full):
        items.put_nowait("third")
    putter.wait()
    assert items.get() == "second"


def test_the_storage_never_holds_more_than_its_size() -> None:
    items: Queue[int] = Queue(1)
    getter = spawn(items.get)
    sleep(0)

    items.put(1)

    assert items.full()
    with pytest.raises(Full):
        items.put_nowait(2)
    assert getter.wait() == 1


def test_producer_and_consumer_take_turns_without_starving() -> None:
    items: Queue[int] = Queue(1)

    def produce() -> None:
        for number in range(100):
            items.put(number)

    producers = [spawn(produce) for _ in range(2)]

    taken = [items.get() for _ in range(200)]

    assert sorted(taken) == sorted(2 * list(range(100)))
    assert [producer.wait() for producer in producers] == [None, None]


@pytest.mark.parametrize("timeout", [-1, 0, 0.001])
def test_waiting_ends_when_the_time_is_up(timeout: float) -> None:
    items: Queue[int] = Queue(1)
    with pytest.raises(Empty):
        items.get(timeout=timeout)
    items.put(1)
    with pytest.raises(Full):
        items.put(2, timeout=timeout)

    assert (items.getting(), items.putting(), items.qsize()) == (0, 0, 1)
    assert (items._offers, list(items.getters.tickets), list(items.putters.tickets)) == ({}, [], [])


def test_waiting_for_no_time_yields_once_and_looks_again() -> None:
    items: Queue[int] = Queue(1)
    spawn_n(items.put, 1)
    assert items.get(timeout=0) == 1

    items.put(2)
    spawn_n(items.get)
    items.put(3, timeout=0)

    assert items.get() == 3


def test_a_timeout_around_get_is_raised() -> None:
    with pytest.raises(Timeout), Timeout(0):
        Queue().get()


def test_a_killed_getter_takes_nothing() -> None:
    items: Queue[int] = Queue()
    getter = spawn(items.get)
    sleep(0)

    getter.kill()
    items.put(1)

    assert (items.getting(), items.get_nowait()) == (0, 1)


def test_a_getter_killed_after_the_put_loses_nothing() -> None:
    items: Queue[int] = Queue()
    first, second = Actor("first", [], items.get), Actor("second", [], items.get)

    items.put(1)
    first.interrupt()
    settle()

    assert first.exc is not None
    assert second.value == 1


def test_an_item_whose_getter_died_keeps_its_place() -> None:
    items: Queue[int] = Queue()
    getter = Actor("getter", [], items.get)
    items.put(1)
    items.put(2)

    getter.interrupt()
    settle()

    assert [items.get_nowait(), items.get_nowait()] == [1, 2]


@pytest.mark.parametrize("when", ["before the get", "after the get"])
def test_the_item_of_a_killed_putter_is_never_enqueued(when: str) -> None:
    items: Queue[str] = Queue(1)
    items.put("first")
    putter = Actor("putter", [], lambda: items.put("second"))
    moves: list[Callable[[], object]] = [putter.interrupt, items.get]

    for move in moves if when == "before the get" else reversed(moves):
        move()
    settle()

    assert putter.exc is not None
    assert items.qsize() == 0
    assert not items.full()


def test_a_putter_killed_after_the_get_passes_the_room_on() -> None:
    items: Queue[str] = Queue(1)
    items.put("first")
    dying = Actor("dying", [], lambda: items.put("dying"))
    next_one = Actor("next", [], lambda: items.put("next"))

    items.get()
    dying.interrupt()
    settle()

    assert next_one.has_returned
    assert items.get_nowait() == "next"


# --- size 0: a meeting point ------------------------------------------------------------


@every_kind
def test_a_queue_of_size_0_is_full_and_empty(kind: type[LightQueue[Any]]) -> None:
    items = kind(0)

    assert (items.empty(), items.full(), items.qsize()) == (True, True, 0)
    with pytest.raises(Full):
        items.put_nowait(1)
    with pytest.raises(Empty):
        items.get_nowait()


@every_kind
def test_a_put_waits_until_its_item_is_taken(kind: type[LightQueue[Any]]) -> None:
    items = kind(0)
    putter = Actor("putter", [], lambda: items.put("item"))
    assert (putter.is_waiting, items.putting(), items.qsize()) == (True, 1, 0)

    assert items.get() == "item"

    settle()
    assert putter.has_returned
    assert (items.empty(), items.full(), items.putting()) == (True, True, 0)


@every_kind
def test_a_put_does_not_wait_for_a_getter_that_is_there(kind: type[LightQueue[Any]]) -> None:
    items = kind(0)
    getter = spawn(items.get)
    sleep(0)
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")

    items.put("item")

    assert journal == []
    assert getter.wait() == "item"


def test_items_cross_a_meeting_point_in_order() -> None:
    items: Queue[int] = Queue(0)
    putters = [spawn(items.put, number) for number in range(5)]
    sleep(0)

    assert [items.get() for _ in range(5)] == list(range(5))
    assert [putter.wait() for putter in putters] == [None] * 5


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_meeting_nobody_ends_when_the_time_is_up(timeout: float) -> None:
    items: Queue[int] = Queue(0)

    with pytest.raises(Full):
        items.put(1, timeout=timeout)
    with pytest.raises(Empty):
        items.get(timeout=timeout)

    assert (items.getting(), items.putting(), items._offers) == (0, 0, {})


def test_an_item_whose_getter_died_after_the_putter_left_is_the_next() -> None:
    items: Queue[int] = Queue(0)
    getter = Actor("getter", [], items.get)
    items.put(1)

    getter.interrupt()
    settle()

    assert (items.qsize(), items.get_nowait()) == (1, 1)
    assert items.empty()


def test_a_meeting_point_counts_tasks() -> None:
    items: Queue[int] = Queue(0)
    spawn_n(items.put, 1)
    sleep(0)
    assert items.unfinished_tasks == 0

    items.get()

    assert items.unfinished_tasks == 1
    getter = spawn(items.get)
    sleep(0)
    items.put(2)
    getter.wait()
    assert items.unfinished_tasks == 2
    sleep(0)


# --- callbacks of the hub, other OS threads ---------------------------------------------


def test_the_hub_can_put_for_a_waiting_getter_of_a_meeting_point() -> None:
    items: Queue[int] = Queue(0)
    getter = spawn(items.get)
    sleep(0)

    in_the_hub(lambda: items.put_nowait(10))

    assert getter.wait() == 10


def test_the_hub_can_take_from_a_waiting_putter_of_a_meeting_point() -> None:
    items: Queue[int] = Queue(0)
    putter = spawn(items.put, 5)
    sleep(0)

    assert in_the_hub(items.get_nowait) == 5
    assert putter.wait() is None


@pytest.mark.parametrize("size", [None, 0, 1])
def test_the_hub_is_refused_what_is_not_there(size: int | None) -> None:
    items: Queue[int] = Queue(size)

    with pytest.raises(Empty):
        in_the_hub(items.get_nowait)


@pytest.mark.parametrize("call", [lambda items: items.get(), lambda items: items.put(1)])
def test_the_hub_cannot_wait(call: Callable[[Queue[int]], Any]) -> None:
    items: Queue[int] = Queue(0)

    with pytest.raises(RuntimeError, match="do not call blocking functions from the mainloop"):
        in_the_hub(lambda: call(items))
    assert (items.getting(), items.putting(), items._offers) == (0, 0, {})


@pytest.mark.parametrize("size", [None, 1, 0])
def test_another_os_thread_can_put_and_get(size: int | None) -> None:
    there: Queue[int] = Queue(size)
    back: Queue[int] = Queue(size)

    def feed() -> None:
        for number in range(20):
            there.put(number, timeout=10)

    def work() -> None:
        for _ in range(20):
            back.put(2 * there.get(timeout=10), timeout=10)

    start_new_thread(work, ())
    feeder = spawn(feed)

    assert [back.get(timeout=10) for _ in range(20)] == list(range(0, 40, 2))
    feeder.wait()


@contextmanager
def just_before_it_parks(move: Callable[[], object]) -> Iterator[None]:
    """Have `move` made between a caller's look at the queue and its park, as another OS thread could."""
    hub = get_hub()

    def move_then_get_hub() -> Any:
        patch.undo()
        move()
        return hub

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue_module, "get_hub", move_then_get_hub)
        yield


def test_an_item_that_comes_just_before_the_park_is_taken() -> None:
    items: Queue[int] = Queue()

    with just_before_it_parks(lambda: items.put(1)):
        assert items.get() == 1
    assert items.getting() == 0


def test_room_that_comes_just_before_the_park_is_used() -> None:
    items: Queue[int] = Queue(1)
    items.put(1)

    with just_before_it_parks(items.get):
        items.put(2)

    assert (items.putting(), items.get_nowait()) == (0, 2)


def test_a_shutdown_just_before_the_park_is_seen() -> None:
    items: Queue[int] = Queue(1)
    with just_before_it_parks(items.shutdown), pytest.raises(ShutDown):
        items.get()

    full: Queue[int] = Queue(1)
    full.put(1)
    with just_before_it_parks(full.shutdown), pytest.raises(ShutDown):
        full.put(2)
    assert (items.getting(), full.putting(), full._offers) == (0, 0, {})


def test_tasks_that_end_just_before_the_park_are_seen() -> None:
    items: Queue[int] = Queue()
    items.put(1)

    with just_before_it_parks(items.task_done):
        items.join()


@pytest.mark.slow
@pytest.mark.parametrize("size", [None, 3, 0])
def test_os_threads_lose_and_double_nothing(size: int | None) -> None:
    items: Queue[int] = Queue(size)
    results: Queue[list[int]] = Queue()

    def produce(start: int) -> None:
        for number in range(start, start + 500):
            items.put(number, timeout=20)

    def consume() -> None:
        results.put([items.get(timeout=20) for _ in range(500)])

    for start in (0, 500):
        start_new_thread(produce, (start,))
    spawn(produce, 1000)
    start_new_thread(consume, ())
    start_new_thread(consume, ())
    spawn(consume)

    taken = [item for _ in range(3) for item in results.get(timeout=30)]
    assert sorted(taken) == list(range(1500))


# --- resize -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, None, -1])
def test_more_room_wakes_putters(size: int | None) -> None:
    items: Queue[int] = Queue(1)
    items.put(0)
    actors = [Actor(str(number), [], partial(items.put, number)) for number in (1, 2)]

    items.resize(size)
    settle()

    assert [actor.has_returned for actor in actors] == [True, True]
    assert [items.get() for _ in range(3)] == [0, 1, 2]


def test_a_meeting_point_that_gets_room_takes_what_waits() -> None:
    items: Queue[int] = Queue(0)
    putter = Actor("putter", [], lambda: items.put(1))

    items.resize(1)
    settle()

    assert putter.has_returned
    assert items.qsize() == 1


def test_less_room_drops_nothing() -> None:
    items: Queue[int] = Queue(3)
    for number in range(3):
        items.put(number)

    items.resize(1)

    assert (items.maxsize, items.qsize(), items.full()) == (1, 3, True)
    assert [items.get(), items.get()] == [0, 1]
    assert items.full()
    assert items.get() == 2
    assert not items.full()


def test_a_negative_size_is_no_limit() -> None:
    items: Queue[int] = Queue(3)

    items.resize(-5)

    assert items.maxsize is None


# --- tasks ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WITH_TASKS)
def test_join_waits_until_every_item_is_done(kind: type[Queue[Any]]) -> None:
    items = kind()
    for number in range(3):
        items.put(number)
    joiner = Actor("joiner", [], items.join)

    for left in (2, 1, 0):
        assert joiner.is_waiting
        items.get()
        items.task_done()
        assert items.unfinished_tasks == left
        settle()

    assert joiner.has_returned


def test_join_of_a_queue_without_tasks_returns_at_once() -> None:
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")

    Queue().join()

    assert journal == []
    sleep(0)


def test_everybody_who_joins_is_woken() -> None:
    items: Queue[int] = Queue()
    items.put(1)
    actors = [Actor(str(number), [], items.join) for number in range(3)]

    items.task_done()
    settle()

    assert [actor.has_returned for actor in actors] == [True] * 3


def test_a_killed_joiner_leaves_nothing_behind() -> None:
    items: Queue[int] = Queue()
    items.put(1)
    joiner = Actor("joiner", [], items.join)

    joiner.interrupt()
    settle()

    assert len(items._joiners.tickets) == 0


def test_task_done_too_often_is_an_error() -> None:
    items: Queue[int] = Queue()
    items.put(1)
    items.task_done()

    with pytest.raises(ValueError, match="too many times"):
        items.task_done()


def test_a_light_queue_has_no_tasks() -> None:
    assert not hasattr(LightQueue, "task_done")
    assert not hasattr(LightQueue, "join")


def test_an_item_that_cannot_be_compared_is_not_counted() -> None:
    items: PriorityQueue[Any] = PriorityQueue()
    items.put(1)

    with pytest.raises(TypeError):
        items.put("text")
    assert items.unfinished_tasks == 1


# --- subclasses -------------------------------------------------------------------------


class SetQueue(Queue[Any]):
    """Holds each item once."""

    def _init(self, maxsize: int | None) -> None:
        self.queue = {}

    def _put(self, item: Any) -> None:
        self.queue[item] = None

    def _get(self) -> Any:
        item = next(iter(self.queue))
        del self.queue[item]
        return item


def test_a_subclass_decides_what_is_stored() -> None:
    items = SetQueue(2)
    for item in "aab":
        items.put_nowait(item)

    assert items.full()
    assert [items.get_nowait(), items.get_nowait()] == ["a", "b"]
    assert items.empty()


def test_putters_whose_items_need_no_room_do_not_keep_others_waiting() -> None:
    items = SetQueue(2)
    items.put("a")
    items.put("b")
    putters = [spawn(items.put, item) for item in "bbc"]
    sleep(0)

    assert items.get() == "a"

    assert [putter.wait() for putter in putters] == [None] * 3
    assert [items.get_nowait(), items.get_nowait()] == ["b", "c"]


def test_a_storage_emptied_by_hand_lets_getters_wait_on() -> None:
    items: Queue[int] = Queue()
    getter = Actor("getter", [], items.get)
    items.put(1)

    items.queue.clear()
    settle()
    assert getter.is_waiting

    items.put(2)
    settle()
    assert getter.value == 2


def test_init_gets_the_size_as_it_was_given() -> None:
    given: list[int | None] = []

    class Noting(Queue[int]):
        def _init(self, maxsize: int | None) -> None:
            given.append(maxsize)
            super()._init(maxsize)

    Noting(-3)

    assert given == [-3]


# --- shutdown ---------------------------------------------------------------------------


@every_kind
def test_a_queue_that_was_shut_down_takes_nothing_and_gives_the_rest(
    kind: type[LightQueue[Any]],
) -> None:
    items = kind()
    items.put(1)

    items.shutdown()

    with pytest.raises(ShutDown):
        items.put(2)
    with pytest.raises(ShutDown):
        items.put_nowait(2)
    assert items.get() == 1
    with pytest.raises(ShutDown):
        items.get()
    with pytest.raises(ShutDown):
        items.get_nowait()


@pytest.mark.parametrize("size", [1, 0])
@pytest.mark.parametrize("immediate", [False, True])
def test_shutdown_wakes_everybody_who_waits(size: int, immediate: bool) -> None:
    full: Queue[int] = Queue(size)
    for number in range(size):
        full.put(number)
    putter = Actor("putter", [], lambda: full.put(9))
    empty: Queue[int] = Queue(size)
    getter = Actor("getter", [], empty.get)

    full.shutdown(immediate)
    empty.shutdown(immediate)
    settle()

    assert (type(putter.exc), type(getter.exc)) == (ShutDown, ShutDown)
    assert full._offers == {}


def test_an_immediate_shutdown_drops_what_is_stored() -> None:
    items: Queue[int] = Queue()
    items.put(1)
    items.put(2)
    items.get()
    joiner = Actor("joiner", [], items.join)

    items.shutdown(immediate=True)

    assert (items.qsize(), items.unfinished_tasks) == (0, 1)
    with pytest.raises(ShutDown):
        items.get()
    items.task_done()
    settle()
    assert joiner.has_returned


def test_shutdown_keeps_what_was_promised() -> None:
    items: Queue[int] = Queue()
    getter = Actor("getter", [], items.get)
    items.put(1)

    items.shutdown()
    settle()

    assert getter.value == 1


def test_an_immediate_shutdown_takes_back_what_was_promised() -> None:
    items: Queue[int] = Queue()
    getter = Actor("getter", [], items.get)
    items.put(1)

    items.shutdown(immediate=True)
    settle()

    assert type(getter.exc) is ShutDown
    assert items.qsize() == 0


def test_room_promised_before_a_shutdown_is_not_used() -> None:
    items: Queue[int] = Queue(1)
    items.put(1)
    putter = Actor("putter", [], lambda: items.put(2))
    items.get()

    items.shutdown()
    settle()

    assert type(putter.exc) is ShutDown
    assert items.qsize() == 0


def test_dismissing_actors_ends_them() -> None:
    items: Queue[int] = Queue()
    actor = Actor("getter", [], items.get)

    dismiss([actor])

    assert not actor.is_waiting


def test_a_size_that_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="not 'x'"):
        Queue("x")  # type: ignore[arg-type]  # the point
