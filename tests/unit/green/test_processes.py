"""`multiprocessing` in a program of green threads, and the lock under all of its locks."""

from __future__ import annotations

import os
import threading
import time
from itertools import count
from typing import Any

import pytest

from eventlet._core.scope import move_on_after
from eventlet.green import _processes
from eventlet.green._processes import SemLock
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.isolated_runner import run_isolated

RECURSIVE, PLAIN = 0, 1
_numbers = count()
FORK_WARNS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


def make(kind: int = PLAIN, value: int = 1) -> Any:
    """Make a semaphore that leaves no name behind."""
    return SemLock(kind, value, 1, f"/eventlet-test-{os.getpid()}-{next(_numbers)}", True)


# -- programs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["main", "green"])
@pytest.mark.parametrize(
    "mode, method",
    [
        *(("patched", "fork"), ("late", "fork"), ("plain", "fork")),
        pytest.param("patched", "spawn", marks=pytest.mark.slow),
        pytest.param("late", "spawn", marks=pytest.mark.slow),
        pytest.param("plain", "spawn", marks=pytest.mark.slow),
        pytest.param("patched", "forkserver", marks=pytest.mark.slow),
        pytest.param("late", "forkserver", marks=pytest.mark.slow),
        pytest.param("plain", "forkserver", marks=pytest.mark.slow),
    ],
)
def test_processes_pools_queues_and_managers(mode: str, method: str, where: str) -> None:
    done = run_isolated("processes.py", mode, method, where, timeout=110, flags=FORK_WARNS)
    assert (done.stdout, done.stderr) == ("passed\n", "")


# -- the lock ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PLAIN, RECURSIVE])
def test_one_green_thread_at_a_time(kind: int) -> None:
    lock = make(kind)
    order: list[str] = []

    def work(name: str) -> None:
        with lock:
            order.append(f"{name} in")
            sleep(0.005)
            order.append(f"{name} out")

    threads = [spawn(work, name) for name in "abc"]
    for thread in threads:
        thread.wait()
    assert order == ["a in", "a out", "b in", "b out", "c in", "c out"]
    assert lock.acquire(False)
    lock.release()


def test_a_recursive_one_belongs_to_a_green_thread() -> None:
    lock = make(RECURSIVE)
    with lock, lock:
        assert lock._is_mine()
        assert lock._count() == 2

        def other() -> None:
            assert not lock._is_mine()
            assert not lock.acquire(False)
            assert not lock.acquire(timeout=0.01)
            with pytest.raises(AssertionError, match="not owned"):
                lock.release()

        spawn(other).wait()
    assert not lock._is_mine()


def test_a_release_wakes_who_waits_here_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_processes, "_SHORTEST_PAUSE", 60.0)
    monkeypatch.setattr(_processes, "_LONGEST_PAUSE", 60.0)
    lock = make(value=0)
    waiters = [spawn(lock.acquire) for _ in range(20)]
    sleep(0)
    began = time.monotonic()
    for waiter in waiters:
        lock.release()
        assert waiter.wait()
    assert time.monotonic() - began < 20  # no pause was waited out


def test_a_release_elsewhere_is_seen_soon() -> None:
    lock, other = make(value=0), threading.Event()

    def release_natively() -> None:
        other.wait()
        super(SemLock, lock).release()  # as another process does: nobody here is told

    thread = threading.Thread(target=release_natively)
    thread.start()
    waiter = spawn(lock.acquire)
    sleep(0.03)
    other.set()
    with Timeout(30):
        assert waiter.wait()
    thread.join()


def test_time_limits() -> None:
    lock = make(value=0)
    began = time.monotonic()
    assert lock.acquire(True, 0.03) is False
    assert lock.acquire(True, 0) is False
    assert lock.acquire(True, -1) is False
    assert 0.03 <= time.monotonic() - began < 20
    with move_on_after(0.02) as scope:
        lock.acquire()
    assert scope.cancelled_caught


def test_one_that_is_killed_takes_nothing() -> None:
    lock = make(value=0)
    victim, other = spawn(lock.acquire), spawn(lock.acquire)
    sleep(0)
    lock.release()  # wakes the victim
    victim.kill()
    with Timeout(30):
        assert other.wait()
    assert not lock.acquire(False)
    lock.release()


def test_alone_on_the_hub_it_waits_without_looking_again_and_hears_os_threads() -> None:
    lock = make(value=0)
    done: list[int] = []

    def work() -> None:
        time.sleep(0.03)
        spawn_there(done.append, 1)
        super(SemLock, lock).release()

    from eventlet.hubs import get_hub

    spawn_there = get_hub().call_from_thread
    thread = threading.Thread(target=work)
    thread.start()
    assert lock.acquire()
    sleep(0)
    assert done == [1]
    thread.join()


def test_an_os_thread_without_a_hub_blocks_and_makes_none() -> None:
    run_isolated(
        """
        import os, threading, time
        from eventlet._core.current import hubs
        from eventlet.green._processes import SemLock
        lock = SemLock(1, 0, 1, f"/eventlet-test-{os.getpid()}", True)
        results = []
        def work():
            results.append(lock.acquire(True, 0.01))
            results.append(lock.acquire())
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.05)
        lock.release()
        thread.join()
        assert results == [False, True]
        assert not hubs
        """
    )
