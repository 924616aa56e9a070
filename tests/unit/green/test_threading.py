"""Green threading: threads, names, joining, conditions that keep their lock."""

from __future__ import annotations

import gc
import importlib
import threading as real_threading
from typing import Any

import pytest

from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn, spawn_n
from eventlet.lock import Lock
from eventlet.timeout import Timeout

from tests.isolated_runner import run_isolated

threading: Any = importlib.import_module("eventlet.green.threading")
current_thread = threading.current_thread


def test_threads_run_side_by_side_and_are_joined() -> None:
    inside: list[int] = []
    order: list[int] = []

    def work(number: int) -> None:
        inside.append(number)
        while len(inside) < 6:
            sleep(0)
        order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    alive = [thread.is_alive() for thread in threads]
    inside.append(5)
    for thread in threads:
        thread.join()

    assert (alive, sorted(order)) == ([True] * 5, [0, 1, 2, 3, 4])
    assert not any(thread.is_alive() for thread in threads)


def test_a_thread_knows_itself() -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.append((current_thread(), threading.get_ident(), threading.enumerate()))

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()

    me, ident, everybody = seen[0]
    assert me is thread
    assert me.ident == ident
    assert me.name == "worker"
    assert everybody == [threading.main_thread(), thread]
    assert threading.enumerate() == [threading.main_thread()]


def test_the_main_thread_is_current_in_main() -> None:
    assert current_thread() is threading.main_thread()
    assert threading.main_thread().ident == real_threading.main_thread().ident


def test_a_join_that_is_timed_out_leaves_the_thread_running() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    with pytest.raises(Timeout), Timeout(0.005):
        thread.join()
    thread.join(0.005)

    assert thread.is_alive()
    end.set()
    thread.join()
    assert not thread.is_alive()


def test_several_may_join_one_thread() -> None:
    thread = threading.Thread(target=sleep, args=(0.02,))
    thread.start()
    joined: list[bool] = []

    def join() -> None:
        thread.join()
        joined.append(thread.is_alive())

    for joiner in [spawn(join) for _ in range(3)]:
        joiner.wait()

    assert joined == [False] * 3


def test_a_killed_thread_ends_silently(capsys: pytest.CaptureFixture[str]) -> None:
    import greenlet

    inside: list[Any] = []

    def work() -> None:
        inside.append(greenlet.getcurrent())
        sleep(9)

    thread = threading.Thread(target=work)
    thread.start()
    sleep(0)
    kill(inside.pop())
    thread.join()

    assert not thread.is_alive()
    assert capsys.readouterr().err == ""


def test_an_error_in_a_thread_is_printed_and_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("oops")

    thread = threading.Thread(target=fail, name="failing")
    thread.start()
    thread.join()

    err = capsys.readouterr().err
    assert "Exception in thread failing" in err
    assert "ValueError: oops" in err


def test_a_spawned_green_thread_is_a_thread_while_it_runs() -> None:
    seen: list[Any] = []

    def work() -> None:
        me = current_thread()
        seen.append((me, current_thread() is me, me in threading.enumerate(), me.is_alive()))
        sleep(0.01)

    green = spawn(work)
    sleep(0)
    me, is_same, is_listed, is_alive = seen[0]

    assert isinstance(me, threading.Thread)
    assert (is_same, is_listed, is_alive) == (True, True, True)
    assert me.name == me.getName() == green.name
    assert (me.daemon, me.is_daemon(), me.isDaemon()) == (True, True, True)
    assert me._g is green
    me.setName("renamed")
    assert me.name == "renamed"
    green.wait()
    assert not me.is_alive()
    assert not me.isAlive()
    assert me not in threading.enumerate()


def test_a_thread_that_threading_did_not_start_is_a_dummy_while_it_runs() -> None:
    seen: Any = []

    def look() -> None:
        mine = threading.current_thread()
        seen.append((mine, isinstance(mine, threading._DummyThread), repr(mine)))

    importlib.import_module("eventlet.green.thread").start_new_thread(look, ())
    spawn(look).wait()

    assert [is_dummy for _, is_dummy, _ in seen] == [True, True]
    assert "_DummyThread(" in seen[0][2]
    assert "_GreenThread(" in seen[1][2]
    assert not any(each in threading.enumerate() for each, _, _ in seen)


