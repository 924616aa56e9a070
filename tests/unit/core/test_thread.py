"""Green threads: result, links, kill; several waiters, several OS threads."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import greenlet
import pytest
from greenlet import GreenletExit, getcurrent

from eventlet._core.current import drop_hub, get_hub
from eventlet._core.thread import GreenThread, exception_from, kill, throw_into
from eventlet._core.wait_queue import wake
from eventlet._errors import MainloopBlocked
from eventlet.greenthread import sleep, spawn, spawn_after, spawn_n
from eventlet.timeout import Timeout

from tests.conftest import RunIsolated


class Failure(Exception):
    """What the threads of these tests raise."""


def fail(*args: object) -> None:
    raise Failure(*args)


def park_for_ever() -> Any:
    hub = get_hub()
    return hub.park(hub.ticket())


def in_os_thread(function: Callable[[], Any]) -> Any:
    """Run `function` in an OS thread with a hub of its own; return what it returned."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as exc:
            results.append(exc)
        finally:
            drop_hub()

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        sleep(0.001)
    thread.join()
    return results[0]


# -- life --------------------------------------------------------------------------------


def test_truth_is_false_before_start_true_while_running_false_after_death() -> None:
    seen: list[bool] = []
    thread = spawn(lambda: seen.append(bool(getcurrent())))

    before = bool(thread)
    thread.wait()

    assert (before, seen, bool(thread)) == (False, [True], False)


def test_dead_only_after_the_end() -> None:
    thread = spawn(sleep)

    unstarted = thread.dead
    sleep(0)
    started = thread.dead
    thread.wait()

    assert (unstarted, started, thread.dead) == (False, False, True)


def test_repr_names_the_thread_its_state_and_where_it_was_spawned() -> None:
    thread = spawn(park_for_ever)

    unstarted = repr(thread)
    sleep(0)
    started = repr(thread)
    kill(thread)

    assert f"<{thread.name} not started, spawned at {__file__}:" in unstarted
    assert f"<{thread.name} started" in started
    assert f"<{thread.name} dead" in repr(thread)


def test_names_count_up() -> None:
    first, second = spawn(sleep), spawn(sleep)
    first.wait()
    second.wait()

    assert int(second.name.split("-")[1]) == int(first.name.split("-")[1]) + 1


# -- wait --------------------------------------------------------------------------------


def test_wait_returns_the_result_any_number_of_times() -> None:
    thread = spawn(lambda a, b: a + b, 1, b=2)

    assert [thread.wait(), thread.wait()] == [3, 3]


def test_wait_serves_any_number_of_waiters_in_order() -> None:
    order: list[int] = []
    thread = spawn(sleep, 0.001)

    def waiter(number: int) -> None:
        thread.wait()
        order.append(number)

    waiters = [spawn(waiter, number) for number in range(5)]
    for each in waiters:
        each.wait()

    assert order == [0, 1, 2, 3, 4]


def test_wait_raises_the_exception_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    thread = spawn(fail, "reason")

    for _ in range(2):
        with pytest.raises(Failure, match="reason") as caught:
            thread.wait()
        assert "fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    capsys.readouterr()


def test_wait_raises_a_base_exception_too(capsys: pytest.CaptureFixture[str]) -> None:
    class Odd(BaseException):
        pass

    def end_oddly() -> None:
        raise Odd

    thread = spawn(end_oddly)

    with pytest.raises(Odd):
        thread.wait()
    assert "Odd" in capsys.readouterr().err


def test_wait_in_the_hubs_own_greenlet_is_refused() -> None:
    refusals: list[MainloopBlocked] = []
    thread = spawn(sleep, 0.001)

    def wait_in_hub() -> None:
        with pytest.raises(MainloopBlocked) as caught:
            thread.wait()
        refusals.append(caught.value)

    get_hub().call_soon(wait_in_hub)
    thread.wait()

    assert len(refusals) == 1


def test_a_thread_that_waits_for_itself_is_told() -> None:
    def wait_for_myself() -> None:
        with pytest.raises(RuntimeError, match=f"{thread.name} would wait for its own end"):
            thread.wait()

    thread = spawn(wait_for_myself)
    thread.wait()


def test_a_killed_waiter_leaves_the_others() -> None:
    thread = spawn(sleep, 0.001)
    victim, other = spawn(thread.wait), spawn(lambda: (thread.wait(), "done"))
    sleep(0)

    kill(victim)

    assert other.wait() == (None, "done")


