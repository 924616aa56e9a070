"""The hub: passes, fairness, escaping exceptions, embedding, the end of the loop.

Traps 4 (asleep), 5 (embedding needs "earlier"), 6 (the budget) and 9 (stalled).
"""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import greenlet
import pytest

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.hub import IO_BUDGET, Hub
from eventlet._core.poller import READ
from eventlet._core.wait_queue import EXPIRED, Ticket, wake
from eventlet._core.waiting import give_up_ticket, ticket_here, wait_here
from eventlet._errors import EmbeddingError, HubClosed, MainloopBlocked
from eventlet.greenthread import getcurrent, kill, sleep, spawn, spawn_after, spawn_n

from tests.unit.core.os_threads import in_os_thread, start_os_thread
from tests.unit.core.plumbing import LONG, SOON, alarms, socket_pair


@pytest.fixture
def hub() -> Hub:
    return get_hub()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    r, w = os.pipe()
    try:
        yield r, w
    finally:
        os.close(r)
        os.close(w)


def on_own_hub(function: Callable[[], Any]) -> Any:
    """Run `function` in an OS thread, on a hub that no other test has seen."""
    return in_os_thread(function)


# -- passes ----------------------------------------------------------------------------------


def test_one_hub_for_each_os_thread(hub: Hub) -> None:
    assert get_hub() is hub
    other = in_os_thread(get_hub)
    assert other is not hub
    assert other.closed


def test_threads_run_in_the_order_they_became_ready() -> None:
    order: list[int] = []
    for n in range(10):
        spawn(order.append, n)
    assert order == []
    sleep(0)
    assert order == list(range(10))


def test_threads_that_yield_take_turns() -> None:
    order: list[str] = []

    def body(name: str) -> None:
        for _ in range(3):
            order.append(name)
            sleep(0)

    for thread in [spawn(body, name) for name in "abc"]:
        thread.wait()
    assert "".join(order) == "abcabcabc"


def test_a_wake_that_came_while_a_signal_handler_waited_ends_the_next_park(hub: Hub) -> None:
    ticket = hub.ticket()
    of_handler = ticket_here()  # it came between the making of the ticket and the park
    spawn(wake, ticket, "woken")
    assert wait_here(of_handler, 0.01) is EXPIRED
    give_up_ticket(of_handler)

    assert hub.park(ticket, LONG) == "woken"


def test_what_a_batch_makes_ready_waits_for_the_next_pass(hub: Hub) -> None:
    order: list[str] = []

    def first() -> None:
        hub.call_soon(order.append, "next batch")
        order.append("first")

    hub.call_soon(first)
    hub.call_soon(order.append, "second")
    sleep(0)
    sleep(0)
    assert order == ["first", "second", "next batch"]


def test_threads_that_never_wait_do_not_starve_io(hub: Hub) -> None:
    stop = False

    def spin() -> None:
        while not stop:
            sleep(0)

    spinners = [spawn(spin) for _ in range(5)]
    with pipe() as (r, w):
        os.write(w, b"x")
        assert hub.wait_foreign(r, read=True, timeout=LONG) == READ
    assert hub.park(hub.ticket(), 0.002) is EXPIRED
    stop = True
    for thread in spinners:
        thread.wait()


def test_threads_that_spawn_without_end_do_not_starve_io(hub: Hub) -> None:
    stop = False

    def breed() -> None:
        if not stop:
            spawn_n(breed)

    breed()
    with pipe() as (r, w):
        spawn_after(0.002, os.write, w, b"x")
        assert hub.wait_foreign(r, read=True, timeout=LONG) == READ
    stop = True
    sleep(0)


def test_trap6_the_budget_yields_once_in_a_while_and_is_renewed(hub: Hub) -> None:
    seen: list[int] = []

    def busy() -> None:
        for _ in range(3):
            hub.budget = 0
            hub.spend()
            seen.append(hub.budget)

    spawn(busy)
    other: list[int] = []
    spawn(other.append, 1)
    sleep(0)
    sleep(0)
    assert other == [1]
    sleep(0)
    sleep(0)
    assert seen == [IO_BUDGET] * 3


def test_trap6_the_budget_is_never_spent_in_the_hubs_greenlet(hub: Hub) -> None:
    spent: list[int] = []

    def callback() -> None:
        hub.budget = 0
        hub.spend()  # would be MainloopBlocked if it yielded
        spent.append(hub.budget)

    hub.call_soon(callback)
    sleep(0)
    assert spent == [IO_BUDGET]


