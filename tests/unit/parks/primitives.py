"""Parks of what green threads meet at: sleep, events, locks, queues, pools, groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from greenlet import getcurrent

from eventlet import greenthread
from eventlet._core.current import get_hub
from eventlet._core.thread import GreenThread
from eventlet._imap import OrderedResults
from eventlet.completion import AsCompleted, as_completed, wait_first
from eventlet.coros import metaphore
from eventlet.dagpool import DAGPool
from eventlet.event import Event
from eventlet.greenpool import GreenMap, GreenPile, GreenPool
from eventlet.greenthread import kill, sleep, spawn, spawn_after
from eventlet.hubs.hub import BaseHub
from eventlet.lock import Lock
from eventlet.pools import Pool, TokenPool
from eventlet.queue import LifoQueue, LightQueue, PriorityQueue, Queue
from eventlet.semaphore import BoundedSemaphore, CappedSemaphore, Semaphore
from eventlet.taskgroup import CancelScope, TaskGroup
from eventlet.timeout import with_timeout

from tests.unit.parks.park import Table, Wait
from tests.unit.parks.stage import LONG, Stage

PARKS = Table()
park = PARKS.park

# -- green threads ---------------------------------------------------------------------------


@park(sleep)
def sleep_long(stage: Stage) -> Wait:
    return Wait(partial(sleep, LONG), stage.skip_time, stays=False)


@park(sleep, yields=True)
def sleep_0(stage: Stage) -> Wait:
    return Wait(partial(sleep, 0), bool)


@park(kill, GreenThread.kill, GreenThread.cancel, greenthread.cancel, yields=True, shielded=True)
def kill_lets_the_victim_run(stage: Stage) -> Wait:
    def call() -> None:
        victim = stage.thread(sleep, LONG)
        victim.kill()

    return Wait(call, bool)


@park(GreenThread.wait)
def thread_wait(stage: Stage) -> Wait:
    event = Event()
    return Wait(stage.thread(event.wait).wait, partial(event.send, 7), 7)


@park(GreenThread.wait, spawn_after)
def wait_for_a_thread_that_starts_later(stage: Stage) -> Wait:
    thread = spawn_after(LONG, int, "7")
    stage.at_end(thread.kill)
    return Wait(thread.wait, stage.skip_time, 7)


@park(with_timeout)
def call_with_timeout(stage: Stage) -> Wait:
    event = Event()
    return Wait(partial(with_timeout, LONG, event.wait), partial(event.send, 7), 7)


@park(BaseHub.switch, ticketless=True)
def plain_switch(stage: Stage) -> Wait:
    waiting: list[Any] = []

    def call() -> Any:
        hub: Any = get_hub()
        current = getcurrent()
        event = Event()
        waiting.append(event)
        helper = spawn(lambda: current.switch(event.wait()))
        try:
            return hub.switch()
        finally:
            if not helper.dead:
                hub.call_soon(helper.kill)

    return Wait(call, lambda: waiting[-1].send(7), 7, stays=False)


# -- events ----------------------------------------------------------------------------------


@park(Event.wait)
def event_wait(stage: Stage) -> Wait:
    event = Event()
    return Wait(event.wait, partial(event.send, 7), 7, lambda: (repr(event), event.ready()))


@park(Event.wait)
def event_wait_with_a_timeout(stage: Stage) -> Wait:
    event = Event()
    return Wait(partial(event.wait, LONG), partial(event.send, 7), 7, lambda: repr(event))


@park(metaphore.wait)
def metaphore_wait(stage: Stage) -> Wait:
    counter = metaphore()
    counter.inc()
    return Wait(counter.wait, counter.dec, None, lambda: counter.counter)


# -- semaphores and locks --------------------------------------------------------------------


def _balance(semaphore: Any) -> Callable[[], Any]:
    return lambda: (semaphore.balance, semaphore.locked(), semaphore.bounded())


@park(Semaphore.acquire)
def semaphore_acquire(stage: Stage) -> Wait:
    semaphore = Semaphore(0)
    return Wait(semaphore.acquire, semaphore.release, True, _balance(semaphore))


@park(Semaphore.acquire)
def semaphore_acquire_with_a_timeout(stage: Stage) -> Wait:
    semaphore = Semaphore(0)
    acquire = partial(semaphore.acquire, timeout=LONG)
    return Wait(acquire, semaphore.release, True, _balance(semaphore))


@park(Semaphore.__enter__)
def with_semaphore(stage: Stage) -> Wait:
    semaphore = Semaphore(0)

    def call() -> int:
        with semaphore:
            return semaphore.counter

    return Wait(call, semaphore.release, 0, _balance(semaphore))


@park(BoundedSemaphore)
def bounded_semaphore_acquire(stage: Stage) -> Wait:
    semaphore = BoundedSemaphore(1)
    semaphore.acquire()
    return Wait(semaphore.acquire, semaphore.release, True, _balance(semaphore))


@park(CappedSemaphore.acquire)
def capped_semaphore_acquire(stage: Stage) -> Wait:
    semaphore = CappedSemaphore(0, 1)
    return Wait(semaphore.acquire, semaphore.release, True, _balance(semaphore))


@park(CappedSemaphore.__enter__)
def with_capped_semaphore(stage: Stage) -> Wait:
    semaphore = CappedSemaphore(0, 1)

    def call() -> int:
        with semaphore:
            return semaphore.lower_bound.counter

    return Wait(call, semaphore.release, 0, _balance(semaphore))


@park(CappedSemaphore.release, CappedSemaphore.__exit__)
def capped_semaphore_release(stage: Stage) -> Wait:
    semaphore = CappedSemaphore(1, 1)
    return Wait(semaphore.release, semaphore.acquire, True, _balance(semaphore))


@park(Lock)
def lock_acquire(stage: Stage) -> Wait:
    lock = Lock()
    lock.acquire()
    return Wait(lock.acquire, lock.release, True, lock.locked)


# -- queues ----------------------------------------------------------------------------------


def _contents(queue: Any) -> Callable[[], Any]:
    return lambda: (
        list(queue.queue),
        queue.qsize(),
        queue.getting(),
        queue.putting(),
        queue._promised_items,
        queue._promised_room,
        len(queue._offers),
        getattr(queue, "unfinished_tasks", None),
    )


def _getting(queue: Any, **options: Any) -> Wait:
    return Wait(partial(queue.get, **options), partial(queue.put, 7), 7, _contents(queue))


def _putting(queue: Any, **options: Any) -> Wait:
    queue.put(1)
    return Wait(partial(queue.put, 2, **options), queue.get, None, _contents(queue))


@park(LightQueue.get)
def light_queue_get(stage: Stage) -> Wait:
    return _getting(LightQueue())


@park(LightQueue.get)
def light_queue_get_with_a_timeout(stage: Stage) -> Wait:
    return _getting(LightQueue(), timeout=LONG)


@park(LightQueue.get)
def light_queue_of_size_0_get(stage: Stage) -> Wait:
    wait = _getting(LightQueue(0))
    wait.stays = False  # the put that completed it waits no more: its item is in the storage
    return wait


@park(LightQueue.put)
def light_queue_put(stage: Stage) -> Wait:
    return _putting(LightQueue(1))


@park(LightQueue.put)
def light_queue_put_with_a_timeout(stage: Stage) -> Wait:
    return _putting(LightQueue(1), timeout=LONG)


@park(LightQueue.put)
def light_queue_of_size_0_put(stage: Stage) -> Wait:
    queue: LightQueue[int] = LightQueue(0)
    return Wait(partial(queue.put, 7), queue.get, None, _contents(queue), stays=False)


@park(Queue)
def queue_get(stage: Stage) -> Wait:
    return _getting(Queue())


@park(Queue)
def queue_put(stage: Stage) -> Wait:
    return _putting(Queue(1))


@park(Queue.join)
def queue_join(stage: Stage) -> Wait:
    queue: Queue[int] = Queue()
    queue.put(1)
    return Wait(queue.join, queue.task_done, None, _contents(queue))


@park(PriorityQueue)
def priority_queue_get(stage: Stage) -> Wait:
    return _getting(PriorityQueue())


@park(PriorityQueue)
def priority_queue_put(stage: Stage) -> Wait:
    return _putting(PriorityQueue(1))


@park(LifoQueue)
def lifo_queue_get(stage: Stage) -> Wait:
    return _getting(LifoQueue())


@park(LifoQueue)
def lifo_queue_put(stage: Stage) -> Wait:
    return _putting(LifoQueue(1))


# -- pools of green threads --------------------------------------------------------------------


def _population(pool: GreenPool) -> Callable[[], Any]:
    return lambda: (pool.running(), pool.free(), pool.waiting(), pool._entering)


def _busy_pool(stage: Stage) -> tuple[GreenPool, Event]:
    """A pool of one place, and the event that its green thread waits for."""
    pool, event = GreenPool(1), Event()
    thread = pool.spawn(event.wait)
    stage.at_end(thread.kill)
    return pool, event


@park(GreenPool.spawn)
def green_pool_spawn(stage: Stage) -> Wait:
    pool, event = _busy_pool(stage)
    return Wait(lambda: pool.spawn(int, "7").wait(), event.send, 7, _population(pool))


@park(GreenPool.spawn_n)
def green_pool_spawn_n(stage: Stage) -> Wait:
    pool, event = _busy_pool(stage)
    return Wait(partial(pool.spawn_n, int), event.send, None, _population(pool))


@park(GreenPool.waitall)
def green_pool_waitall(stage: Stage) -> Wait:
    pool, event = _busy_pool(stage)
    return Wait(pool.waitall, event.send, None, _population(pool))


def _next_of(results: Iterator[Any], event: Event) -> Wait:
    return Wait(lambda: next(results), event.send, 0)


@park(GreenPool.imap, OrderedResults.__next__, OrderedResults.next)
def imap_next(stage: Stage) -> Wait:
    event = Event()

    def job(number: int) -> int:
        event.wait()
        return number

    return _next_of(GreenPool(2).imap(job, range(1)), event)


@park(GreenPool.starmap)
def starmap_next(stage: Stage) -> Wait:
    event = Event()

    def job(number: int, _other: int) -> int:
        event.wait()
        return number

    return _next_of(GreenPool(2).starmap(job, [(0, 0)]), event)


@park(GreenPool.imap)
def imap_next_of_a_slow_source(stage: Stage) -> Wait:
    event = Event()

    def source() -> Iterator[int]:
        event.wait()
        yield 0

    return _next_of(GreenPool(2).imap(int, source()), event)


@park(GreenPile.next, GreenPile.__next__)
def green_pile_next(stage: Stage) -> Wait:
    pile, event = GreenPile(2), Event()
    pile.spawn(event.wait)
    for thread in pile.pool.coroutines_running:
        stage.at_end(thread.kill)
    return Wait(
        pile.next, partial(event.send, 7), 7, lambda: (pile.counter, len(pile.waiters.queue))
    )


@park(GreenPile.spawn)
def green_pile_spawn(stage: Stage) -> Wait:
    pool, event = _busy_pool(stage)
    pile = GreenPile(pool)
    return Wait(partial(pile.spawn, int), event.send, None, _population(pool))


@park(GreenMap.__next__)
def green_map_next(stage: Stage) -> Wait:
    pile = GreenMap(2)
    return Wait(
        pile.next, partial(pile.spawn, int, "7"), 7, lambda: (pile.counter, pile._unread.balance)
    )


@park(GreenMap.spawn)
def green_map_spawn(stage: Stage) -> Wait:
    pile = GreenMap(1)
    pile.spawn(int)
    return Wait(
        partial(pile.spawn, int), pile.next, None, lambda: (pile.counter, pile._unread.balance)
    )


# -- pools of things -----------------------------------------------------------------------------


def _stock(pool: Pool[Any]) -> Callable[[], Any]:
    return lambda: (pool.current_size, list(pool.free_items), pool.waiting(), pool.free())


@park(Pool.get)
def pool_get(stage: Stage) -> Wait:
    pool: Pool[int] = Pool(max_size=1, create=lambda: 7)
    return Wait(pool.get, partial(pool.put, pool.get()), 7, _stock(pool))


@park(Pool.get)
def pool_get_that_makes_one(stage: Stage) -> Wait:
    event = Event()
    pool: Pool[int] = Pool(max_size=1, create=event.wait)
    return Wait(pool.get, partial(event.send, 7), 7, _stock(pool))


@park(Pool.item)
def pool_item(stage: Stage) -> Wait:
    pool: Pool[int] = Pool(max_size=1, create=lambda: 7)

    def call() -> int:
        with pool.item() as item:
            return item

    return Wait(call, partial(pool.put, pool.get()), 7, _stock(pool))


@park(TokenPool)
def token_pool_get(stage: Stage) -> Wait:
    pool = TokenPool(max_size=1)
    token = pool.get()
    return Wait(pool.get, partial(pool.put, token), token, _stock(pool))


# -- graphs --------------------------------------------------------------------------------------


def _graph(stage: Stage) -> tuple[DAGPool, Callable[[], None]]:
    pool, event = DAGPool(), Event()
    pool.spawn("a", (), lambda _key, _results: event.wait())
    for owner in pool._owners.values():
        stage.at_end(owner.thread.kill)
    return pool, partial(event.send, 7)


def _asking(
    pool: DAGPool, call: Callable[[], Any], complete: Callable[[], Any], gives: Any
) -> Wait:
    def state() -> Any:
        pool.wait_each([])  # the pool forgets those that were dropped
        return pool.keys(), pool.running_keys(), pool.waiting_for(), len(pool._awaited)

    return Wait(call, complete, gives, state)


@park(DAGPool.wait)
def dagpool_wait(stage: Stage) -> Wait:
    pool, complete = _graph(stage)
    return _asking(pool, lambda: pool.wait(["a"]), complete, {"a": 7})


@park(DAGPool.waitall)
def dagpool_waitall(stage: Stage) -> Wait:
    pool, complete = _graph(stage)
    return _asking(pool, pool.waitall, complete, {"a": 7})


@park(DAGPool.wait_each)
def dagpool_wait_each(stage: Stage) -> Wait:
    pool, complete = _graph(stage)
    return _asking(pool, lambda: next(pool.wait_each("a")), complete, ("a", 7))


@park(DAGPool.wait_each_success)
def dagpool_wait_each_success(stage: Stage) -> Wait:
    pool, complete = _graph(stage)
    return _asking(pool, lambda: next(pool.wait_each_success("a")), complete, ("a", 7))


@park(DAGPool.wait_each_exception)
def dagpool_wait_each_exception(stage: Stage) -> Wait:
    pool, complete = _graph(stage)
    return _asking(pool, lambda: list(pool.wait_each_exception("a")), complete, [])


@park(DAGPool.__getitem__)
def dagpool_getitem(stage: Stage) -> Wait:
    pool, complete = _graph(stage)
    return _asking(pool, lambda: pool["a"], complete, 7)


@park(DAGPool.kill, yields=True, shielded=True)
def dagpool_kill(stage: Stage) -> Wait:
    numbers = count()
    pool = DAGPool()

    def call() -> None:
        key = next(numbers)
        pool.spawn(key, (), lambda _key, _results: sleep(LONG))
        pool.kill(key)

    return Wait(call, bool, None, pool.running)


# -- groups ----------------------------------------------------------------------------------------


@park(TaskGroup.__exit__)
def task_group(stage: Stage) -> Wait:
    event = Event()

    def call() -> Any:
        with TaskGroup() as group:
            child = group.spawn(event.wait)
        return child.wait()

    return Wait(call, partial(event.send, 7), 7)


@park(AsCompleted.__next__)
def as_completed_next(stage: Stage) -> Wait:
    event, never = Event(), Event()

    def call() -> Any:
        with as_completed([never.wait, event.wait]) as threads:
            return next(threads).wait()

    return Wait(call, partial(event.send, 7), 7, lambda: repr(never))


@park(AsCompleted.__next__)
def as_completed_of_a_given_thread(stage: Stage) -> Wait:
    event = Event()
    given = stage.thread(event.wait)

    def call() -> Any:
        with as_completed([given]) as threads:
            return next(threads).wait()

    return Wait(call, partial(event.send, 7), 7, lambda: (given.dead, len(given._links)))


def _send_last(events: list[Event]) -> None:
    events[-1].send()


@park(AsCompleted.__exit__, stubborn=True)
def as_completed_exit(stage: Stage) -> Wait:
    """Leaving early waits for the clean-up of what was cancelled."""
    gates: list[Event] = []

    def work() -> None:
        gates.append(Event())
        try:
            sleep(LONG)
        finally:
            with CancelScope(shield=True):
                gates[-1].wait()

    def call() -> int:
        with as_completed([work]), CancelScope(shield=True):
            sleep(0)
        return 7

    return Wait(call, partial(_send_last, gates), 7, stays=False)


@park(wait_first)
def wait_first_of_two(stage: Stage) -> Wait:
    event, never = Event(), Event()
    works = [event.wait, never.wait]
    return Wait(partial(wait_first, works), partial(event.send, 7), 7, lambda: repr(never))