def test_a_spawned_green_thread_can_be_joined() -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(current_thread())
        with pytest.raises(RuntimeError, match="current"):
            current_thread().join()
        end.wait()

    end = threading.Event()
    spawn(work)
    sleep(0)
    me = found.pop()
    me.join(0.005)
    was_alive = me.is_alive()
    end.set()
    me.join()
    me.join()

    assert was_alive
    assert not me.is_alive()


def test_an_abandoned_green_thread_vanishes_from_the_list() -> None:
    def work() -> None:
        current_thread()
        Event().wait()

    green = spawn(work)
    sleep(0)
    listed = len(threading.enumerate())
    kill(green)
    del green
    gc.collect()

    assert (listed, threading.active_count()) == (2, 1)


def test_a_plain_greenlet_is_its_os_thread() -> None:
    seen: list[Any] = []
    spawn_n(lambda: seen.append(current_thread()))
    sleep(0)

    assert seen == [threading.main_thread()]


def test_a_plain_greenlet_of_an_unknown_os_thread_is_a_dummy_for_it() -> None:
    seen: list[Any] = []

    def in_os_thread() -> None:
        spawn_n(lambda: seen.append(current_thread()))
        sleep(0)
        seen.append(current_thread())
        seen.append(real_threading.get_ident())

    os_thread = real_threading.Thread(target=in_os_thread)
    os_thread.start()
    os_thread.join()
    green, native, ident = seen
    threading._active.pop(ident)

    assert green is native
    assert native.ident == ident


def test_local_values_belong_to_a_green_thread() -> None:
    local = threading.local()
    local.value = "main"

    def work() -> bool:
        return hasattr(local, "value")

    assert not spawn(work).wait()
    assert local.value == "main"


def test_a_reentrant_lock_is_owned_by_a_green_thread() -> None:
    lock: Any = threading.RLock()
    order: list[str] = []

    def work() -> None:
        with lock:
            order.append("other")

    with lock, lock:
        other = spawn(work)
        sleep(0.005)
        order.append("main")
    other.wait()

    assert order == ["main", "other"]


def test_timers_semaphores_barriers_and_events_cooperate() -> None:
    event = threading.Event()
    timer = threading.Timer(0.01, event.set)
    timer.start()
    semaphore = threading.BoundedSemaphore(1)
    barrier = threading.Barrier(2)
    passed: list[int] = []

    def work() -> None:
        with semaphore:
            passed.append(barrier.wait())

    threads = [threading.Thread(target=work)]
    threads[0].start()
    barrier.wait()
    threads[0].join()

    assert event.wait(30)
    assert not threading.Event().wait(0.001)
    assert len(passed) == 1


def owned_after_wait(interrupts: int, notify: bool) -> list[Any]:
    """Interrupt a waiter while another thread holds the lock it must take again."""
    condition: Any = threading.Condition()
    seen: list[Any] = []

    def wait() -> None:
        with condition:
            try:
                condition.wait()
            except BaseException as exc:
                seen.append(type(exc))
            seen.append(condition._is_owned())

    waiter = spawn(wait)
    sleep(0)
    with condition:
        if notify:
            condition.notify()
        for _ in range(interrupts):
            kill_soon(waiter)
            sleep(0)
            sleep(0)
        assert not waiter.dead
        seen.append("still held")
    waiter.wait()
    return seen


class Interrupt(Exception):
    """What a waiter is interrupted with."""


def kill_soon(waiter: Any) -> None:
    from eventlet._core.thread import throw_into

    throw_into(waiter, Interrupt())


@pytest.mark.parametrize("interrupts", [1, 2, 5])
@pytest.mark.parametrize("notify", [False, True])
def test_a_waiter_owns_its_lock_again_however_often_interrupted(
    interrupts: int, notify: bool
) -> None:
    """Trap 11: else `with condition` releases a lock that another thread owns."""
    assert owned_after_wait(interrupts, notify) == ["still held", Interrupt, True]


def test_an_interrupted_waiter_passes_its_notification_on() -> None:
    """Trap 11: the one it was meant for is not there any more."""
    condition = threading.Condition()
    woken: list[str] = []

    def wait(name: str) -> None:
        with condition:
            try:
                condition.wait()
            except Interrupt:
                woken.append(f"{name} interrupted")
            else:
                woken.append(name)

    first, second = spawn(wait, "first"), spawn(wait, "second")
    sleep(0)
    with condition:
        condition.notify()
        kill_soon(first)
    first.wait()
    second.wait()

    assert woken == ["first interrupted", "second"]


