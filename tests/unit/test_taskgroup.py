"""Tests of `eventlet.taskgroup`: children end with their block, failures leave together."""

# ruff: noqa: PT012, SIM117 - it is the whole block of a group that raises

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.scope import refusal_here, shielded
from eventlet._core.thread import throw_into
from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn
from eventlet.queue import LightQueue
from eventlet.taskgroup import (
    Cancelled,
    CancelScope,
    TaskGroup,
    fail_after,
    move_on_after,
)
from eventlet.timeout import Timeout

from tests.conftest import RunIsolated
from tests.unit.actors import settle
from tests.unit.core.os_threads import in_os_thread

SOON = 0.01
LONG = 5.0


class Stop(BaseException):
    """An interrupt of these tests."""


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert get_hub().scopes == 0
    assert refusal_here() is None


def fail(exc: BaseException) -> None:
    raise exc


def fail_soon(exc: BaseException) -> None:
    sleep(0)
    raise exc


def after(seconds: float, call: Callable[..., Any], *args: Any) -> None:
    sleep(seconds)
    call(*args)


def wait_for_ever(journal: list[Any] | None = None, name: Any = "ended") -> None:
    try:
        sleep(LONG)
    finally:
        if journal is not None:
            journal.append(name)


def messages(group: BaseExceptionGroup[Any]) -> list[str]:
    return [str(exc) for exc in group.exceptions]


# -- children and their block ---------------------------------------------------------------------


def test_the_block_waits_for_its_children() -> None:
    journal: list[str] = []

    def work(name: str, seconds: float) -> None:
        sleep(seconds)
        journal.append(name)

    with TaskGroup() as group:
        group.spawn(work, "slow", SOON)
        group.spawn(work, "quick", 0)
        journal.append("body")

    assert journal == ["body", "quick", "slow"]


def test_results_come_through_the_green_threads() -> None:
    with TaskGroup() as group:
        threads = [group.spawn(pow, 2, number, mod=5) for number in range(4)]

    assert [thread.wait() for thread in threads] == [1, 2, 4, 3]


def test_a_group_without_children_does_not_yield() -> None:
    journal: list[str] = []
    other = spawn(journal.append, "somebody else")

    with TaskGroup():
        pass

    assert journal == []
    other.wait()


def test_children_that_never_park_run_when_the_block_waits() -> None:
    journal: list[int] = []
    with TaskGroup() as group:
        for number in range(3):
            group.spawn(journal.append, number)
        assert journal == []

    assert journal == [0, 1, 2]


def test_a_child_spawns_grandchildren_in_the_group() -> None:
    journal: list[int] = []

    def work(depth: int) -> None:
        journal.append(depth)
        if depth < 3:
            group.spawn(work, depth + 1)

    with TaskGroup() as group:
        group.spawn(work, 0)

    assert journal == [0, 1, 2, 3]


def test_another_green_thread_spawns_while_the_group_is_open() -> None:
    journal: list[str] = []
    with TaskGroup() as group:
        spawn(group.spawn, journal.append, "from outside")
        sleep(0)

    assert journal == ["from outside"]


def test_another_green_thread_spawns_while_the_block_waits() -> None:
    journal: list[str] = []
    gate = Event()
    with TaskGroup() as group:
        group.spawn(gate.wait)
        spawn(group.spawn, journal.append, "late")
        spawn(gate.send)

    assert journal == ["late"]


def test_a_callback_of_the_hub_spawns() -> None:
    journal: list[str] = []
    with TaskGroup() as group:
        group.spawn(sleep, SOON)
        get_hub().call_soon(group.spawn, journal.append, "from the hub")

    assert journal == ["from the hub"]


def test_a_child_is_in_the_scope_of_the_group_and_not_in_its_spawners() -> None:
    journal: list[str] = []
    with TaskGroup() as group:
        with CancelScope() as inner:
            group.spawn(after, 0, journal.append, "child goes on")
            inner.cancel()
        sleep(0)

    assert journal == ["child goes on"]