def test_wait_from_several_os_threads() -> None:
    def take_a_while() -> str:
        sleep(0.03)
        return "result"

    thread = spawn(take_a_while)
    results: list[Any] = []

    def wait_there() -> None:
        results.append(thread.wait())
        drop_hub()

    waiters = [threading.Thread(target=wait_there) for _ in range(3)]
    for each in waiters:
        each.start()
    results.append(thread.wait())
    while any(each.is_alive() for each in waiters):
        sleep(0.001)

    assert results == ["result"] * 4


def test_wait_from_another_os_thread_after_the_end() -> None:
    thread = spawn(lambda: 5)
    thread.wait()

    assert in_os_thread(thread.wait) == 5


def test_wait_survives_the_end_in_another_os_thread_in_between() -> None:
    # What a finish by another OS thread looks like to a waiter that has queued its ticket
    # and not parked yet: the wake comes, and must not hit the waiter's next park.
    thread = spawn(lambda: 5)

    class FinishAtAppend(list[Any]):
        def append(self, ticket: Any) -> None:
            super().append(ticket)
            thread._finished, thread._value = True, "early"
            wake(ticket)

    thread._waiters = FinishAtAppend()

    assert thread.wait() == "early"
    hub = get_hub()
    assert repr(hub.park(hub.ticket(), 0.01)) == "EXPIRED"


# -- uncaught exceptions -------------------------------------------------------------------


def test_a_failing_thread_is_printed_even_if_waited_on(capsys: pytest.CaptureFixture[str]) -> None:
    thread = spawn(fail, "seen")

    with pytest.raises(Failure):
        thread.wait()

    printed = capsys.readouterr().err
    assert thread.name in printed
    assert "spawned at " in printed
    assert "Failure: seen" in printed


def test_a_failing_spawn_n_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    spawn_n(fail, "seen")
    sleep(0)

    assert "Failure: seen" in capsys.readouterr().err


def test_greenlet_exit_is_a_silent_end(capsys: pytest.CaptureFixture[str]) -> None:
    def leave() -> None:
        raise GreenletExit

    thread = spawn(leave)
    spawn_n(leave)

    with pytest.raises(GreenletExit):
        thread.wait()
    assert capsys.readouterr().err == ""


def test_nothing_is_printed_when_debug_exceptions_is_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_hub(), "debug_exceptions", False)

    with pytest.raises(Failure):
        spawn(fail).wait()

    assert capsys.readouterr().err == ""


def test_tracebacks_go_to_the_present_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []

    class Stream:
        def write(self, text: str) -> None:
            lines.append(text)

        def flush(self) -> None:
            lines.append("flushed")

    monkeypatch.setattr(sys, "stderr", Stream())
    spawn_n(fail, "there")
    sleep(0)

    assert "Failure: there" in "".join(lines)
    assert lines[-1] == "flushed"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("start", [spawn, spawn_n])
