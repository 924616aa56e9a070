"""What green threads wait with, each as two calls: one that waits and one that lets one go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eventlet.dagpool import Collision, DAGPool
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import spawn
from eventlet.lock import Lock
from eventlet.pools import Pool, TokenPool
from eventlet.queue import LifoQueue, LightQueue, PriorityQueue, Queue
from eventlet.semaphore import BoundedSemaphore, CappedSemaphore, Semaphore


@dataclass
class Primitive:
    """One of them.

    Attributes:
        wait: waits for a unit: a permit, an item, a value.
        wake: gives one; never waits.
        waiting: counts who waits.
        left: counts units that nobody took.
    """

    wait: Callable[[], Any]
    wake: Callable[[], Any]
    waiting: Callable[[], int]
    left: Callable[[], int] = int


def event() -> Primitive:
    sent = Event()

    def send() -> None:
        with suppress(AssertionError):  # a race of two senders has one winner
            sent.send("value")

    return Primitive(sent.wait, send, lambda: len(sent._waiters))


def _semaphore(semaphore: Semaphore) -> Primitive:
    return Primitive(
        semaphore.acquire,
        semaphore.release,
        lambda: len(semaphore._waiters),
        lambda: semaphore.counter,
    )


def semaphore() -> Primitive:
    return _semaphore(Semaphore(0))


def bounded_semaphore() -> Primitive:
    bounded = BoundedSemaphore(50)
    for _ in range(50):
        bounded.acquire()
    return _semaphore(bounded)


def capped_semaphore() -> Primitive:
    capped = CappedSemaphore(0, 50)
    lower = capped.lower_bound
    return Primitive(
        capped.acquire, capped.release, lambda: len(lower._waiters), lambda: lower.counter
    )


def capped_semaphore_release() -> Primitive:
    capped = CappedSemaphore(50, 50)
    upper = capped.upper_bound
    return Primitive(
        capped.release, capped.acquire, lambda: len(upper._waiters), lambda: upper.counter
    )


def lock() -> Primitive:
    held = Lock(0)

    def release() -> None:
        if held.locked():
            held.release()

    return Primitive(held.acquire, release, lambda: len(held._waiters), lambda: held.counter)


def _queue(items: LightQueue[int]) -> Primitive:
    return Primitive(items.get, lambda: items.put(1), items.getting, items.qsize)


def queue() -> Primitive:
    return _queue(Queue())


def light_queue() -> Primitive:
    return _queue(LightQueue())


def lifo_queue() -> Primitive:
    return _queue(LifoQueue())


def priority_queue() -> Primitive:
    return _queue(PriorityQueue())


def full_queue() -> Primitive:
    items: Queue[int] = Queue(3)
    for number in range(3):
        items.put(number)
    return Primitive(
        lambda: items.put(4), items.get_nowait, items.putting, lambda: 3 - items.qsize()
    )


def queue_join() -> Primitive:
    items: Queue[int] = Queue()
    items.put(1)

    def done() -> None:
        with suppress(ValueError):
            items.task_done()

    return Primitive(items.join, done, lambda: len(items._joiners))


def _pool(items: Pool[Any]) -> Primitive:
    taken = [items.get() for _ in range(items.max_size)]
    return Primitive(
        items.get,
        lambda: items.put(taken.pop()),
        items.waiting,
        lambda: len(items.free_items),
    )


def pool() -> Primitive:
    numbers: Iterator[int] = iter(range(50))
    return _pool(Pool(max_size=50, create=lambda: next(numbers)))


def token_pool() -> Primitive:
    return _pool(TokenPool(max_size=50))


def green_pool_spawn() -> Primitive:
    pool = GreenPool(0)
    return Primitive(lambda: pool.spawn(int).wait(), lambda: pool.resize(1), pool.waiting)


def green_pool_waitall() -> Primitive:
    pool = GreenPool()
    gate = Event()
    pool.spawn(gate.wait)

    def send() -> None:
        with suppress(AssertionError):
            gate.send()

    idle = pool.no_coros_running
    return Primitive(pool.waitall, send, lambda: len(idle._waiters))


def green_thread() -> Primitive:
    gate = Event()
    thread = spawn(gate.wait)

    def send() -> None:
        with suppress(AssertionError):
            gate.send("value")

    return Primitive(
        thread.wait,
        send,
        lambda: sum(not ticket.state for ticket in thread._waiters),
    )


def dag_pool() -> Primitive:
    results = DAGPool()

    def post() -> None:
        with suppress(Collision):
            results.post("key", 1)

    def waiting() -> int:
        return sum(len(each.parked) for each in results._awaited.get("key", ()))

    return Primitive(lambda: results["key"], post, waiting)


HANDED_OVER = [
    semaphore,
    bounded_semaphore,
    capped_semaphore,
    capped_semaphore_release,
    lock,
    queue,
    light_queue,
    lifo_queue,
    priority_queue,
    full_queue,
    pool,
    token_pool,
]
"""A `wake` is for one waiter."""

FOR_ALL = [
    event,
    queue_join,
    green_pool_spawn,
    green_pool_waitall,
    green_thread,
    dag_pool,
]
"""A `wake` lets everybody go on, for good."""
