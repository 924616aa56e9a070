"""Patched `threading`, `queue` and `concurrent.futures` code is cancelled where it parks.

A line for each kind of waiting that a scope ended three ways: by its deadline, by `cancel`, and
before it began. Afterwards what was waited on works as if nobody had waited.
"""

import eventlet

eventlet.monkey_patch()

import concurrent.futures
import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

LONG = 60.0
SOON = 0.02

Waiting = tuple[Callable[[], Any], Callable[[], Any]]
"""What waits for ever, and a check that all is well after it was cancelled."""


def use(lock: Any) -> None:
    """Check that a lock is free, and leave it so."""
    assert lock.acquire(timeout=30)
    lock.release()


@contextlib.contextmanager
def thread_join() -> Iterator[Waiting]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()

    def check() -> None:
        assert thread.is_alive()

    yield thread.join, check
    end.set()
    thread.join(30)
    assert not thread.is_alive()


@contextlib.contextmanager
def event_wait() -> Iterator[Waiting]:
    event = threading.Event()

    def check() -> None:
        assert not event.is_set()
        assert not event.wait(0.001)

    yield event.wait, check
    event.set()
    assert event.wait(30)


@contextlib.contextmanager
def condition_wait() -> Iterator[Waiting]:
    condition = threading.Condition()

    def wait() -> None:
        with condition:
            try:
                condition.wait()
            finally:
                assert condition._is_owned()  # type: ignore[attr-defined]  # not in the stubs

    def check() -> None:
        use(condition)
        with condition:
            condition.notify_all()

    yield wait, check


@contextlib.contextmanager
def condition_wait_for() -> Iterator[Waiting]:
    condition = threading.Condition()

    def wait() -> None:
        with condition:
            condition.wait_for(lambda: False)

    yield wait, lambda: use(condition)


@contextlib.contextmanager
def lock_acquire() -> Iterator[Waiting]:
    lock = threading.Lock()
    lock.acquire()

    def check() -> None:
        assert lock.locked()

    yield lock.acquire, check
    lock.release()
    use(lock)


@contextlib.contextmanager
def rlock_acquire() -> Iterator[Waiting]:
    lock, end = threading.RLock(), threading.Event()

    def hold() -> None:
        with lock:
            end.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    yield lock.acquire, lambda: None
    end.set()
    holder.join()
    use(lock)


@contextlib.contextmanager
def semaphore_acquire() -> Iterator[Waiting]:
    semaphore = threading.Semaphore(0)
    yield semaphore.acquire, lambda: None
    semaphore.release()
    assert semaphore.acquire(timeout=30)
    assert not semaphore.acquire(blocking=False)


@contextlib.contextmanager
def barrier_wait() -> Iterator[Waiting]:
    barriers: list[threading.Barrier] = []

    def wait() -> None:
        barriers.append(threading.Barrier(2))
        barriers[-1].wait()

    def check() -> None:
        assert barriers[-1].broken or barriers[-1].n_waiting == 0

    yield wait, check


@contextlib.contextmanager
def queue_get() -> Iterator[Waiting]:
    items: queue.Queue[int] = queue.Queue()

    def check() -> None:
        items.put(7)
        assert items.get(timeout=30) == 7

    yield items.get, check


@contextlib.contextmanager
def simple_queue_get() -> Iterator[Waiting]:
    items: queue.SimpleQueue[int] = queue.SimpleQueue()

    def check() -> None:
        items.put(7)
        assert items.get(timeout=30) == 7

    yield items.get, check


@contextlib.contextmanager
def queue_put() -> Iterator[Waiting]:
    items: queue.Queue[int] = queue.Queue(1)
    items.put(1)

    def check() -> None:
        assert items.get_nowait() == 1
        assert items.empty()
        items.put(1)

    yield lambda: items.put(2), check


@contextlib.contextmanager
def queue_join() -> Iterator[Waiting]:
    items: queue.Queue[int] = queue.Queue()
    items.put(1)
    yield items.join, lambda: None
    items.get()
    items.task_done()
    items.join()


@contextlib.contextmanager
def time_sleep() -> Iterator[Waiting]:
    yield lambda: time.sleep(LONG), lambda: None


@contextlib.contextmanager
def busy_executor() -> Iterator[tuple[concurrent.futures.Executor, Any, Callable[[], None]]]:
    """An executor whose only worker waits, the future of that, and a check that it works."""
    end = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        future = executor.submit(end.wait, LONG)

        def check() -> None:
            assert future.running()

        yield executor, future, check
        end.set()
        assert future.result(30)
        assert executor.submit(pow, 2, 3).result(30) == 8


@contextlib.contextmanager
def future_result() -> Iterator[Waiting]:
    with busy_executor() as (_, future, check):
        yield future.result, check


@contextlib.contextmanager
def futures_wait() -> Iterator[Waiting]:
    with busy_executor() as (_, future, check):
        yield lambda: concurrent.futures.wait([future]), check


@contextlib.contextmanager
def futures_as_completed() -> Iterator[Waiting]:
    with busy_executor() as (_, future, check):
        yield lambda: list(concurrent.futures.as_completed([future])), check


@contextlib.contextmanager
def executor_map() -> Iterator[Waiting]:
    with busy_executor() as (executor, _, check):
        yield lambda: list(executor.map(str, range(3))), check


@contextlib.contextmanager
def executor_shutdown() -> Iterator[Waiting]:
    end = threading.Event()
    executor = concurrent.futures.ThreadPoolExecutor(1)
    future = executor.submit(end.wait, LONG)

    def check() -> None:
        assert future.running()

    yield executor.shutdown, check
    end.set()
    executor.shutdown()
    assert future.result(0)


def by_deadline(wait: Callable[[], Any]) -> bool:
    with eventlet.move_on_after(SOON) as scope:
        wait()
    return scope.cancelled_caught


def by_cancel(wait: Callable[[], Any]) -> bool:
    with eventlet.CancelScope() as scope:
        eventlet.spawn_after(SOON, scope.cancel, "enough")
        wait()
    return scope.cancelled_caught


def before_it_began(wait: Callable[[], Any]) -> bool:
    with eventlet.CancelScope() as scope:
        scope.cancel()
        wait()
    return scope.cancelled_caught


WAITINGS: tuple[Callable[[], contextlib.AbstractContextManager[Waiting]], ...] = (
    *(thread_join, event_wait, condition_wait, condition_wait_for, lock_acquire),
    *(rlock_acquire, semaphore_acquire, barrier_wait, queue_get, simple_queue_get, queue_put),
    *(queue_join, time_sleep, future_result, futures_wait, futures_as_completed),
    *(executor_map, executor_shutdown),
)

for make in WAITINGS:
    try:
        with make() as (wait, check):
            for cancel in (by_deadline, by_cancel, before_it_began):
                with eventlet.Timeout(30):
                    assert cancel(wait), cancel
                check()
    except (Exception, eventlet.Timeout):
        print("failed", make.__name__)
        traceback.print_exc()
    else:
        print(make.__name__, flush=True)


# A group whose child fails cancels the threading code of its siblings.
def fail() -> None:
    eventlet.sleep(SOON)
    raise LookupError


waiting = queue.Queue[int]()
try:
    with eventlet.TaskGroup() as group:
        group.spawn(waiting.get)
        group.spawn(threading.Event().wait)
        group.spawn(fail)
except* LookupError:
    print("task_group")
