"""Tests of `eventlet._core.scope`: the tree of scopes, and what it tells a green thread."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.scope import (
    Cancelled,
    CancelScope,
    fail_after,
    fail_at,
    move_on_after,
    move_on_at,
    refusal_here,
    shielded,
)
from eventlet._core.thread import throw_into
from eventlet._core.wait_queue import wake
from eventlet._unpatched import start_new_thread
from eventlet.event import Event
from eventlet.greenthread import kill, sleep, spawn
from eventlet.queue import LightQueue
from eventlet.semaphore import CappedSemaphore, Semaphore
from eventlet.timeout import Timeout

from tests.unit.actors import Actor, settle
from tests.unit.core.os_threads import in_os_thread

SOON = 0.01
LONG = 30.0


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """No test leaves a scope open, and the main green thread is in none."""
    yield
    assert get_hub().scopes == 0
    assert refusal_here() is None


def parked_in(scope: CancelScope, caught: list[BaseException] | None = None) -> Any:
    """Start a green thread that waits for ever inside `scope`."""

    def wait() -> str:
        with scope:
            try:
                sleep(LONG)
            except BaseException as exc:
                if caught is not None:
                    caught.append(exc)
                raise
        return "left"

    thread = spawn(wait)
    sleep(0)
    return thread


# -- a level ------------------------------------------------------------------------------------


def test_a_scope_that_is_not_cancelled_changes_nothing() -> None:
    with CancelScope() as scope:
        sleep(0)

    assert not scope.cancel_called
    assert not scope.cancelled_caught


def test_cancelling_interrupts_a_parked_thread_and_the_block_ends() -> None:
    scope = CancelScope()
    thread = parked_in(scope)

    scope.cancel()

    assert thread.wait() == "left"
    assert scope.cancelled_caught


def test_every_park_raises_until_the_scope_is_left() -> None:
    refused = 0
    with CancelScope() as scope:
        scope.cancel()
        for _ in range(5):
            try:
                sleep(0)
            except Cancelled:
                refused += 1

    sleep(0)

    assert refused == 5
    assert not scope.cancelled_caught


def test_ordinary_handlers_let_it_pass() -> None:
    with CancelScope() as scope:
        scope.cancel()
        try:
            sleep(0)
        except Exception:
            pytest.fail("Cancelled is no Exception")

    assert scope.cancelled_caught


def test_calls_that_need_not_wait_go_on_in_a_cancelled_scope() -> None:
    queue: LightQueue[int] = LightQueue()
    with CancelScope() as scope:
        scope.cancel()
        queue.put(1)
        assert queue.get() == 1
        with Semaphore():
            pass

    assert not scope.cancelled_caught


def test_a_block_that_parks_no_more_is_not_told() -> None:
    with move_on_after(0) as scope:
        result = "done"

    assert result == "done"
    assert scope.cancel_called
    assert not scope.cancelled_caught


def test_a_scope_cancelled_before_it_is_entered_refuses_the_first_park() -> None:
    scope = CancelScope()
    scope.cancel("early")

    with scope:
        sleep(LONG)

    assert scope.cancelled_caught
    assert scope.reason == "early"


def test_the_first_reason_counts_and_is_named() -> None:
    with CancelScope() as scope:
        scope.cancel("the user left")
        scope.cancel("too late")
        with pytest.raises(Cancelled, match="the user left") as caught:
            sleep(0)

    assert scope.reason == "the user left"
    assert caught.value.scope is scope


def test_cancelling_a_scope_that_was_left_does_nothing() -> None:
    with CancelScope() as scope:
        pass

    scope.cancel()
    sleep(0)

    assert not scope.cancel_called


def test_a_thread_spawned_inside_is_not_inside() -> None:
    with CancelScope() as scope:
        thread = spawn(sleep, 0)
        scope.cancel()

    thread.wait()

    assert not scope.cancelled_caught


def test_another_exception_leaves_a_cancelled_scope_as_it_is() -> None:
    scope = CancelScope()
    scope.cancel()

    with pytest.raises(KeyError), scope:
        raise KeyError

    assert not scope.cancelled_caught


def test_another_threads_cancelled_passes_by() -> None:
    other = CancelScope()
    with pytest.raises(Cancelled), CancelScope() as scope:
        raise Cancelled(other)

    assert not scope.cancelled_caught


def test_a_left_scope_holds_no_green_thread() -> None:
    scope = CancelScope()
    thread = parked_in(scope)
    scope.cancel()
    thread.wait()

    gone = weakref.ref(thread)
    del thread
    gc.collect()

    assert gone() is None


# -- who cancels --------------------------------------------------------------------------------


def test_a_callback_of_the_hub_cancels() -> None:
    scope = CancelScope()
    thread = parked_in(scope)

    get_hub().call_soon(scope.cancel)

    assert thread.wait() == "left"


def test_another_os_thread_cancels() -> None:
    with CancelScope(deadline=get_hub().clock() + LONG) as scope:
        start_new_thread(scope.cancel, ("from outside",))
        sleep(LONG)

    assert scope.reason == "from outside"


def test_another_os_thread_sets_the_deadline() -> None:
    moment = get_hub().clock() + SOON

    def hurry() -> None:
        scope.deadline = moment

    with move_on_after(LONG) as scope:
        start_new_thread(hurry, ())
        sleep(LONG)

    assert scope.cancelled_caught
    assert scope.deadline == moment


def test_a_scope_of_another_os_thread_has_its_own_hub() -> None:
    def cancelled_there() -> bool:
        with move_on_after(SOON) as scope:
            sleep(LONG)
        return scope.cancelled_caught and get_hub().scopes == 0

    assert in_os_thread(cancelled_there)


def test_threads_are_told_in_the_order_in_which_they_came() -> None:
    order: list[int] = []
    outer = CancelScope()

    def wait(number: int) -> None:
        try:
            sleep(LONG)
        except Cancelled:
            order.append(number)

    with outer:
        threads = [spawn(wait, number) for number in range(20)]
        for thread in threads:
            outer.adopt(thread)
        with shielded():
            sleep(0)
        outer.cancel()
        with shielded():
            sleep(0)

    assert order == list(range(20))


# -- deadlines ----------------------------------------------------------------------------------


def test_move_on_after_ends_the_block_silently() -> None:
    with move_on_after(SOON) as scope:
        sleep(LONG)

    assert scope.cancelled_caught
    assert scope.reason == "the deadline passed"


def test_move_on_at_takes_a_moment_of_the_hubs_clock() -> None:
    with move_on_at(get_hub().clock() + SOON) as scope:
        sleep(LONG)

    assert scope.cancelled_caught


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_at_all_refuses_the_first_park(seconds: float) -> None:
    with move_on_after(seconds) as scope:
        sleep(0)

    assert scope.cancelled_caught


def test_none_never_ends() -> None:
    with move_on_after(None) as scope, fail_after(None):
        sleep(0)

    assert scope.deadline is None
    assert not scope.cancel_called


def test_fail_after_raises_the_builtin_timeout_error() -> None:
    with pytest.raises(TimeoutError, match="deadline") as caught, fail_after(SOON):
        sleep(LONG)

    assert isinstance(caught.value.__cause__, Cancelled)


def test_fail_at_takes_a_moment_of_the_hubs_clock() -> None:
    with pytest.raises(TimeoutError), fail_at(get_hub().clock() + SOON):
        sleep(LONG)


def test_fail_after_that_is_cancelled_by_hand_moves_on() -> None:
    with fail_after(LONG) as scope:
        scope.cancel()
        sleep(0)

    assert scope.cancelled_caught


def test_time_counts_from_construction_on() -> None:
    scope = move_on_after(0.001)
    sleep(SOON)

    with scope:
        sleep(0)

    assert scope.cancelled_caught


@pytest.mark.parametrize(("outer", "inner"), [(SOON, LONG), (LONG, SOON)])
def test_of_nested_deadlines_the_earlier_ends_its_own_block(outer: float, inner: float) -> None:
    with move_on_after(outer) as outside:
        with move_on_after(inner) as inside:
            sleep(LONG)
        sleep(0)

    assert outside.cancelled_caught is (outer < inner)
    assert inside.cancelled_caught is (inner < outer)


def test_of_equal_deadlines_the_outermost_wins() -> None:
    moment = get_hub().clock() + SOON
    with move_on_at(moment) as outside:
        with move_on_at(moment) as inside:
            with shielded():
                sleep(2 * SOON)
            sleep(LONG)
        pytest.fail("the inner block must be left on the way out")

    assert outside.cancelled_caught
    assert inside.cancel_called
    assert not inside.cancelled_caught


def after_a_while(seconds: float, new_deadline: float | None) -> bool:
    """Tell whether a scope that ended after 1 s is cancelled then, on a clock moved by hand."""
    now = [100.0]

    def program() -> bool:
        with move_on_after(1) as scope:
            scope.deadline = new_deadline
            now[0] += seconds
            with suppress(Cancelled):
                settle()
        return scope.cancel_called

    return in_os_thread(program, lambda: Hub(clock=lambda: now[0]))


def test_a_deadline_can_be_moved_later() -> None:
    assert after_a_while(1.5, new_deadline=101.0)
    assert not after_a_while(1.5, new_deadline=102.0)


def test_a_deadline_can_be_moved_earlier() -> None:
    with move_on_after(LONG) as scope:
        scope.deadline = get_hub().clock() + SOON
        sleep(LONG)

    assert scope.cancelled_caught


def test_a_deadline_moved_into_the_past_cancels_at_once() -> None:
    with CancelScope() as scope:
        scope.deadline = get_hub().clock()
        assert scope.cancel_called
        sleep(0)


def test_a_deadline_taken_away_never_comes() -> None:
    assert not after_a_while(1e6, new_deadline=None)


def test_a_deadline_does_not_undo_a_cancellation() -> None:
    with CancelScope() as scope:
        scope.cancel()
        scope.deadline = get_hub().clock() + LONG
        sleep(0)

    assert scope.cancelled_caught


def test_leaving_a_scope_leaves_no_timer() -> None:
    before = len(get_hub().timers)
    with move_on_after(LONG), fail_after(LONG):
        sleep(0)
    with move_on_after(LONG) as scope:
        scope.cancel()
        sleep(0)

    assert len(get_hub().timers) == before


# -- nesting and shields ------------------------------------------------------------------------


def test_cancelling_the_inner_scope_leaves_the_outer_alone() -> None:
    with CancelScope() as outer:
        with CancelScope() as inner:
            inner.cancel()
            sleep(0)
        sleep(0)

    assert inner.cancelled_caught
    assert not outer.cancel_called


def test_of_several_cancelled_scopes_the_outermost_catches() -> None:
    with CancelScope() as outer, CancelScope() as middle, CancelScope() as inner:
        inner.cancel()
        middle.cancel()
        outer.cancel()
        sleep(0)

    assert [s.cancelled_caught for s in (outer, middle, inner)] == [True, False, False]


def test_an_outer_cancellation_that_comes_while_the_inner_unwinds_is_told_next() -> None:
    journal: list[str] = []
    with CancelScope() as outer:
        with CancelScope() as inner:
            try:
                inner.cancel("inner")
                sleep(0)
            finally:
                outer.cancel("outer")
        journal.append("between")
        sleep(0)
        journal.append("never")

    assert inner.cancelled_caught
    assert outer.cancelled_caught
    assert journal == ["between"]


def test_a_shield_hides_the_scopes_around_it() -> None:
    journal: list[str] = []
    with CancelScope() as outer:
        outer.cancel()
        with CancelScope(shield=True):
            sleep(0)
            journal.append("cleaned up")
        sleep(0)
        journal.append("never")

    assert outer.cancelled_caught
    assert journal == ["cleaned up"]


def test_a_cancellation_from_outside_does_not_interrupt_a_shielded_park() -> None:
    scope = CancelScope()
    gate = Event()
    journal: list[Any] = []

    def work() -> None:
        with scope:
            with shielded():
                journal.append(gate.wait())
            sleep(0)
            journal.append("never")

    thread = spawn(work)
    sleep(0)
    scope.cancel()
    settle()
    gate.send("through")
    thread.wait()

    assert journal == ["through"]
    assert scope.cancelled_caught


def test_a_shield_does_not_hide_its_own_cancellation() -> None:
    with move_on_after(SOON, shield=True) as scope:
        sleep(LONG)

    assert scope.cancelled_caught


def test_a_scope_inside_a_shield_is_hidden_too() -> None:
    with CancelScope() as outer:
        outer.cancel()
        with CancelScope(shield=True), CancelScope() as inner:
            sleep(0)

    assert not inner.cancel_called
    assert not outer.cancelled_caught


def test_taking_the_shield_away_delivers_what_it_hid() -> None:
    outer, shield = CancelScope(), CancelScope(shield=True)

    def work() -> str:
        with outer, shield:
            sleep(LONG)
        return "left"

    thread = spawn(work)
    sleep(0)
    outer.cancel()
    settle()
    assert not thread.dead

    shield.shield = False

    assert thread.wait() == "left"
    assert outer.cancelled_caught


def test_putting_up_a_shield_ends_the_refusals() -> None:
    with CancelScope() as outer, CancelScope() as inner:
        outer.cancel()
        with pytest.raises(Cancelled):
            sleep(0)
        inner.shield = True
        sleep(0)
        assert inner.shield

    assert not outer.cancelled_caught


def test_shielded_costs_no_scope_where_there_is_none() -> None:
    with shielded():
        assert get_hub().scopes == 0
        sleep(0)


def test_refusal_here_tells_what_a_park_would_raise() -> None:
    assert refusal_here() is None
    with CancelScope() as scope:
        assert refusal_here() is None
        scope.cancel()
        refusal = refusal_here()
        with shielded():
            assert refusal_here() is None

    assert refusal is not None
    assert refusal.scope is scope


# -- beside the edges ----------------------------------------------------------------------------


def test_a_timeout_around_a_scope_passes_through_it() -> None:
    with pytest.raises(Timeout) as caught, Timeout(SOON) as timeout, CancelScope() as scope:
        sleep(LONG)

    assert caught.value is timeout
    assert not scope.cancel_called


def test_a_timeout_inside_a_scope_is_caught_inside() -> None:
    with CancelScope() as scope:
        with Timeout(SOON, False):
            sleep(LONG)
        sleep(0)

    assert not scope.cancel_called


def test_a_scope_inside_a_timeout_ends_first_when_it_is_earlier() -> None:
    with Timeout(LONG), move_on_after(SOON) as scope:
        sleep(LONG)

    assert scope.cancelled_caught


def test_a_timeout_is_an_edge_also_in_a_cancelled_scope() -> None:
    told: list[str] = []
    with CancelScope() as scope, Timeout(SOON):
        try:
            with shielded():
                sleep(LONG)
        except Timeout:
            told.append("Timeout")
        scope.cancel()
        for _ in range(2):
            try:
                sleep(0)
            except Cancelled:
                told.append("Cancelled")

    assert told == ["Timeout", "Cancelled", "Cancelled"]


def test_a_kill_passes_through_a_scope() -> None:
    scope = CancelScope()
    thread = parked_in(scope)

    thread.kill()

    with pytest.raises(GreenletExit):
        thread.wait()
    assert not scope.cancelled_caught


def test_a_kill_that_meets_a_cancellation_under_way_is_not_lost() -> None:
    scope = CancelScope()
    journal: list[str] = []

    def work() -> None:
        with scope:
            sleep(LONG)
        journal.append("left the scope")
        sleep(LONG)
        journal.append("never")

    thread = spawn(work)
    sleep(0)
    scope.cancel()
    thread.kill()

    with pytest.raises(GreenletExit):
        thread.wait()
    assert journal == ["left the scope"]


def test_killing_several_in_a_cancelled_scope_reaches_the_last() -> None:
    threads = [spawn(sleep, LONG) for _ in range(3)]
    sleep(0)
    with CancelScope() as scope:
        scope.cancel()
        for thread in threads:
            kill(thread)

    assert all(thread.dead for thread in threads)
    assert not scope.cancelled_caught


def test_throwing_into_a_thread_inside_a_scope_is_an_edge() -> None:
    caught: list[BaseException] = []
    thread = parked_in(CancelScope(), caught)

    throw_into(thread, KeyError("edge"))

    with pytest.raises(KeyError):
        thread.wait()
    assert len(caught) == 1


# -- nothing is lost when Cancelled overtakes a wake ---------------------------------------------


def cancelled_after(scope: CancelScope, make_wake: Any) -> None:
    """Wake a thread parked in `scope` and cancel it before it runs."""
    make_wake()
    scope.cancel()
    settle()


def test_an_item_goes_to_the_next_getter() -> None:
    queue: LightQueue[str] = LightQueue()
    scope = CancelScope()

    def get() -> str:
        with scope:
            return queue.get()
        return "cancelled"

    first = spawn(get)
    sleep(0)
    second = spawn(queue.get)
    sleep(0)

    cancelled_after(scope, lambda: queue.put("item"))

    assert first.wait() == "cancelled"
    assert second.wait() == "item"


def test_an_item_without_another_getter_stays_in_the_queue() -> None:
    queue: LightQueue[str] = LightQueue()
    scope = CancelScope()

    def get() -> None:
        with scope:
            queue.get()

    thread = spawn(get)
    sleep(0)
    cancelled_after(scope, lambda: queue.put("item"))
    thread.wait()

    assert queue.get_nowait() == "item"


def test_room_goes_to_the_next_putter() -> None:
    queue: LightQueue[int] = LightQueue(1)
    queue.put(1)
    scope = CancelScope()

    def put() -> None:
        with scope:
            queue.put(2)

    first = spawn(put)
    sleep(0)
    second = spawn(queue.put, 3)
    sleep(0)

    cancelled_after(scope, queue.get)
    first.wait()
    second.wait()

    assert queue.get_nowait() == 3
    assert queue.empty()


def test_a_permit_goes_to_the_next_waiter() -> None:
    semaphore = Semaphore(0)
    scope = CancelScope()

    def acquire() -> None:
        with scope:
            semaphore.acquire()

    first = spawn(acquire)
    sleep(0)
    second = spawn(semaphore.acquire)
    sleep(0)

    cancelled_after(scope, semaphore.release)
    first.wait()

    assert second.wait() is True
    assert semaphore.counter == 0


def test_a_permit_comes_back_when_its_block_is_cancelled() -> None:
    semaphore = Semaphore(1)
    with move_on_after(SOON), semaphore:
        sleep(LONG)

    assert semaphore.counter == 1


def test_a_capped_permit_comes_back_even_if_that_has_to_wait() -> None:
    semaphore = CappedSemaphore(1, 1)
    with CancelScope() as scope, semaphore:
        semaphore.upper_bound.acquire()  # nobody has room for it now
        scope.cancel()
        spawn(semaphore.upper_bound.release)

    assert semaphore.lower_bound.counter == 1
    assert semaphore.upper_bound.counter == 0


def test_a_refused_wait_leaves_nobody_in_the_queue_of_waiters() -> None:
    queue: LightQueue[int] = LightQueue()
    semaphore, event = Semaphore(0), Event()
    with CancelScope() as scope:
        scope.cancel()
        for wait in (queue.get, semaphore.acquire, event.wait, sleep):
            with pytest.raises(Cancelled):
                wait()

    assert queue.getting() == 0
    assert semaphore.balance == 0
    assert not event._waiters


def test_a_wake_after_a_refused_park_finds_nobody() -> None:
    hub = get_hub()
    with CancelScope() as scope:
        scope.cancel()
        ticket = hub.ticket()
        with pytest.raises(Cancelled):
            hub.park(ticket)

    assert not wake(ticket, "late")


def test_actors_beside_a_cancelled_one_keep_their_turn() -> None:
    semaphore = Semaphore(0)
    scope = CancelScope()
    journal: list[Actor] = []

    def acquire() -> None:
        with scope:
            semaphore.acquire()

    cancelled = Actor("cancelled", journal, acquire)
    others = [Actor(str(number), journal, semaphore.acquire) for number in range(3)]
    semaphore.release()
    scope.cancel()
    settle()
    semaphore.release()
    semaphore.release()
    settle()

    assert journal == [cancelled, *others]


# -- misuse --------------------------------------------------------------------------------------


def test_a_scope_is_entered_once() -> None:
    with CancelScope() as scope, pytest.raises(RuntimeError, match="only once"):
        scope.__enter__()
    with pytest.raises(RuntimeError, match="only once"), scope:
        pass


def test_a_scope_that_was_not_entered_cannot_be_left() -> None:
    with pytest.raises(RuntimeError, match="not been entered"):
        CancelScope().__exit__(None, None, None)


def test_a_scope_is_left_once() -> None:
    with CancelScope() as scope:
        pass
    with pytest.raises(RuntimeError, match="left already"):
        scope.__exit__(None, None, None)


def test_the_hubs_own_greenlet_has_no_scopes() -> None:
    outcome: LightQueue[str] = LightQueue()

    def enter() -> None:
        try:
            CancelScope().__enter__()
        except RuntimeError as exc:
            outcome.put(str(exc))

    get_hub().call_soon(enter)

    assert "hub's own greenlet" in outcome.get()


def test_leaving_an_outer_scope_first_is_an_error_that_leaves_nothing_behind() -> None:
    outer, inner = CancelScope(), CancelScope(deadline=get_hub().clock() + LONG)
    outer.__enter__()
    inner.__enter__()

    with pytest.raises(RuntimeError, match="innermost first"):
        outer.__exit__(None, None, None)

    assert get_hub().scopes == 1
    sleep(0)
    inner.cancel()
    with pytest.raises(Cancelled):
        sleep(0)
    inner.__exit__(None, None, None)
    sleep(0)


def test_leaving_a_middle_scope_first_keeps_the_outer_in_force() -> None:
    outer, middle, inner = CancelScope(), CancelScope(), CancelScope()
    for scope in (outer, middle, inner):
        scope.__enter__()
    with pytest.raises(RuntimeError, match="innermost first"):
        middle.__exit__(None, None, None)

    outer.cancel()

    with pytest.raises(Cancelled) as caught:
        sleep(0)
    assert caught.value.scope is outer
    inner.__exit__(None, None, None)
    assert outer.__exit__(Cancelled, caught.value, None)


def test_another_green_thread_cannot_leave_a_scope_but_ends_it() -> None:
    scope = CancelScope()
    scope.__enter__()

    with pytest.raises(RuntimeError, match="the green thread that entered"):
        spawn(scope.__exit__, None, None, None).wait()

    assert get_hub().scopes == 0
    with pytest.raises(RuntimeError, match="left already"):
        scope.__exit__(None, None, None)


def in_a_scope(scope: CancelScope) -> Iterator[int]:
    """Yield inside a scope, which a generator should not."""
    with scope:
        yield 1
        yield 2


def test_a_generator_suspended_in_a_scope_holds_its_consumer_in_it() -> None:
    scope = CancelScope()
    numbers = in_a_scope(scope)
    next(numbers)
    scope.cancel()

    with pytest.raises(Cancelled):
        sleep(0)

    del numbers  # closes it here, in order
    sleep(0)


def test_a_generator_that_outlives_a_scope_around_it_ends_cleanly() -> None:
    scope = CancelScope()
    numbers = in_a_scope(scope)
    with pytest.raises(RuntimeError, match="generator that yields"), CancelScope():
        next(numbers)

    assert list(numbers) == [2]


def test_a_generator_closed_by_another_green_thread_frees_the_first() -> None:
    scope = CancelScope()
    numbers: Any = in_a_scope(scope)
    next(numbers)

    with pytest.raises(RuntimeError, match="the green thread that entered"):
        spawn(numbers.close).wait()

    scope.cancel()
    sleep(0)


def test_a_thread_that_ends_inside_a_scope_can_be_told_no_more() -> None:
    scope = CancelScope()
    numbers: Any = in_a_scope(scope)
    spawn(next, numbers).wait()

    scope.cancel()
    settle()

    with pytest.raises(RuntimeError, match="the green thread that entered"):
        numbers.close()


@pytest.mark.parametrize(
    ("deadline", "error"), [(float("nan"), ValueError), ("soon", TypeError), (object(), TypeError)]
)
def test_a_deadline_that_is_no_moment_is_refused(deadline: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="a deadline is a number of seconds or None"):
        CancelScope(deadline=deadline)
    with pytest.raises(error, match="a deadline is a number of seconds or None"):
        fail_at(deadline)
    for after in (move_on_after, fail_after):
        with pytest.raises(
            error, match=r"(a time limit|a deadline) is a number of seconds or None"
        ):
            after(deadline)
    with CancelScope(deadline=get_hub().clock() + LONG) as scope:
        with pytest.raises(error, match="a deadline is a number of seconds or None"):
            scope.deadline = deadline

        sleep(SOON)

    assert not scope.cancel_called


def test_repr_tells_the_state() -> None:
    with CancelScope(shield=True) as scope:
        assert repr(scope) == "<CancelScope shielded, deadline None>"
        scope.cancel()

    assert repr(scope) == "<CancelScope cancelled shielded left, deadline None>"
    assert "open" in repr(CancelScope())
