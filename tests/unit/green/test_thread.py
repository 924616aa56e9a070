"""Green _thread: idents, starting, ending, joining."""

from __future__ import annotations

import _thread as real_thread
import gc
import importlib
import os
import signal as real_signal
import sys
import time as real_time
from collections.abc import Callable
from typing import Any

import greenlet
import pytest

from eventlet.green import _thread
from eventlet.greenthread import kill, sleep, spawn, spawn_n
from eventlet.lock import Lock

from tests.isolated_runner import run_isolated

thread: Any = importlib.import_module("eventlet.green.thread")


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    caught: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", caught.append)
    return caught


def in_os_thread(call: Callable[[], Any]) -> Any:
    """Make a call in an OS thread of its own, which has no hub yet; return what it returns."""
    results: list[Any] = []
    done = real_thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            results.append(call())
        finally:
            done.release()

    real_thread.start_new_thread(run, ())
    done.acquire()
    return results[0]


def test_the_main_green_thread_has_the_native_ident() -> None:
    assert thread.get_ident() == real_thread.get_ident()
    assert in_os_thread(lambda: thread.get_ident() == real_thread.get_ident())


def test_each_green_thread_has_an_ident_of_its_own_for_life() -> None:
    def twice() -> tuple[int, int]:
        first = thread.get_ident()
        sleep(0)
        return first, thread.get_ident()

    idents = [t.wait() for t in [spawn(twice) for _ in range(3)]]

    assert all(first == second for first, second in idents)
    assert len({first for first, _ in idents} | {thread.get_ident()}) == 4


def test_idents_are_not_used_again() -> None:
    seen = set()
    for _ in range(100):
        seen.add(spawn(thread.get_ident).wait())
        gc.collect(0)

    assert len(seen) == 100


def test_the_ident_of_another_greenlet_can_be_asked_for() -> None:
    other = spawn(thread.get_ident)
    ident = _thread.get_ident(other)

    assert other.wait() == ident


def test_start_new_thread_runs_the_function_in_a_green_thread() -> None:
    seen: list[Any] = []

    def work(a: int, b: int = 0) -> None:
        seen.append((a, b, thread.get_ident()))

    ident = thread.start_new_thread(work, (1,), {"b": 2})
    assert seen == []
    sleep(0)

    assert seen == [(1, 2, ident)]


@pytest.mark.parametrize("arguments", [(None,), (print, []), (print, (), [])])
def test_start_new_thread_checks_its_arguments(arguments: Any) -> None:
    with pytest.raises(TypeError):
        thread.start_new_thread(*arguments)