# -- failures -------------------------------------------------------------------------------------


def test_a_failure_leaves_in_an_exception_group() -> None:
    with pytest.raises(ExceptionGroup, match="unhandled errors in a TaskGroup") as caught:
        with TaskGroup() as group:
            group.spawn(fail, ValueError("one"))

    assert messages(caught.value) == ["one"]
    assert caught.value.__context__ is None


def test_the_first_failure_cancels_the_siblings_and_the_body() -> None:
    journal: list[str] = []
    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(wait_for_ever, journal, "sibling")
        group.spawn(fail_soon, ValueError("one"))
        wait_for_ever(journal, "body")

    assert sorted(journal) == ["body", "sibling"]
    assert messages(caught.value) == ["one"]


def test_every_failure_is_in_the_group_in_the_order_of_ending() -> None:
    def fail_in_clean_up() -> None:
        try:
            sleep(LONG)
        finally:
            raise KeyError("clean-up")

    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(fail_in_clean_up)
        group.spawn(fail_soon, ValueError("first"))

    assert messages(caught.value) == ["first", "'clean-up'"]


def test_an_error_of_the_body_cancels_the_children_and_is_in_the_group() -> None:
    journal: list[str] = []
    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(wait_for_ever, journal)
        sleep(0)
        fail(ValueError("body"))

    assert messages(caught.value) == ["body"]
    assert journal == ["ended"]


def test_errors_of_body_and_children_leave_together() -> None:
    def fail_in_clean_up() -> None:
        try:
            sleep(LONG)
        finally:
            raise KeyError("child")

    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(fail_in_clean_up)
        sleep(0)
        fail(ValueError("body"))

    assert messages(caught.value) == ["body", "'child'"]


def test_a_failure_that_a_sibling_waited_for_is_there_once() -> None:
    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        failing = group.spawn(fail, ValueError("one"))
        group.spawn(failing.wait)

    assert messages(caught.value) == ["one"]


