"""Spawning, sleeping and the old timed calls."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from typing import Any

import greenlet
import pytest
from greenlet import GreenletExit, getcurrent

from eventlet import greenthread
from eventlet._core.current import get_hub
from eventlet._core.poller import READ
from eventlet._errors import MainloopBlocked
from eventlet.greenthread import (
    call_after,
    call_after_global,
    call_after_local,
    cancel,
    exc_after,
    sleep,
    spawn,
    spawn_after,
    spawn_after_local,
    spawn_n,
)
from eventlet.timeout import Timeout, with_timeout

from tests.conftest import RunIsolated
from tests.unit.conftest import Pipe


def in_hub(function: Callable[[], Any]) -> Any:
    """Call `function` in the hub's own greenlet; return what it returned."""
    results: list[Any] = []
    get_hub().call_soon(lambda: results.append(function()))
    sleep(0)
    return results[0]


# -- spawn -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [spawn, spawn_n])
def test_spawn_never_runs_the_function_before_it_returns(start: Callable[..., Any]) -> None:
    order: list[Any] = []

    start(order.append, "thread")
    order.append("spawner")
    sleep(0)

    assert order == ["spawner", "thread"]


def test_threads_start_in_the_order_of_spawning_and_before_the_sleeper_goes_on() -> None:
    order: list[int] = []
    for number in range(20):
        (spawn if number % 2 else spawn_n)(order.append, number)

    sleep(0)

    assert order == list(range(20))


@pytest.mark.parametrize("start", [spawn, spawn_n])
def test_spawn_hands_on_arguments(start: Callable[..., Any]) -> None:
    calls: list[Any] = []

    start(lambda *args, **kwargs: calls.append((args, kwargs)), 1, 2, seconds=3)
    sleep(0)

    assert calls == [((1, 2), {"seconds": 3})]