def test_keyboard_interrupt_and_system_exit_reach_the_main_greenlet(
    kind: type[BaseException], start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def end() -> None:
        raise kind(7)

    start(end)

    with pytest.raises(kind) as caught:
        sleep(5)
    assert caught.value.args == (7,)
    assert capsys.readouterr().err == ""
    sleep(0)  # the hub is alive


def test_the_status_of_the_process_is_that_of_a_system_exit_in_a_thread(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated(
        """
        import sys
        from eventlet.greenthread import sleep, spawn
        spawn(sys.exit, 3)
        try:
            sleep(5)
        finally:
            print("main unwound")
        """,
        expect_status=3,
    )

    assert (done.stdout, done.stderr) == ("main unwound\n", "")


# -- links -------------------------------------------------------------------------------


def test_links_run_in_the_ending_thread_in_order_before_waiters_wake() -> None:
    order: list[Any] = []
    thread = spawn(lambda: order.append("body"))
    thread.link(lambda ended, *args, **kw: order.append((ended is getcurrent(), args, kw)), 1, a=2)
    thread.link(lambda ended: order.append(ended.wait()))

    def wait() -> None:
        thread.wait()
        order.append("waiter")

    spawn(wait).wait()

    assert order == ["body", (True, (1,), {"a": 2}), None, "waiter"]


def test_a_link_sees_the_failure(capsys: pytest.CaptureFixture[str]) -> None:
    caught: list[BaseException] = []
    thread = spawn(fail, "reason")

    def look(ended: GreenThread) -> None:
        with pytest.raises(Failure) as failure:
            ended.wait()
        caught.append(failure.value)

    thread.link(look)
    sleep(0)

    assert [str(exc) for exc in caught] == ["reason"]
    capsys.readouterr()


def test_linking_a_finished_thread_calls_at_once_here() -> None:
    calls: list[Any] = []
    thread = spawn(sleep)
    thread.wait()

    thread.link(lambda ended, word: calls.append((ended is thread, word, getcurrent())), "now")

    assert calls == [(True, "now", getcurrent())]


def test_a_failing_link_of_a_finished_thread_fails_here() -> None:
    thread = spawn(sleep)
    thread.wait()

    with pytest.raises(Failure):
        thread.link(fail)


def test_a_link_may_link() -> None:
    calls: list[int] = []
    thread = spawn(sleep)
    thread.link(lambda ended: ended.link(lambda _: calls.append(1)))
    thread.link(lambda _: calls.append(2))

    thread.wait()

    assert calls == [1, 2]


def test_a_failing_link_is_printed_and_stops_neither_links_nor_waiters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []
    thread = spawn(lambda: "result")
    thread.link(lambda _: fail("in a link"))
    thread.link(lambda _: calls.append(1))

    assert thread.wait() == "result"
    assert calls == [1]
    assert "Failure: in a link" in capsys.readouterr().err


def test_a_link_that_is_killed_stops_neither_links_nor_waiters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []
    thread = spawn(lambda: "result")
    thread.link(lambda _: park_for_ever())
    thread.link(lambda _: calls.append(1))
    waiter = spawn(thread.wait)
    sleep(0)

    kill(thread)

    assert waiter.wait() == "result"
    assert calls == [1]
    assert capsys.readouterr().err == ""


def test_system_exit_in_a_link_reaches_main_after_links_and_waiters() -> None:
    calls: list[str] = []
    thread = spawn(sleep)
    thread.link(lambda _: sys.exit(4))
    thread.link(lambda _: calls.append("link"))

    def wait() -> None:
        thread.wait()
        calls.append("waiter")

    spawn(wait)
    with pytest.raises(SystemExit):
        sleep(5)
    sleep(0)
    assert calls == ["link", "waiter"]


def test_unlink_needs_the_same_function_and_arguments() -> None:
    calls: list[Any] = []

    def note(_: GreenThread, *args: Any, **kw: Any) -> None:
        calls.append((args, kw))

    thread = spawn(sleep)
    thread.link(note, 1, a=2)
    thread.link(note, 3)
    answers = [thread.unlink(note), thread.unlink(note, 1, a=2), thread.unlink(note, 1, a=2)]
    thread.wait()

    assert answers == [False, True, False]
    assert calls == [((3,), {})]


def test_link_from_another_os_thread_runs_in_the_ending_thread() -> None:
    seen: list[Any] = []
    gates: list[Any] = []

    def wait_at_the_gate() -> None:
        gates.append(get_hub().ticket())
        get_hub().park(gates[0])

    thread = spawn(wait_at_the_gate)
    sleep(0)

    in_os_thread(lambda: thread.link(lambda ended: seen.append(getcurrent() is ended)))
    wake(gates[0])
    thread.wait()

    assert seen == [True]


# -- kill of a started thread --------------------------------------------------------------


def test_kill_runs_the_victim_then_what_was_ready_then_the_killer() -> None:
    order: list[str] = []

    def victim() -> None:
        try:
            park_for_ever()
        finally:
            order.append("victim")

    thread = spawn(victim)
    sleep(0)
    spawn(order.append, "queued")

    assert thread.kill() is None  # type: ignore[func-returns-value]  # that is the claim
    order.append("killer")

    assert order == ["victim", "queued", "killer"]
    with pytest.raises(GreenletExit):
        thread.wait()


def test_kill_of_the_dead_does_nothing_and_does_not_yield() -> None:
    order: list[str] = []
    thread = spawn(sleep)
    thread.wait()
    other = spawn(order.append, "other")

    thread.kill(Failure)
    order.append("killer")
    other.wait()

    assert order == ["killer", "other"]


def given_traceback() -> Any:
    try:
        fail("made before")
    except Failure as exc:
        return exc.__traceback__


@pytest.mark.parametrize(
    "throw_args",
    [(Failure("x").with_traceback(given_traceback()),), (Failure, "x", given_traceback())],
)
def test_kill_keeps_the_traceback_it_is_given(
    throw_args: tuple[Any, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    thread = spawn(park_for_ever)
    sleep(0)
    thread.kill(*throw_args)

    with pytest.raises(Failure) as caught:
        thread.wait()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "park_for_ever" in names
    assert "given_traceback" in names
    capsys.readouterr()


def test_a_victim_may_catch_the_kill_and_return() -> None:
    def survive() -> str:
        try:
            park_for_ever()
        except GreenletExit:
            return "survived"
        return "not killed"

    thread = spawn(survive)
    sleep(0)
    thread.kill()

    assert thread.wait() == "survived"


def test_kill_returns_while_the_victim_blocks_in_its_clean_up() -> None:
    def slow() -> str:
        try:
            park_for_ever()
        except GreenletExit:
            sleep(0.005)
        return "cleaned up"

    thread = spawn(slow)
    sleep(0)
    thread.kill()

    assert thread
    assert thread.wait() == "cleaned up"


def test_kill_of_oneself_raises_in_place_and_leaves_no_timer() -> None:
    order: list[str] = []

    def suicide() -> None:
        try:
            kill(getcurrent(), Failure("self"))
        except Failure:
            order.append("caught")
        order.append("after")

    spawn(suicide).wait()

    assert order == ["caught", "after"]
    assert get_hub().timers.next_deadline() is None


def test_kill_raises_what_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    thread = spawn(park_for_ever)
    sleep(0)
    thread.kill(Failure, "told")

    with pytest.raises(Failure, match="told"):
        thread.wait()
    assert "Failure: told" in capsys.readouterr().err


def test_kill_of_a_sleeper_makes_its_timer_harmless() -> None:
    thread = spawn(sleep, 0.005)
    sleep(0)
    thread.kill()

    sleep(0.01)

    assert thread.dead


def test_kill_in_the_hubs_own_greenlet_does_not_wait() -> None:
    order: list[str] = []

    def victim() -> None:
        try:
            park_for_ever()
        finally:
            order.append("victim")

    def kill_it() -> None:
        kill(thread)
        order.append("callback")

    thread = spawn(victim)
    sleep(0)
    get_hub().call_soon(kill_it)
    sleep(0)

    assert order == ["callback", "victim"]


def test_kill_overtakes_a_wake_that_has_not_run_yet() -> None:
    outcomes: list[Any] = []

    def parker() -> None:
        ticket = get_hub().ticket()
        tickets.append(ticket)
        try:
            outcomes.append(get_hub().park(ticket))
        except GreenletExit:
            outcomes.append(("killed", ticket.was_woken))

    tickets: list[Any] = []
    thread = spawn(parker)
    sleep(0)
    wake(tickets[0], "item")
    kill(thread)

    assert outcomes == [("killed", True)]


def test_a_kill_behind_another_interrupt_is_not_lost() -> None:
    order: list[Any] = []

    def stubborn() -> None:
        for _ in range(2):
            try:
                park_for_ever()
            except BaseException as exc:
                order.append(type(exc))

    thread = spawn(stubborn)
    sleep(0)
    throw_into(thread, Failure())
    kill(thread)

    assert order == [Failure, GreenletExit]


def test_kill_of_a_thread_in_a_raw_switch_runs_it_at_once() -> None:
    order: list[str] = []

    def victim() -> None:
        try:
            get_hub().greenlet.switch()
        finally:
            order.append("victim")

    thread = spawn(victim)
    sleep(0)
    spawn(order.append, "queued")
    kill(thread)
    order.append("killer")

    assert order == ["victim", "queued", "killer"]


def test_kill_of_a_plain_greenlet_that_parked() -> None:
    order: list[str] = []

    def body() -> None:
        try:
            park_for_ever()
        finally:
            order.append("ended")

    plain = greenlet.greenlet(body, get_hub().greenlet)
    get_hub().call_soon(plain.switch)
    sleep(0)
    kill(plain)

    assert order == ["ended"]
    assert plain.dead


def test_kill_from_another_os_thread_is_delivered_on_the_victims_hub(
    capsys: pytest.CaptureFixture[str],
) -> None:
    idents: list[int] = []

    def victim() -> None:
        try:
            park_for_ever()
        finally:
            idents.append(threading.get_ident())

    thread = spawn(victim)
    sleep(0)
    in_os_thread(lambda: kill(thread, Failure("from afar")))

    with pytest.raises(Failure, match="from afar"):
        thread.wait()
    assert idents == [threading.get_ident()]
    capsys.readouterr()


def test_kill_of_an_unstarted_thread_from_another_os_thread() -> None:
    thread = spawn_after(30, fail)

    in_os_thread(lambda: kill(thread))

    with pytest.raises(GreenletExit):
        thread.wait()


def test_kill_of_the_main_greenlet_from_a_thread() -> None:
    main = getcurrent()
    spawn_n(kill, main, Failure("you"))

    with pytest.raises(Failure, match="you"):
        sleep(5)


# -- kill of a thread that has not started -------------------------------------------------

TRACEBACK = exception_from(()).__traceback__

THROW_ARGS: list[tuple[tuple[Any, ...], type[BaseException], tuple[Any, ...]]] = [
    ((), GreenletExit, ()),
    ((Failure,), Failure, ()),
    ((Failure("instance"),), Failure, ("instance",)),
    ((Failure, "value"), Failure, ("value",)),
    ((Failure, ("two", "values")), Failure, ("two", "values")),
    ((Failure, Failure("made")), Failure, ("made",)),
    ((Failure, None, None), Failure, ()),
    ((Failure, "value", TRACEBACK), Failure, ("value",)),
    ((KeyboardInterrupt,), KeyboardInterrupt, ()),
    ((SystemExit, 3), SystemExit, (3,)),
]


@pytest.mark.parametrize("throw_args, kind, args", THROW_ARGS)
@pytest.mark.parametrize("start", [spawn, lambda func: spawn_after(30, func)])
def test_kill_of_the_unstarted_takes_every_throw_form_and_prints_nothing(
    throw_args: tuple[Any, ...],
    kind: type[BaseException],
    args: tuple[Any, ...],
    start: Callable[..., GreenThread],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran: list[bool] = []
    linked: list[GreenThread] = []
    thread = start(lambda: ran.append(True))
    thread.link(linked.append)

    thread.kill(*throw_args)

    with pytest.raises(kind) as caught:
        thread.wait()
    assert caught.value.args == args
    assert (thread.dead, bool(thread), ran, linked) == (True, False, [], [thread])
    assert capsys.readouterr().err == ""
    sleep(0)
    assert ran == []
    assert get_hub().timers.next_deadline() is None


def test_kill_of_the_unstarted_wakes_those_who_wait_already() -> None:
    thread = spawn_after(30, sleep)

    def wait() -> str:
        with pytest.raises(Failure):
            thread.wait()
        return "told"

    waiter = spawn(wait)
    sleep(0)

    thread.kill(Failure)

    assert waiter.wait() == "told"


def test_kill_of_an_unstarted_spawn_n() -> None:
    ran: list[bool] = []
    plain = spawn_n(ran.append, True)

    kill(plain)
    sleep(0)

    assert (plain.dead, ran) == (True, [])


def test_kill_of_an_unstarted_plain_greenlet(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[bool] = []
    plain = greenlet.greenlet(lambda: ran.append(True))

    kill(plain, Failure)

    assert (plain.dead, ran) == (True, [])
    assert capsys.readouterr().err == ""


def test_kill_of_the_unstarted_on_a_hub_that_never_ran(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        from eventlet.greenthread import kill, sleep, spawn
        thread = spawn(print, "never")
        kill(thread, ValueError("x"))
        try:
            thread.wait()
        except ValueError as exc:
            print(repr(exc))
        sleep(0.001)
        print("alive")
        """
    )

    assert (done.stdout, done.stderr) == ("ValueError('x')\nalive\n", "")


def test_kill_refuses_what_cannot_be_raised() -> None:
    thread = spawn(sleep)

    with pytest.raises(TypeError, match="exceptions must be classes or instances"):
        thread.kill("reason")
    with pytest.raises(TypeError, match="separate value"):
        thread.kill(Failure("instance"), "value")
    thread.wait()


def test_the_given_traceback_is_kept() -> None:
    try:
        fail()
    except Failure as exc:
        trace = exc.__traceback__

    made = exception_from((Failure, None, trace))

    assert made.__traceback__ is trace


# -- cancel ------------------------------------------------------------------------------


def test_cancel_kills_only_what_has_not_started() -> None:
    unstarted, started = spawn(sleep, 30), spawn_after(0, sleep, 0.001)
    unstarted.cancel()
    sleep(0)
    started.cancel()

    with pytest.raises(GreenletExit):
        unstarted.wait()
    assert started.wait() is None
    started.cancel()


# -- the hub's greenlet ends ----------------------------------------------------------------


def test_a_hub_that_ended_is_rebuilt_with_its_timers() -> None:
    hub = get_hub()
    old = hub.greenlet
    thread = spawn_after(0.01, lambda: "ran")
    sleep(0)

    hub.stop()
    sleep(0)

    assert thread.wait() == "ran"
    assert old.dead
    assert hub.greenlet is not old


def test_threads_of_a_hub_that_ended_return_to_the_new_one() -> None:
    hub = get_hub()
    main = getcurrent()
    thread = spawn(sleep, 0.005)
    sleep(0)
    hub.stop()
    sleep(0)

    hub.park(hub.ticket(), 0.02)  # the thread ends meanwhile, and must not end up here

    assert thread.dead
    assert hub.greenlet.parent is main


def test_a_timeout_reaches_a_thread_through_a_raw_switch() -> None:
    with pytest.raises(Timeout), Timeout(0.005):
        get_hub().greenlet.switch()
    sleep(0)