def test_a_base_exception_of_a_child_makes_a_base_exception_group() -> None:
    with pytest.raises(BaseExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(fail, Stop("stop"))

    assert not isinstance(caught.value, ExceptionGroup)
    assert messages(caught.value) == ["stop"]


def test_a_timeout_that_escapes_a_child_is_a_failure() -> None:
    def work() -> None:
        with Timeout(0):
            sleep(LONG)

    with pytest.raises(BaseExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(work)

    assert isinstance(caught.value.exceptions[0], Timeout)


def test_failures_are_not_printed_by_the_hub(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ExceptionGroup), TaskGroup() as group:
        group.spawn(fail, ValueError("one"))

    assert capsys.readouterr().err == ""


def test_wait_of_a_child_outside_raises_too() -> None:
    with pytest.raises(ExceptionGroup), TaskGroup() as group:
        child = group.spawn(fail, ValueError("one"))

    with pytest.raises(ValueError, match="one"):
        child.wait()


def test_wait_of_a_cancelled_child_outside_raises_cancelled() -> None:
    with TaskGroup() as group:
        child = group.spawn(sleep, LONG)
        sleep(0)
        group.cancel_scope.cancel()

    with pytest.raises(Cancelled) as caught:
        child.wait()
    assert caught.value.scope is group.cancel_scope


def test_a_group_inside_a_group_reports_as_one_failure() -> None:
    journal: list[str] = []
    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as outer:
        outer.spawn(wait_for_ever, journal, "outer child")
        with TaskGroup() as inner:
            inner.spawn(fail_soon, ValueError("inner"))
            inner.spawn(wait_for_ever, journal, "inner child")

    (inside,) = caught.value.exceptions
    assert isinstance(inside, ExceptionGroup)
    assert messages(inside) == ["inner"]
    assert journal == ["inner child", "outer child"]


def test_a_failure_outside_ends_a_group_inside() -> None:
    journal: list[str] = []

    def nested() -> None:
        with TaskGroup() as inner:
            inner.spawn(wait_for_ever, journal, "grandchild")
        journal.append("never")

    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as outer:
        outer.spawn(nested)
        sleep(0)
        outer.spawn(fail_soon, ValueError("outer"))

    assert messages(caught.value) == ["outer"]
    assert journal == ["grandchild"]


# -- what is no failure ---------------------------------------------------------------------------


def test_a_killed_child_is_no_failure() -> None:
    journal: list[str] = []
    with TaskGroup() as group:
        victim = group.spawn(sleep, LONG)
        group.spawn(after, SOON, journal.append, "sibling goes on")
        sleep(0)
        kill(victim)

    assert journal == ["sibling goes on"]


def test_a_child_killed_before_it_began_is_no_failure() -> None:
    with TaskGroup() as group:
        victim = group.spawn(pytest.fail, "it began")
        victim.kill()

    with pytest.raises(GreenletExit):
        victim.wait()


@pytest.mark.parametrize("begun", [False, True])
def test_a_child_killed_with_an_error_has_failed(begun: bool) -> None:
    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        victim = group.spawn(sleep, LONG)
        if begun:
            sleep(0)
        victim.kill(ValueError("killed"))

    assert messages(caught.value) == ["killed"]


def test_cancelling_the_scope_ends_all_without_an_error() -> None:
    journal: list[str] = []
    with TaskGroup() as group:
        group.spawn(wait_for_ever, journal, "child")
        sleep(0)
        group.cancel_scope.cancel()
        wait_for_ever(journal, "body")

    assert sorted(journal) == ["body", "child"]
    assert group.cancel_scope.cancelled_caught


def test_a_child_cancels_its_group() -> None:
    journal: list[str] = []
    with TaskGroup() as group:
        group.spawn(wait_for_ever, journal, "sibling")
        group.spawn(after, 0, group.cancel_scope.cancel, "enough")

    assert journal == ["sibling"]
    assert group.cancel_scope.reason == "enough"


def test_the_group_has_a_deadline_of_its_own() -> None:
    with TaskGroup() as group:
        group.cancel_scope.deadline = get_hub().clock() + SOON
        group.spawn(sleep, LONG)

    assert group.cancel_scope.cancel_called


def test_a_child_that_had_not_begun_begins_and_is_told_at_its_first_park() -> None:
    journal: list[str] = []

    def work() -> None:
        journal.append("begins")
        try:
            sleep(0)
        finally:
            journal.append("cleans up")

    with TaskGroup() as group:
        group.spawn(work)
        group.cancel_scope.cancel()

    assert journal == ["begins", "cleans up"]


def test_cancelled_of_a_foreign_scope_is_a_failure() -> None:
    with TaskGroup() as other:
        cancelled = other.spawn(sleep, LONG)
        sleep(0)
        other.cancel_scope.cancel()

    with pytest.raises(BaseExceptionGroup) as caught, TaskGroup() as group:
        group.spawn(cancelled.wait)

    assert isinstance(caught.value.exceptions[0], Cancelled)


# -- children never outlive the block ---------------------------------------------------------------


def test_a_child_that_ignores_the_cancellation_shielded_is_waited_for() -> None:
    journal: list[str] = []

    def stubborn() -> None:
        with CancelScope(shield=True):
            sleep(SOON)
            journal.append("done")

    with pytest.raises(ExceptionGroup), TaskGroup() as group:
        group.spawn(stubborn)
        group.spawn(fail_soon, ValueError())

    assert journal == ["done"]


def test_a_child_that_catches_cancelled_is_told_again() -> None:
    told: list[int] = []

    def stubborn() -> None:
        for attempt in range(3):
            try:
                sleep(LONG)
            except Cancelled:
                told.append(attempt)

    with TaskGroup() as group:
        group.spawn(stubborn)
        sleep(0)
        group.cancel_scope.cancel()

    assert told == [0, 1, 2]


def test_a_scope_around_the_group_cancels_children_and_block() -> None:
    journal: list[str] = []
    with move_on_after(SOON) as scope, TaskGroup() as group:
        group.spawn(wait_for_ever, journal)

    assert scope.cancelled_caught
    assert journal == ["ended"]


def test_a_cancellation_around_a_block_whose_children_end_well_is_told_after_the_wait() -> None:
    journal: list[str] = []
    with CancelScope() as scope:
        with TaskGroup() as group:
            group.spawn(scope.cancel)
        journal.append("never")

    assert scope.cancelled_caught
    assert journal == []


def test_a_failure_is_not_lost_in_the_cancellation_around_the_group() -> None:
    def fail_in_clean_up() -> None:
        try:
            sleep(LONG)
        finally:
            raise KeyError("clean-up")

    with pytest.raises(ExceptionGroup) as caught, CancelScope() as scope, TaskGroup() as group:
        group.spawn(fail_in_clean_up)
        sleep(0)
        scope.cancel()
        sleep(0)

    assert messages(caught.value) == ["'clean-up'"]
    assert not scope.cancelled_caught


def test_fail_after_around_a_group_raises_timeout_error() -> None:
    with pytest.raises(TimeoutError), fail_after(SOON), TaskGroup() as group:
        group.spawn(sleep, LONG)


def test_a_shielded_scope_around_the_group_hides_what_is_outside() -> None:
    journal: list[str] = []
    with CancelScope() as scope:
        scope.cancel()
        with shielded(), TaskGroup() as group:
            group.spawn(after, 0, journal.append, "done")

    assert journal == ["done"]


# -- interrupts of the host --------------------------------------------------------------------------


def host(journal: list[str], in_body: bool) -> Callable[[], None]:
    def run() -> None:
        with TaskGroup() as group:
            group.spawn(wait_for_ever, journal, "child")
            if in_body:
                sleep(LONG)
        journal.append("never")

    return run


@pytest.mark.parametrize("in_body", [True, False], ids=["in the body", "waiting"])
def test_a_killed_host_takes_its_children_along(in_body: bool) -> None:
    journal: list[str] = []
    thread = spawn(host(journal, in_body))
    settle()

    kill(thread)
    with pytest.raises(GreenletExit):
        thread.wait()

    assert journal == ["child"]


@pytest.mark.parametrize("in_body", [True, False], ids=["in the body", "waiting"])
def test_a_timeout_at_the_host_leaves_as_it_came(in_body: bool) -> None:
    journal: list[str] = []
    run = host(journal, in_body)

    with pytest.raises(Timeout) as caught, Timeout(SOON) as timeout:
        run()

    assert caught.value is timeout
    assert journal == ["child"]


def test_a_silent_timeout_at_the_host_is_caught_by_its_block() -> None:
    journal: list[str] = []
    with Timeout(SOON, False), TaskGroup() as group:
        group.spawn(wait_for_ever, journal)

    assert journal == ["ended"]


def test_failures_after_an_interrupt_are_its_cause() -> None:
    def fail_in_clean_up() -> None:
        try:
            sleep(LONG)
        finally:
            raise KeyError("clean-up")

    with pytest.raises(Timeout) as caught, Timeout(SOON), TaskGroup() as group:
        group.spawn(fail_in_clean_up)

    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert messages(caught.value.__cause__) == ["'clean-up'"]


def test_a_kill_during_the_cancellation_of_the_group_is_not_lost() -> None:
    gate = Event()

    def stubborn() -> None:
        with shielded():
            gate.wait()

    def run() -> None:
        with TaskGroup() as group:
            group.spawn(stubborn)
            sleep(0)
            group.cancel_scope.cancel()
            sleep(0)

    thread = spawn(run)
    settle()
    kill(thread)
    assert not thread.dead
    gate.send()

    with pytest.raises(GreenletExit):
        thread.wait()


def test_the_later_of_two_interrupts_leaves_and_remembers_the_first() -> None:
    gate = Event()

    def stubborn() -> None:
        with shielded():
            gate.wait()

    def run() -> None:
        with TaskGroup() as group:
            group.spawn(stubborn)

    thread = spawn(run)
    settle()
    throw_into(thread, Stop("first"))
    settle()
    throw_into(thread, Stop("second"))
    settle()
    gate.send()

    with pytest.raises(Stop, match="second") as caught:
        thread.wait()
    assert str(caught.value.__context__) == "first"


@pytest.mark.parametrize("exc", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_exit_in_the_body_leaves_bare(exc: BaseException) -> None:
    journal: list[str] = []
    with pytest.raises(type(exc)) as caught, TaskGroup() as group:
        group.spawn(wait_for_ever, journal)
        sleep(0)
        fail(exc)

    assert caught.value is exc
    assert journal == ["ended"]


@pytest.mark.parametrize("exc", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_exit_in_a_child_cancels_the_group_and_leaves_bare(exc: BaseException) -> None:
    journal: list[str] = []
    with pytest.raises(type(exc)) as caught, TaskGroup() as group:
        group.spawn(wait_for_ever, journal, "sibling")
        group.spawn(fail_soon, exc)
        wait_for_ever(journal, "body")

    sleep(0)  # nothing more is on its way to the main green thread
    assert caught.value is exc
    assert sorted(journal) == ["body", "sibling"]


def test_sys_exit_in_a_grandchild_ends_the_program_once(run_isolated: RunIsolated) -> None:
    result = run_isolated(
        """
import sys
import eventlet

def nested():
    with eventlet.TaskGroup() as inner:
        inner.spawn(sys.exit, 7)

try:
    with eventlet.TaskGroup() as outer:
        outer.spawn(nested)
except SystemExit as exc:
    print("told", exc.code)
    eventlet.sleep(0.01)
    print("once")
    raise
""",
        expect_status=7,
    )

    assert result.stdout.split() == ["told", "7", "once"]
    assert result.stderr == ""


def test_ctrl_c_ends_the_children_first(run_isolated: RunIsolated) -> None:
    result = run_isolated(
        """
import os, signal
import eventlet

def child():
    try:
        eventlet.sleep(60)
    finally:
        print("child ended")

try:
    with eventlet.TaskGroup() as group:
        group.spawn(child)
        group.spawn(os.kill, os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("told")
"""
    )

    assert result.stdout.splitlines() == ["child ended", "told"]


# -- refusals ------------------------------------------------------------------------------------------


def test_nothing_starts_before_the_block() -> None:
    with pytest.raises(RuntimeError, match="has not been entered"):
        TaskGroup().spawn(sleep)


def test_nothing_starts_after_the_block() -> None:
    with TaskGroup() as group:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        group.spawn(sleep)


def test_nothing_starts_while_the_group_is_being_cancelled() -> None:
    with TaskGroup() as group:
        group.cancel_scope.cancel()
        with pytest.raises(RuntimeError, match="being cancelled"):
            group.spawn(sleep)


def test_another_os_thread_is_refused() -> None:
    with TaskGroup() as group, pytest.raises(RuntimeError, match="another OS thread"):
        in_os_thread(lambda: group.spawn(sleep))


def test_a_group_is_entered_once() -> None:
    group = TaskGroup()
    with group, pytest.raises(RuntimeError, match="only once"):
        group.__enter__()
    with pytest.raises(RuntimeError, match="not open"):
        group.__exit__(None, None, None)


def test_a_group_that_was_refused_in_the_hubs_greenlet_can_be_entered_elsewhere() -> None:
    group = TaskGroup()
    outcome: LightQueue[str] = LightQueue()

    def enter() -> None:
        try:
            group.__enter__()
        except RuntimeError as exc:
            outcome.put(str(exc))

    get_hub().call_soon(enter)
    assert "hub's own greenlet" in outcome.get()

    with group:
        pass


def test_a_group_closed_by_another_green_thread_ends_its_children() -> None:
    journal: list[str] = []

    def in_a_group() -> Iterator[None]:
        with TaskGroup() as group:
            group.spawn(wait_for_ever, journal)
            yield

    numbers: Any = in_a_group()
    spawn(next, numbers).wait()
    sleep(0)

    with pytest.raises(RuntimeError, match="the green thread that entered"):
        numbers.close()
    assert journal == ["ended"]


def test_repr_tells_the_state() -> None:
    group = TaskGroup()
    assert repr(group) == "<TaskGroup not entered>"
    with group:
        group.spawn(sleep)
        assert repr(group) == "<TaskGroup 1 running>"
    assert repr(group) == "<TaskGroup ended>"


# -- the end of the process, and of a hub ----------------------------------------------------------------


def test_a_forked_child_does_not_wait_for_children_that_stayed_behind(
    run_isolated: RunIsolated,
) -> None:
    result = run_isolated(
        """
import os
import eventlet

with eventlet.TaskGroup() as group:
    group.spawn(eventlet.sleep, 0.01)
    pid = os.fork()
if pid:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("parent has left, child's status", status)
"""
    )

    assert result.stdout == "parent has left, child's status 0\n"


def test_the_end_of_an_os_thread_ends_group_and_children() -> None:
    journal: list[str] = []

    def run() -> None:
        def block() -> None:
            try:
                with TaskGroup() as group:
                    group.spawn(wait_for_ever, journal, "child")
            finally:
                journal.append("block")

        spawn(block)
        settle()

    in_os_thread(run)

    assert journal == ["child", "block"]


# -- the same as asyncio ---------------------------------------------------------------------------------

Outcome = tuple[list[str], Any]


def shape(exc: BaseException | None) -> Any:
    """Describe an exception without its identity: type, message, contents."""
    if isinstance(exc, BaseExceptionGroup):
        return type(exc).__name__, [shape(each) for each in exc.exceptions]
    return None if exc is None else (type(exc).__name__, str(exc))


def green_outcome(children: list[str], body: str) -> Outcome:
    journal: list[str] = []

    def act(name: str, what: str) -> None:
        try:
            sleep(0)
            if what == "fail":
                raise ValueError(name)
            if what == "wait":
                sleep(LONG)
            if what == "exit":
                raise SystemExit(name)
            journal.append(f"{name} ends")
        except Cancelled:
            journal.append(f"{name} cancelled")
            raise

    try:
        with TaskGroup() as group:
            for number, what in enumerate(children):
                group.spawn(act, f"child {number}", what)
            act("body", body)
    except BaseException as exc:
        return sorted(journal), shape(exc)
    return sorted(journal), None


def asyncio_outcome(children: list[str], body: str) -> Outcome:
    journal: list[str] = []

    async def act(name: str, what: str) -> None:
        try:
            await asyncio.sleep(0)
            if what == "fail":
                raise ValueError(name)
            if what == "wait":
                await asyncio.sleep(LONG)
            if what == "exit":
                raise SystemExit(name)
            journal.append(f"{name} ends")
        except asyncio.CancelledError:
            journal.append(f"{name} cancelled")
            raise

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number, what in enumerate(children):
                group.create_task(act(f"child {number}", what))
            await act("body", body)

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    except BaseException as exc:
        return sorted(journal), shape(exc)
    finally:
        loop.close()
    return sorted(journal), None


CHILDREN = [[], ["end"], ["fail"], ["end", "fail"], ["wait", "fail"], ["end", "wait", "fail"]]
CASES = [(children, "end") for children in CHILDREN]
CASES += [(children, "fail") for children in CHILDREN]
CASES += [(children, "wait") for children in CHILDREN if "fail" in children]


@pytest.mark.parametrize(("children", "body"), CASES, ids=str)
def test_outcomes_are_those_of_asyncio(children: list[str], body: str) -> None:
    assert green_outcome(children, body) == asyncio_outcome(children, body)
