"""Tests of `eventlet.lock`."""

from __future__ import annotations

import gc

import pytest

from eventlet._unpatched import start_new_thread
from eventlet.greenthread import sleep, spawn
from eventlet.lock import Lock
from eventlet.semaphore import Semaphore

from tests.unit.actors import Actor, settle


def test_a_lock_is_a_semaphore_of_one() -> None:
    lock = Lock()

    assert isinstance(lock, Semaphore)
    assert lock.counter == 1
    assert Lock(value=0).locked()


def test_only_one_has_the_lock() -> None:
    lock = Lock()
    inside: list[str] = []

    def enter(name: str) -> None:
        with lock:
            inside.append(name)
            sleep(0)
            assert inside == [name]
            inside.clear()

    threads = [spawn(enter, name) for name in "abc"]

    assert [thread.wait() for thread in threads] == [None] * 3


def test_releasing_a_free_lock_is_an_error() -> None:
    lock = Lock()

    with pytest.raises(RuntimeError, match=r"^release unlocked lock$"):
        lock.release()
    assert lock.acquire(blocking=False) is True


def test_a_lock_is_handed_over_in_order() -> None:
    lock = Lock(0)
    journal: list[Actor] = []
    actors = [Actor(str(number), journal, lock.acquire) for number in range(3)]

    lock.release()
    assert lock.locked()
    settle()
    assert journal == actors[:1]

    lock.release()
    settle()
    lock.release()
    settle()
    assert journal == actors
    assert lock.locked()


def test_a_lock_handed_to_a_waiter_that_dies_goes_to_the_next() -> None:
    lock = Lock(0)
    first, second = Actor("first", [], lock.acquire), Actor("second", [], lock.acquire)

    lock.release()
    first.interrupt()
    settle()

    assert first.exc is not None
    assert second.value is True
    assert lock.locked()


def test_a_lock_whose_only_waiter_dies_is_free() -> None:
    lock = Lock(0)
    waiter = Actor("waiter", [], lock.acquire)

    lock.release()
    waiter.interrupt()
    settle()

    assert not lock.locked()


def test_another_os_thread_can_release() -> None:
    lock = Lock()
    lock.acquire()

    start_new_thread(lock.release, ())

    assert lock.acquire(timeout=10) is True


def test_after_a_fork_the_lock_is_free_and_nobody_waits() -> None:
    lock = Lock(0)
    waiter = Actor("waiter", [], lock.acquire)
    old_waiters = lock._waiters

    lock._at_fork_reinit()

    assert lock.counter == 1
    assert lock.balance == 1
    waiter.interrupt()
    settle()
    assert len(old_waiters.tickets) == 1, "the child's copy of the waiter is not touched"


def test_a_finalizer_can_use_the_lock_that_is_being_released() -> None:
    lock = Lock()
    journal: list[bool] = []

    class Logged:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            journal.append(lock.acquire(blocking=False))
            if journal[-1]:
                lock.release()

    for _ in range(5):
        lock.acquire()
        Logged()
        gc.collect()
        lock.release()

    assert journal == [False] * 5
    assert lock.counter == 1


def test_the_text_of_a_lock_tells_whether_it_is_held() -> None:
    lock = Lock()
    free = repr(lock)
    with lock:
        held = repr(lock)

    assert free.startswith("<unlocked eventlet.lock.Lock object at ")
    assert held.startswith("<locked eventlet.lock.Lock object at ")


def test_a_time_out_beyond_what_a_lock_of_threading_takes_is_refused() -> None:
    with pytest.raises(OverflowError, match="too large"):
        Lock().acquire(timeout=1e100)