def test_condition_wait_tells_whether_it_was_notified() -> None:
    condition = threading.Condition(threading.Lock())
    results: list[bool] = []

    def wait(timeout: float | None) -> None:
        with condition:
            results.append(condition.wait(timeout))

    wait(0.001)
    wait(0)
    wait(-1)
    other = spawn(wait, 30)
    sleep(0)
    with condition:
        condition.notify_all()
    other.wait()

    assert results == [False, False, False, True]
    with pytest.raises(RuntimeError, match="un-acquired"):
        condition.wait()


@pytest.mark.parametrize(("timeout", "error"), [(float("nan"), ValueError), (1e30, OverflowError)])
def test_condition_refuses_a_time_out_that_is_none(timeout: float, error: type[Exception]) -> None:
    condition = threading.Condition()
    with condition:
        with pytest.raises(error):
            condition.wait(timeout)
        with pytest.raises(error):
            condition.wait_for(lambda: False, timeout)
    with pytest.raises(error):
        threading.Event().wait(timeout)

    assert not condition._waiters
    assert not condition._is_owned()


def test_condition_wait_for_ends_with_its_predicate() -> None:
    condition = threading.Condition()
    ready: list[int] = []

    def make_ready() -> None:
        with condition:
            ready.append(1)
            condition.notify()

    with condition:
        spawn(make_ready)
        assert condition.wait_for(lambda: ready, 30)


def test_a_condition_in_the_hub_fails_instead_of_looping() -> None:
    from eventlet._core.current import get_hub

    condition = threading.Condition(threading.Lock())
    caught: list[BaseException] = []

    def call() -> None:
        try:
            with condition:
                condition.wait(1)
        except RuntimeError as exc:
            caught.append(exc)

    get_hub().call_soon(call)
    sleep(0.001)

    assert "mainloop" in str(caught[0])


def test_the_real_module_is_untouched() -> None:
    assert threading.Lock is Lock
    assert real_threading.Lock is not Lock  # type: ignore[comparison-overlap]
    assert threading.Thread is not real_threading.Thread
    assert threading.BrokenBarrierError is real_threading.BrokenBarrierError


def test_the_forking_thread_is_the_main_one_of_the_child() -> None:
    script = """
        import os
        from eventlet.green import threading
        from eventlet.greenthread import sleep
        threading.Thread(target=sleep, args=(0.05,)).start()
        def work():
            child = os.fork()
            if not child:
                me = threading.current_thread()
                right = (me is threading.main_thread(), threading.enumerate() == [me],
                         me.name == 'forker', me.is_alive())
                os._exit(right.count(True))
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        forker = threading.Thread(target=work, name='forker')
        forker.start()
        forker.join()
    """
    assert run_isolated(script).stdout == "4\n"


@pytest.mark.parametrize(
    "code",
    [
        "import eventlet.green.threading",
        "from eventlet import patcher; patcher.original('threading')",
        "import eventlet; eventlet.import_patched('http.server')",
        "import eventlet; eventlet.monkey_patch()",
    ],
    ids=["green", "original", "private", "patched"],
)
def test_an_os_thread_in_which_threading_is_first_derived_can_be_joined(code: str) -> None:
    run_isolated(
        """
        import sys
        import threading
        thread = threading.Thread(target=exec, args=(sys.argv[1],), daemon=True)
        thread.start()
        thread.join(50)
        assert not thread.is_alive()
        """,
        code,
    )


@pytest.mark.parametrize("patch", ["", "eventlet.monkey_patch()"])
def test_finalizers_that_run_last_know_their_thread(patch: str) -> None:
    script = f"""
import eventlet
{patch}
import logging, sys
{"import threading" if patch else "from eventlet.green import threading"}

class Last:
    def __del__(self):
        logging.warning("from the finalizer")
        print(threading.get_ident() == main, threading.current_thread().name)

logging.basicConfig(stream=sys.stdout)
main = threading.get_ident()
last = Last()
threading.Thread(target=eventlet.sleep).start()
"""

    assert run_isolated(script).stdout == "WARNING:root:from the finalizer\nTrue MainThread\n"