def test_trap6_the_budget_of_another_os_threads_hub_is_not_ours(hub: Hub) -> None:
    in_os_thread(hub.spend)


def test_an_exception_in_a_callback_lets_the_rest_of_the_batch_run(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[int] = []
    hub.call_soon(order.append, 1)
    hub.call_soon(int, "no number")
    hub.call_soon(order.append, 2)
    spawn(order.append, 3)
    sleep(0)
    sleep(0)
    assert order == [1, 2, 3]
    assert hub.deadline() is None
    assert capsys.readouterr().err.count("ValueError: invalid literal") == 1


# -- escaping exceptions -------------------------------------------------------------------------


def test_reports_go_once_to_the_present_standard_error(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = io.StringIO()
    monkeypatch.setattr(sys, "stderr", mine)
    hub.call_soon(int, "callback")
    spawn_n(int, "thread")
    sleep(0)
    sleep(0)

    text = mine.getvalue()
    assert text.count("Traceback") == 2
    assert text.count("Exception in the hub\n") == 1
    assert text.count("Exception in <GreenThread-") == 1
    assert __file__ in text  # where it was spawned


def test_nothing_is_reported_when_that_is_switched_off(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.debug_exceptions = False
    try:
        hub.call_soon(int, "x")
        sleep(0)
    finally:
        hub.debug_exceptions = True
    assert capsys.readouterr().err == ""


class _Broken:
    def write(self, _text: str) -> None:
        raise AttributeError("no more")

    def flush(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("stream", [None, _Broken()], ids=["none", "broken"])
def test_a_report_without_standard_error_harms_nobody(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, stream: object
) -> None:
    order: list[int] = []
    monkeypatch.setattr(sys, "stderr", stream)
    hub.call_soon(int, "x")
    hub.call_soon(order.append, 1)
    sleep(0)
    sleep(0)
    assert order == [1]


def test_greenlet_exit_is_silent(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    def leave() -> None:
        raise greenlet.GreenletExit

    hub.call_soon(leave)
    spawn_n(leave)
    spawn(leave)
    sleep(0)
    sleep(0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("source", ["callback", "thread", "plain"])
def test_exit_requests_reach_the_main_greenlet_where_it_waits(
    hub: Hub, kind: type[BaseException], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave() -> None:
        raise kind("from below")

    start: dict[str, Callable[..., object]]
    start = {"callback": hub.call_soon, "thread": spawn, "plain": spawn_n}
    start[source](leave)
    with pytest.raises(kind, match="from below"):
        sleep(LONG)

    assert capsys.readouterr().err == ""
    assert hub.park(hub.ticket(), 0.001) is EXPIRED


def test_an_exit_request_does_not_reach_another_os_threads_main() -> None:
    def program() -> str:
        spawn(sys.exit, 5)
        try:
            sleep(LONG)
        except SystemExit as exc:
            return f"here: {exc.code}"
        return "nowhere"

    assert on_own_hub(program) == "here: 5"


# -- the loop ends and begins again ----------------------------------------------------------------


def test_stop_wakes_nobody_and_keeps_threads_and_timers(hub: Hub) -> None:
    order: list[str] = []

    def sleeper() -> None:
        sleep(0.004)
        order.append("thread")

    thread = spawn(sleeper)
    sleep(0)
    hub.call_later(0.004, order.append, "timer")
    old = hub.greenlet
    hub.stop()

    began = time.monotonic()
    sleep(0.01)

    assert time.monotonic() - began >= 0.01
    assert order == ["thread", "timer"]
    assert old.dead
    assert hub.greenlet is not old
    assert thread.dead
    assert hub.greenlet.parent is getcurrent()


def test_orphans_of_a_loop_that_ended_belong_to_the_next(hub: Hub) -> None:
    thread = spawn(sleep, 0.002)
    unstarted = spawn_after(0.002, lambda: 5)
    sleep(0)
    hub.stop()
    sleep(0)
    sleep(0)

    assert thread.parent is hub.greenlet
    thread.wait()
    assert unstarted.wait() == 5
    # Had they ended in the dead greenlet, main would have been torn out of this wait.
    assert hub.park(hub.ticket(), 0.002) is EXPIRED


def test_the_loop_can_end_in_a_callback(hub: Hub) -> None:
    old = hub.greenlet
    hub.call_soon(hub.stop)
    began = time.monotonic()
    sleep(0.005)
    assert time.monotonic() - began >= 0.005
    assert old.dead


def test_a_hub_that_a_green_thread_made_ends_there() -> None:
    def program() -> list[object]:
        found: list[object] = []

        def maker() -> None:
            get_hub()
            found.append(get_hub().greenlet.parent is greenlet.getcurrent())
            sleep(0.001)
            found.append("slept")

        greenlet.greenlet(maker).switch()
        sleep(0.001)
        return [*found, get_hub().main_greenlet() is greenlet.getcurrent()]

    assert on_own_hub(program) == [True, "slept", True]


def test_a_closed_hub_refuses_to_park() -> None:
    kept: list[Hub] = []

    def program() -> None:
        kept.append(get_hub())
        sleep(0)

    in_os_thread(program)
    (hub,) = kept
    assert hub.closed
    with pytest.raises(HubClosed):
        hub.call_from_thread(print)
    with pytest.raises(HubClosed):
        hub.park(hub.ticket())
    hub.close()  # again is harmless


# -- embedding --------------------------------------------------------------------------------------


def test_run_once_makes_one_pass(hub: Hub) -> None:
    order: list[str] = []

    def body() -> None:
        order.append("first pass")
        sleep(0)
        order.append("second pass")

    spawn(body)
    hub.run_once()
    assert order == ["first pass"]
    hub.run_once()
    assert order == ["first pass", "second pass"]
    hub.run_once()


def test_run_once_of_nothing_returns_at_once(hub: Hub) -> None:
    began = time.monotonic()
    hub.run_once()
    hub.run_once(0)
    assert time.monotonic() - began < LONG


def test_run_once_waits_for_work_as_long_as_it_is_told(hub: Hub) -> None:
    hub.run_once(0)
    began = time.monotonic()
    hub.run_once(SOON)
    assert SOON * 0.9 <= time.monotonic() - began < LONG


def test_run_once_waits_until_the_next_deadline(hub: Hub) -> None:
    ran: list[int] = []
    began = time.monotonic()
    hub.call_later(SOON, ran.append, 1)
    hub.run_once(None)
    assert ran == [1]
    assert SOON * 0.9 <= time.monotonic() - began < LONG


def test_run_once_makes_a_whole_pass_even_after_a_park(hub: Hub) -> None:
    # main came here out of the middle of a batch.
    sleep(0)
    with pipe() as (r, w):
        reader = spawn(hub.wait_foreign, r, True, False, LONG)
        sleep(0)
        os.write(w, b"x")
        hub.run_once(LONG)
        assert reader.dead


def test_run_once_works_in_a_green_thread(hub: Hub) -> None:
    order: list[str] = []

    def driver() -> None:
        hub.call_later(0.001, order.append, "timer")
        hub.run_once(LONG)
        order.append("driver")

    thread = spawn(driver)
    thread.wait()
    assert order == ["timer", "driver"]


def test_trap5_run_once_inside_run_once_is_an_error(hub: Hub) -> None:
    errors: list[str] = []

    def nested() -> None:
        with pytest.raises(EmbeddingError) as info:
            hub.run_once()
        errors.append(str(info.value))

    hub.call_soon(nested)
    spawn(nested)
    hub.run_once()
    assert len(errors) == 2
    assert "already making a pass" in errors[0]
    hub.run_once()


def test_trap5_run_once_in_another_os_thread_is_an_error(hub: Hub) -> None:
    with pytest.raises(EmbeddingError, match="OS thread"):
        in_os_thread(hub.run_once)


def test_deadline_is_now_while_threads_are_ready_and_that_of_the_first_timer_else(
    hub: Hub,
) -> None:
    hub.run_once()
    assert hub.deadline() is None
    before = hub.clock()
    timer = hub.call_later(50, print)
    deadline = hub.deadline()
    assert deadline is not None
    assert before + 50 <= deadline <= hub.clock() + 50
    call = hub.call_soon(print)
    deadline = hub.deadline()
    assert deadline is not None
    assert deadline <= hub.clock()
    timer.cancel()
    call.cancel()
    hub.run_once()
    assert hub.deadline() is None


def test_an_exit_request_comes_out_of_run_once(hub: Hub) -> None:
    order: list[int] = []
    spawn(sys.exit, 3)
    spawn(order.append, 1)
    with pytest.raises(SystemExit) as info:
        hub.run_once()
    assert info.value.code == 3
    hub.run_once()
    assert order == [1]


def test_two_exit_requests_come_out_one_after_the_other(hub: Hub) -> None:
    spawn(sys.exit, 3)
    spawn(sys.exit, 4)
    codes = []
    for _ in range(2):
        with pytest.raises(SystemExit) as info:
            hub.run_once()
        codes.append(info.value.code)
    assert codes == [3, 4]
    hub.run_once()


def test_a_select_loop_drives_the_hub(hub: Hub) -> None:
    # Echo over a socket pair, a timer and another OS thread, all by the outer loop.
    if hub.fileno() < 0:
        pytest.skip("the poller has no descriptor to wait on")
    results: dict[str, Any] = {}
    with socket_pair() as (a, b):

        def echo() -> None:
            hub.wait_foreign(b.fileno(), read=True)
            b.send(b.recv(10).upper())

        def client() -> None:
            a.send(b"hello")
            hub.wait_foreign(a.fileno(), read=True)
            results["echo"] = a.recv(10)

        def sleeper() -> None:
            sleep(0.01)
            results["timer"] = True

        def waiter() -> None:
            ticket = hub.ticket()
            other = start_os_thread(lambda: wake_in(SOON, ticket, "woken"))
            results["thread"] = hub.park(ticket)
            other.result()

        for body in (echo, client, sleeper, waiter):
            spawn(body)
        turns = drive_by_select(hub, lambda: len(results) == 3)
    assert results == {"echo": b"HELLO", "timer": True, "thread": "woken"}
    assert turns < 100  # it waited, it did not spin


def wake_in(seconds: float, ticket: Ticket, value: object) -> None:
    time.sleep(seconds)
    wake(ticket, value)


def drive_by_select(hub: Hub, is_done: Callable[[], bool]) -> int:
    turns = 0
    give_up = time.monotonic() + LONG
    while not is_done():
        assert time.monotonic() < give_up
        deadline = hub.deadline()
        wait = LONG if deadline is None else max(deadline - hub.clock(), 0)
        select.select([hub.fileno()], [], [], wait)
        hub.run_once()
        turns += 1
    return turns


@contextmanager
def embedded(hub: Hub) -> Iterator[list[int]]:
    """Let an imaginary outer loop drive `hub`; hand out the list its notices go to."""
    hub.run_once()
    notices: list[int] = []
    hub.on_earlier = lambda: notices.append(1)
    try:
        yield notices
    finally:
        hub.on_earlier = None
        hub.run_once()


@pytest.mark.parametrize(
    "make_work",
    [
        lambda hub: hub.call_soon(int),
        lambda hub: hub.call_later(0, int),
        lambda hub: hub.call_later(0.001, int),
        lambda hub: hub.call_at(hub.clock(), int),
        lambda hub: spawn(int),
        lambda hub: spawn_n(int),
        lambda hub: spawn_after(0.001, int),
        lambda hub: hub.stop(),
    ],
    ids=["soon", "in 0 s", "in 1 ms", "at now", "spawn", "spawn_n", "spawn_after", "stop"],
)
def test_trap5_work_made_outside_tells_the_embedder(
    hub: Hub, make_work: Callable[[Hub], object]
) -> None:
    with embedded(hub) as notices:
        make_work(hub)
        assert notices == [1]
        time.sleep(0.002)
    hub.run_once()


def test_trap5_a_wake_from_outside_tells_the_embedder(hub: Hub) -> None:
    tickets: list[Any] = []

    def waiter() -> Any:
        tickets.append(hub.ticket())
        return hub.park(tickets[0])

    thread = spawn(waiter)
    with embedded(hub) as notices:
        hub.run_once()
        wake(tickets[0], 8)
        assert notices == [1]
        hub.run_once()
        assert thread.dead
    assert thread.wait() == 8


def test_trap5_a_later_timer_is_no_news(hub: Hub) -> None:
    with embedded(hub) as notices:
        first = hub.call_later(50, int)
        second = hub.call_later(60, int)
        assert notices == [1]
        third = hub.call_later(40, int)
        assert notices == [1, 1]
        for timer in (first, second, third):
            timer.cancel()


def test_trap5_work_made_in_a_pass_is_no_news(hub: Hub) -> None:
    with embedded(hub) as notices:
        hub.call_soon(lambda: spawn(int))
        notices.clear()
        hub.run_once()
        assert notices == []
        assert hub.deadline() is not None


def test_trap5_other_os_threads_make_the_descriptor_readable_instead(hub: Hub) -> None:
    if hub.fileno() < 0:
        pytest.skip("the poller has no descriptor to wait on")
    ran: list[int] = []
    with embedded(hub) as notices:
        in_os_thread(lambda: hub.call_from_thread(ran.append, 1))
        assert notices == []
        assert select.select([hub.fileno()], [], [], LONG)[0]
        hub.run_once()
        assert ran == [1]
        hub.run_once()
        assert not select.select([hub.fileno()], [], [], 0)[0]


def test_trap5_a_signal_handler_is_heard_by_run_once_that_waits(hub: Hub) -> None:
    # The notice would reach nobody: the outer loop is in run_once, which is in the kernel.
    ran: list[int] = []
    with embedded(hub) as notices, alarms(lambda *_: hub.call_soon(ran.append, 1), 0.01):
        for _ in range(100):
            hub.run_once()
            ran.clear()
            notices.clear()
            began = time.monotonic()
            hub.run_once(LONG)
            assert time.monotonic() - began < LONG / 2
            if ran and not notices:  # else it came before `run_once`, or after it
                break
        else:
            pytest.fail("notices go to a loop that cannot hear them")


def test_trap5_parking_the_outer_loops_greenlet_is_an_error(hub: Hub) -> None:
    with embedded(hub):
        ticket = hub.ticket()
        for call in (
            lambda: hub.park(ticket),
            lambda: hub.park(hub.ticket(), 1.0),
            hub.yield_,
            lambda: sleep(0.001),
            lambda: sleep(0),
        ):
            with pytest.raises(EmbeddingError, match="spawn a green thread"):
                call()
        assert wake(ticket) is False
        thread = spawn(sleep, 0.001)  # while green threads park as ever
        hub.run_once()
        hub.run_once(LONG)
        assert thread.dead
    sleep(0)  # the outer loop has let go


def test_trap5_kill_from_the_outer_loop_does_not_park_it(hub: Hub) -> None:
    with embedded(hub) as notices:
        thread = spawn(sleep, LONG)
        hub.run_once()
        notices.clear()
        kill(thread)
        assert notices == [1]
        hub.run_once()
        assert thread.dead


def test_trap5_a_pass_is_bounded_to_one_batch(hub: Hub) -> None:
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        if count < 5:
            hub.call_soon(again)

    hub.call_soon(again)
    hub.run_once()
    assert count == 1
    while count < 5:
        hub.run_once()


# -- stalled ------------------------------------------------------------------------------------------


def stalled_on_own_hub(make: Callable[[Hub], object]) -> bool:
    """Tell whether a hub with nothing but what `make` makes is stalled."""

    def program() -> bool:
        hub = get_hub()
        made = make(hub)
        hub.run_once()
        answer = hub.is_stalled()
        del made
        return answer

    result: bool = on_own_hub(program)
    return result


def test_trap9_a_hub_with_nothing_is_stalled() -> None:
    assert stalled_on_own_hub(lambda hub: None)


def test_trap9_threads_that_nobody_can_wake_are_stalled() -> None:
    assert stalled_on_own_hub(lambda hub: spawn(lambda: hub.park(hub.ticket())))


def test_trap9_a_cancelled_timer_does_not_count() -> None:
    assert stalled_on_own_hub(lambda hub: hub.call_later(50, int).cancel())


def test_trap9_a_timer_can_wake() -> None:
    assert not stalled_on_own_hub(lambda hub: hub.call_later(50, int))
    assert not stalled_on_own_hub(lambda hub: spawn(sleep, 50))


def test_trap9_a_ready_thread_is_not_stalled(hub: Hub) -> None:
    call = hub.call_soon(int)
    assert not hub.is_stalled()
    call.cancel()
    last = spawn(hub.is_stalled)
    assert not hub.is_stalled()
    assert last.wait() is True  # asked by the last that runs: nothing else is left


def test_trap9_a_descriptor_can_wake() -> None:
    with pipe() as (r, _):
        assert not stalled_on_own_hub(lambda hub: spawn(hub.wait_foreign, r, True))


def test_trap9_an_embedder_can_wake(hub: Hub) -> None:
    with embedded(hub):
        assert not hub.is_stalled()


def test_trap9_asking_does_not_make_a_hub() -> None:
    assert in_os_thread(existing_hub) is None


def test_mainloop_is_told_apart(hub: Hub) -> None:
    answers: list[bool] = []
    hub.call_soon(lambda: answers.append(hub.may_park()))
    sleep(0)
    assert answers == [False]
    assert hub.may_park()
    assert issubclass(MainloopBlocked, RuntimeError)


def test_an_interrupted_yield_leaves_no_cycle() -> None:
    """The exception refers to the frame of the yield, and that to its ticket."""
    hub = get_hub()
    tickets: list[Any] = []

    def yield_and_swallow() -> None:
        try:
            hub.yield_()
        except greenlet.GreenletExit:
            return

    thread = spawn(yield_and_swallow)
    sleep(0)
    tickets.append(thread._ticket)
    thread.kill()

    assert tickets[0].exc is None