@pytest.mark.parametrize("nothing", [None, 5])
def test_what_cannot_be_called_is_an_error_of_the_thread(
    nothing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    thread = spawn(nothing)
    spawn_n(nothing)

    with pytest.raises(TypeError, match="not callable"):
        thread.wait()

    sleep(0)
    assert capsys.readouterr().err.count("not callable") == 2


def test_spawn_n_returns_a_greenlet_without_a_result() -> None:
    thread = spawn_n(sleep)

    assert isinstance(thread, greenlet.greenlet)
    assert not hasattr(thread, "wait")
    sleep(0)
    sleep(0)
    assert thread.dead


def test_a_thread_runs_in_a_copy_of_its_spawners_context() -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("spawner")

    def change() -> str:
        seen = variable.get()
        variable.set("thread")
        return seen

    seen = spawn(change).wait()

    assert (seen, variable.get()) == ("spawner", "spawner")


def test_spawn_after_runs_after_its_time_also_when_the_spawner_has_ended() -> None:
    clock = get_hub().clock
    started = clock()
    thread = spawn(spawn_after, 0.01, clock).wait()

    assert thread.wait() - started >= 0.01


def test_spawn_after_of_nothing_runs_at_the_next_yield() -> None:
    order: list[int] = []
    spawn_after(0, order.append, 0)
    spawn_after(-1, order.append, 1)
    spawn_after_local(0, order.append, 2)
    spawn(order.append, 3)

    sleep(0)

    assert order == [0, 1, 2, 3]


def test_spawn_after_keeps_the_order_of_equal_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[int] = []
    now = get_hub().clock()
    with monkeypatch.context() as patch:
        patch.setattr(get_hub(), "clock", lambda: now)
        threads = [spawn_after(0.002, order.append, number) for number in range(50)]

    for thread in threads:
        thread.wait()

    assert order == list(range(50))


def test_spawn_after_local_runs_while_the_spawner_lives() -> None:
    assert spawn_after_local(0.001, lambda: "ran").wait() == "ran"


def test_spawn_after_local_is_skipped_when_the_spawner_has_ended() -> None:
    ran: list[bool] = []
    thread = spawn(spawn_after_local, 0.001, ran.append, True).wait()

    with pytest.raises(GreenletExit):
        thread.wait()
    assert ran == []


def test_a_killed_spawn_after_local_leaves_no_timer() -> None:
    thread = spawn_after_local(30, sleep)

    thread.kill()

    assert get_hub().timers.next_deadline() is None


@pytest.mark.parametrize("start", [spawn_after, spawn_after_local])
def test_cancel_keeps_a_later_thread_from_starting(start: Callable[..., Any]) -> None:
    ran: list[bool] = []
    thread = start(30, ran.append, True)

    cancel(thread)

    assert (thread.dead, ran) == (True, [])
    assert get_hub().timers.next_deadline() is None


def test_cancel_raises_what_it_is_told_in_the_waiters() -> None:
    thread = spawn_after(30, sleep)

    cancel(thread, KeyError("why"))

    with pytest.raises(KeyError, match="why"):
        thread.wait()


def test_cancel_leaves_the_running_and_the_dead_alone() -> None:
    def run() -> str:
        sleep(0.001)
        return "finished"

    thread = spawn(run)
    sleep(0)

    cancel(thread)

    assert thread.wait() == "finished"
    cancel(thread)


def test_each_thread_has_the_exception_it_handles_to_itself() -> None:
    def handle(exc: Exception) -> list[BaseException | None]:
        seen = [sys.exc_info()[1]]
        try:
            raise exc
        except Exception:
            sleep(0)
            seen.append(sys.exc_info()[1])
        return seen

    errors = [KeyError(), ValueError()]
    threads = [spawn(handle, exc) for exc in errors]

    assert [thread.wait() for thread in threads] == [[None, exc] for exc in errors]


def test_the_end_of_the_main_program_awaits_nobody(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        from eventlet.greenthread import sleep, spawn
        spawn(sleep, 3000)
        sleep(0)
        print("main ends")
        """
    )

    assert done.stdout == "main ends\n"


# -- sleep -------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1, -0.5, 0.0])
def test_sleep_of_nothing_yields_once(seconds: float) -> None:
    order: list[str] = []
    spawn(order.append, "other")

    sleep(seconds)

    assert order == ["other"]


def test_sleep_lasts_at_least_its_time() -> None:
    clock = get_hub().clock
    started = clock()

    sleep(0.01)

    assert clock() - started >= 0.01


@pytest.mark.parametrize("seconds", [None, "1", [1]])
def test_sleep_refuses_what_is_no_number(seconds: Any) -> None:
    with pytest.raises(TypeError):
        sleep(seconds)


def test_threads_that_sleep_for_nothing_take_turns() -> None:
    order: list[int] = []

    def run(number: int) -> None:
        for _ in range(3):
            order.append(number)
            sleep(0)

    threads = [spawn(run, number) for number in range(3)]
    for thread in threads:
        thread.wait()

    assert order == [0, 1, 2] * 3


def test_threads_that_sleep_for_nothing_do_not_starve_io(pipe: Pipe) -> None:
    turns: list[int] = []

    def spin() -> None:
        while not readable:
            turns.append(1)
            sleep(0)

    readable: list[Any] = []
    waiter = spawn(lambda: readable.append(get_hub().wait_foreign(pipe.reader, read=True)))
    spinner = spawn(spin)
    sleep(0)
    pipe.write(b"x")
    waiter.wait()
    spinner.wait()

    assert readable[0] & READ
    assert len(turns) < 10


def test_sleep_in_the_hubs_own_greenlet_returns_at_once_or_is_refused() -> None:
    def try_both() -> str:
        sleep(0)
        sleep(-1)
        with pytest.raises(MainloopBlocked, match="do not call blocking functions"):
            sleep(0.001)
        return "checked"

    assert in_hub(try_both) == "checked"


def test_an_interrupted_sleep_leaves_no_timer() -> None:
    thread = spawn(sleep, 30)
    sleep(0)

    thread.kill()

    assert get_hub().timers.next_deadline() is None


@pytest.mark.parametrize("seconds", [1e9, float("inf")])
def test_a_sleep_longer_than_the_kernel_can_count_is_a_sleep(seconds: float) -> None:
    thread = spawn(sleep, seconds)
    sleep(0.002)

    assert thread
    thread.kill()


# -- timed calls with the old names ----------------------------------------------------------


@pytest.mark.parametrize("call", [call_after, call_after_global, call_after_local])
def test_timed_calls_run_in_the_hubs_greenlet(call: Callable[..., Any]) -> None:
    calls: list[Any] = []

    call(0.001, lambda *args, **kw: calls.append((getcurrent(), args, kw)), 1, a=2)
    sleep(0.005)

    assert calls == [(get_hub().greenlet, (1,), {"a": 2})]


@pytest.mark.parametrize("call", [call_after, call_after_global, call_after_local])
def test_timed_calls_can_be_cancelled(call: Callable[..., Any]) -> None:
    calls: list[int] = []

    call(0.001, calls.append, 1).cancel()
    sleep(0.005)

    assert calls == []


def test_a_global_call_outlives_its_caller_and_a_local_one_does_not() -> None:
    calls: list[str] = []

    def schedule() -> None:
        call_after_global(0.001, calls.append, "global")
        call_after_local(0.001, calls.append, "local")

    spawn(schedule).wait()
    sleep(0.005)

    assert calls == ["global"]


def test_exc_after_raises_in_the_caller() -> None:
    exc_after(0.001, KeyError, "late")

    with pytest.raises(KeyError, match="late"):
        sleep(5)


def test_exc_after_can_be_cancelled() -> None:
    timer = exc_after(0.001, KeyError)

    timer.cancel()
    sleep(0.003)

    assert not timer.pending


def test_exc_after_none_is_inert() -> None:
    timer = exc_after(None, KeyError)

    assert not timer.pending
    timer.cancel()
    assert get_hub().timers.next_deadline() is None


def test_the_old_names_of_timeouts_are_here() -> None:
    assert greenthread.TimeoutError is Timeout
    assert greenthread.with_timeout is with_timeout


@pytest.mark.parametrize("seconds", [None, "1"])
def test_sleep_names_what_is_no_number(seconds: Any) -> None:
    with pytest.raises(TypeError, match=f"number of seconds, not {seconds!r}"):
        sleep(seconds)
