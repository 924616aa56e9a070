"""Trap 15: what a forked child does with the green threads of its parent, and with its own clock."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from tests.isolated_runner import run_isolated

START = """
import gc, os, sys, time
import eventlet
from eventlet.event import Event
from eventlet.greenthread import exc_after, sleep, spawn, spawn_after
from eventlet.queue import Queue
from eventlet.semaphore import Semaphore
from eventlet.timeout import Timeout

parent = os.getpid()

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def watched(function, *args):
    try:
        return function(*args)
    finally:
        if os.getpid() != parent:
            say("resumed in the child")

def fork(child, status=0):
    "Fork; the child calls `child` and must end with `status` in the end."
    pid = os.fork()
    if pid == 0:
        child()
        os._exit(0)
    for _ in range(6000):
        found, ended = os.waitpid(pid, os.WNOHANG)
        if found:
            assert os.waitstatus_to_exitcode(ended) == status, ended
            return
        sleep(0.005)
    os.kill(pid, 9)
    raise AssertionError("the child does not end")
"""
FLAGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


def run(code: str, **options: Any) -> list[str]:
    done = run_isolated(START + textwrap.dedent(code), flags=FLAGS, **options)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    "wait, wake",
    [
        ("queue.get", "queue.put(1); assert queue.get() == 1"),
        ("semaphore.acquire", "semaphore.release(); assert semaphore.acquire()"),
        ("event.wait", "event.send(1); assert event.wait() == 1"),
    ],
)
def test_trap15_a_wake_in_the_child_goes_to_nobody_who_was_left_behind(
    wait: str, wake: str
) -> None:
    said = run(
        f"""
        queue, semaphore, event = Queue(), Semaphore(0), Event()
        waiters = [spawn(watched, {wait}) for _ in range(3)]
        sleep(0)

        def child():
            with Timeout(30):
                {wake}
            sleep(0.01)

        fork(child)
        assert not any(waiter.dead for waiter in waiters)
        for waiter in waiters:
            waiter.kill()
        """
    )
    assert said == []


@pytest.mark.parametrize("state", ["parked", "unstarted", "later", "ready"])
def test_trap15_who_was_left_behind_cannot_be_killed_nor_awaited(state: str) -> None:
    said = run(
        f"""
        def work():
            sleep(0 if {state!r} == "ready" else 0.2)
            return "done in the parent"

        thread = spawn_after(0.1, watched, work) if {state!r} == "later" else spawn(watched, work)
        told = []
        thread.link(lambda _: told.append(os.getpid()))
        if {state!r} in ("parked", "ready"):
            sleep(0)

        def child():
            thread.kill()
            thread.cancel()
            sleep(0.01)
            try:
                thread.wait()
            except RuntimeError as exc:
                say(exc)
            assert not told

        fork(child)
        assert thread.wait() == "done in the parent"
        assert told == [parent]
        """
    )
    assert len(said) == 1
    assert "runs in the process that forked this one" in said[0]


def test_trap15_no_garbage_collection_reaches_threads_in_the_permanent_generation() -> None:
    # Servers call gc.freeze() before they fork; gc.get_objects() then tells nothing.
    said = run(
        """
        import greenlet

        def plain():
            greenlet.getcurrent().parent.switch()

        spawn(watched, sleep, 50)
        held = greenlet.greenlet(lambda: watched(plain))
        held.switch()
        sleep(0)
        gc.collect()
        gc.freeze()

        def child():
            global held
            assert gc.get_freeze_count()
            del held
            gc.unfreeze()
            gc.collect()
            sleep(0.01)

        fork(child)
        os._exit(0)
        """
    )
    assert said == []


@pytest.mark.parametrize("where", ["main", "spawned"])
@pytest.mark.parametrize(
    "begin, end",
    [
        ("with Timeout(0.05, False):", ""),
        ("with eventlet.move_on_after(0.05):", ""),
        ("with eventlet.move_on_after(0.05), eventlet.CancelScope():", ""),
        ("with eventlet.move_on_after(0.05), eventlet.TaskGroup() as group:", ""),
        ("if exc_after(0.05, ZeroDivisionError):", "except ZeroDivisionError: pass"),
    ],
)
def test_time_limits_of_the_forking_thread_hold_in_both_processes(
    where: str, begin: str, end: str
) -> None:
    said = run(
        f"""
        def body():
            began = time.monotonic()
            try:
                {begin}
                    pid = os.fork()
                    sleep(60)
                    say("not interrupted")
            {end or "finally: pass"}
            assert 0.04 < time.monotonic() - began < 20
            sleep(0.01)  # and only once
            if pid == 0:
                assert eventlet.hubs.get_hub().scopes == 0
                os._exit(3)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3

        body() if {where!r} == "main" else spawn(body).wait()
        """
    )
    assert said == []


def test_a_scope_around_a_group_ends_the_child_of_the_group_that_forked() -> None:
    said = run(
        """
        def forker():
            scope.deadline = eventlet.hubs.get_hub().clock() + 0.05
            pids.append(os.fork())
            try:
                sleep(60)
            finally:
                if os.getpid() != parent:
                    os._exit(4)

        pids = []
        with eventlet.move_on_after(60) as scope:
            with eventlet.TaskGroup() as group:
                group.spawn(watched, sleep, 60)
                group.spawn(forker)
        assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 4
        """
    )
    assert said == []


def test_a_group_in_the_child_does_not_wait_for_children_of_the_parent() -> None:
    said = run(
        """
        results = []
        with eventlet.TaskGroup() as group:
            thread = group.spawn(watched, sleep, 0.2)
            sleep(0)
            pid = os.fork()
            if pid == 0:
                group.spawn(results.append, 1)
        if pid == 0:
            assert results == [1]
            os._exit(0)
        assert thread.dead
        assert os.waitpid(pid, 0)[1] == 0
        """
    )
    assert said == []


def test_a_cancelled_group_in_the_child_resumes_nobody() -> None:
    said = run(
        """
        with eventlet.TaskGroup() as group:
            thread = group.spawn(watched, sleep, 0.2)
            sleep(0)
            pid = os.fork()
            if pid == 0:
                group.cancel_scope.cancel()
                sleep(1)
                say("not refused")
        if pid == 0:
            sleep(0.01)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert not thread._exc
        """
    )
    assert said == []


@pytest.mark.parametrize("mode", ["plain", "patched"])
def test_forked_workers_accept_from_one_listener(mode: str) -> None:
    done = run_isolated(
        "prefork_accept.py", mode, flags=("-W", "error", "-W", "ignore::ResourceWarning")
    )
    assert (done.stdout, done.stderr) == ("passed\n", "")


@pytest.mark.parametrize("prepare", ["import eventlet.green.threading", "eventlet.monkey_patch()"])
@pytest.mark.parametrize(
    "start",
    [
        "spawn({})",
        "eventlet.spawn_n({})",
        "eventlet.hubs.get_hub().call_soon(greenlet({}).switch)",
    ],
)
def test_threading_knows_one_thread_in_the_child(prepare: str, start: str) -> None:
    said = run(
        f"""
        from greenlet import greenlet
        {prepare}
        import threading

        def forker():
            threading.current_thread()
            pids.append(os.fork())
            if pids[0] == 0:
                me = threading.current_thread()
                assert threading.enumerate() == [me]
                assert threading.main_thread() is me
                os._exit(5)

        pids = []
        {start.format("forker")}
        while not pids:
            sleep(0.001)
        assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 5
        """
    )
    assert said == []