@pytest.mark.parametrize("end", [SystemExit, SystemExit(3), greenlet.GreenletExit])
def test_a_thread_may_end_itself_silently(
    end: Any, unraisable: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise end

    thread.start_new_thread(work, ())
    sleep(0)

    assert unraisable == []
    assert capsys.readouterr().err == ""


def test_exit_ends_a_green_thread_and_the_program_from_main() -> None:
    reached: list[int] = []

    def work() -> None:
        reached.append(1)
        thread.exit()
        reached.append(2)

    thread.start_new_thread(work, ())
    sleep(0)

    assert reached == [1]
    with pytest.raises(SystemExit):
        thread.exit()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_exception_goes_to_the_unraisable_hook(
    kind: type[BaseException], unraisable: list[Any]
) -> None:
    def work() -> None:
        raise kind

    thread.start_new_thread(work, ())
    sleep(0)

    (each,) = unraisable
    named_by_text = sys.version_info >= (3, 13)
    assert (each.exc_type, each.object) == (kind, None if named_by_text else work)
    assert (repr(work) in each.err_msg) == named_by_text
    unraisable.clear()


def test_an_exception_is_printed_where_nobody_set_a_hook() -> None:
    script = """
        from eventlet.green import thread
        from eventlet.greenthread import sleep
        def work():
            raise ValueError('oops')
        thread.start_new_thread(work, ())
        sleep(0)
    """
    err = run_isolated(script).stderr

    assert err.startswith("Exception ignored in thread started by: <function work at ")
    assert err.endswith("ValueError: oops\n")


def test_count_tells_how_many_run() -> None:
    before = thread._count()
    thread.start_new_thread(sleep, (0.01,))
    sleep(0)
    during = thread._count()
    sleep(0.02)

    assert (during - before, thread._count()) == (1, before)


def test_locks_are_green() -> None:
    lock = thread.allocate_lock()

    assert thread.LockType is thread.Lock is Lock is type(lock)
    assert lock.acquire()
    assert not lock.acquire(False)
    assert not lock.acquire(True, 0.001)
    lock.release()
    with pytest.raises(thread.error, match="release unlocked lock"):
        lock.release()


def test_stack_size_asks_and_sets() -> None:
    before = thread.stack_size()
    assert thread.stack_size(1 << 20) == before

    assert thread.stack_size(before) == 1 << 20
    with pytest.raises(ValueError):
        thread.stack_size(1)


def test_a_sentinel_is_released_when_its_thread_ends() -> None:
    sentinels: list[Any] = []

    def work() -> None:
        sentinel = thread._set_sentinel()
        sentinel.acquire()
        sentinels.append(sentinel)
        sleep(0)

    thread.start_new_thread(work, ())
    sleep(0)
    held = sentinels[0].locked()

    assert held
    assert sentinels[0].acquire(timeout=30)


def test_a_sentinel_acquired_after_the_end_is_held_and_wakes_all_when_released() -> None:
    sentinel = _thread.Sentinel()
    sentinel.acquire()
    joining = [spawn(sentinel.wait) for _ in range(3)]
    holder = spawn(sentinel.acquire)
    sleep(0)
    sentinel.release()

    assert holder.wait()
    assert sentinel.locked()
    assert not sentinel.acquire(False)
    assert not sentinel.wait(False)
    assert not sentinel.acquire(timeout=0.001)
    sentinel.release()
    assert [each.wait() for each in joining] == [True] * 3


@pytest.mark.skipif(not hasattr(real_thread, "_set_sentinel"), reason="gone in Python 3.13")
def test_a_sentinel_of_an_os_thread_is_the_interpreters() -> None:
    assert isinstance(in_os_thread(thread._set_sentinel), real_thread.LockType)


def test_a_thread_killed_before_it_ran_releases_who_waits_for_it() -> None:
    handle = thread.start_joinable_thread(print)
    kill(_thread._idents.threads[handle.ident])

    handle.join()

    assert handle.is_done()


def test_a_joinable_thread_can_be_joined() -> None:
    handle = thread.start_joinable_thread(lambda: sleep(0.02))

    assert not handle.is_done()
    handle.join(0.001)
    assert not handle.is_done()
    waiters = [spawn(handle.join, -1), spawn(handle.join)]
    for waiter in waiters:
        waiter.wait()
    assert handle.is_done()
    handle.join()


def test_a_joinable_thread_runs_with_the_handle_given() -> None:
    handle = thread._ThreadHandle()
    seen: list[int] = []

    same = thread.start_joinable_thread(lambda: seen.append(thread.get_ident()), handle=handle)
    handle.join()

    assert same is handle
    assert seen == [handle.ident]
    with pytest.raises(RuntimeError, match="already started"):
        thread.start_joinable_thread(print, handle=handle)


def test_joining_oneself_or_what_was_not_started_is_an_error() -> None:
    caught: list[str] = []

    def join_oneself() -> None:
        try:
            handle.join()
        except RuntimeError as exc:
            caught.append(str(exc))

    handle = thread.start_joinable_thread(join_oneself)
    handle.join()

    assert caught == ["Cannot join current thread"]
    with pytest.raises(RuntimeError, match="not started"):
        thread._ThreadHandle().join()


def test_a_handle_for_a_running_thread_is_done_when_told() -> None:
    handle = thread._make_thread_handle(12345)

    assert (handle.ident, handle.is_done()) == (12345, False)
    handle._set_done()
    assert handle.is_done()


def test_shutdown_awaits_the_threads_that_are_no_daemons() -> None:
    script = """
        from eventlet.green import thread
        from eventlet.greenthread import sleep
        done = []
        thread.start_joinable_thread(lambda: (sleep(0.02), done.append(1)), daemon=False)
        thread.start_joinable_thread(lambda: (sleep(60), done.append(2)), daemon=True)
        thread._shutdown()
        print(done)
    """
    assert run_isolated(script).stdout == "[1]\n"


def test_a_forked_child_awaits_none_of_its_parents_threads() -> None:
    script = """
        import os
        from eventlet.green import thread
        from eventlet.greenthread import sleep
        thread.start_joinable_thread(lambda: sleep(0.05), daemon=False)
        sleep(0)
        child = os.fork()
        if not child:
            thread._shutdown()
            os._exit(thread._count() + 3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), thread._count())
    """
    assert run_isolated(script).stdout == "3 1\n"


def test_a_signal_to_a_green_ident_goes_to_its_os_thread() -> None:
    """Trap 12: the ident of a green thread is no pointer."""
    got: list[int] = []
    before = real_signal.signal(real_signal.SIGUSR1, lambda number, _frame: got.append(number))
    try:
        other = spawn(sleep, 0.01)
        ident = _thread.get_ident(other)
        sleep(0)
        thread.pthread_kill(ident, real_signal.SIGUSR1)
        thread.pthread_kill(thread.get_ident(), real_signal.SIGUSR1)
        other.wait()
        with pytest.raises(ProcessLookupError):
            thread.pthread_kill(ident, real_signal.SIGUSR1)
    finally:
        real_signal.signal(real_signal.SIGUSR1, before)

    assert got == [real_signal.SIGUSR1] * 2


def test_the_cpu_clock_of_a_green_ident_is_that_of_its_os_thread() -> None:
    raw = spawn_n(sleep, 0.01)
    ident = _thread.get_ident(raw)

    assert thread.pthread_getcpuclockid(ident) == real_time.pthread_getcpuclockid(
        real_thread.get_ident()
    )
    while not raw.dead:
        sleep(0.005)
    del raw
    with pytest.raises(ProcessLookupError):
        thread.pthread_getcpuclockid(ident)


def test_interrupt_main_reaches_the_main_green_thread() -> None:
    script = """
        from eventlet.green import thread
        from eventlet.greenthread import sleep
        def work():
            thread.interrupt_main()
            sleep(60)
        thread.start_new_thread(work, ())
        try:
            sleep(60)
        except KeyboardInterrupt:
            print('interrupted')
    """
    assert run_isolated(script).stdout == "interrupted\n"


def test_all_else_is_the_standard_module() -> None:
    names = [name for name in dir(real_thread) if not name.startswith("__")]

    assert [name for name in names if not hasattr(thread, name)] == ["RLock"]
    assert thread.TIMEOUT_MAX == real_thread.TIMEOUT_MAX
    assert thread.get_native_id() == real_thread.get_native_id()
    assert os.getpid() != thread.get_ident()


def test_a_handle_that_was_not_started_cannot_be_set_done() -> None:
    with pytest.raises(RuntimeError, match="thread not started"):
        thread._ThreadHandle()._set_done()
