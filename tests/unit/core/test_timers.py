"""Timers: order, purging, cancellation, and the pass they run in."""

from __future__ import annotations

import heapq
import os
import random
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import greenlet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlet._core import timers as timers_module
from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.thread import GreenThread, throw_into
from eventlet._core.timers import PURGE_MINIMUM, Timer, Timers
from eventlet._core.wait_queue import EXPIRED, PENDING, SPENT, WOKEN, Ticket, wake
from eventlet.greenthread import sleep, spawn

from tests.unit.core.os_threads import in_os_thread
from tests.unit.core.plumbing import LONG


def make_ticket() -> Ticket:
    return Ticket(get_hub(), None)


def expire(timers: Timers, now: float) -> list[Ticket]:
    """Return who was woken, in order, and let them be spent."""
    ready: deque[Ticket] = deque()
    timers.expire(now, ready)
    for ticket in ready:
        ticket.state |= SPENT
    return list(ready)


def cancel(timers: Timers, ticket: Ticket) -> None:
    ticket.state |= SPENT
    timers.note_cancelled()


# -- order ------------------------------------------------------------------------------------


def test_the_first_deadline_is_served_first() -> None:
    timers = Timers()
    late, soon, middle = (make_ticket() for _ in range(3))
    for deadline, ticket in ((3.0, late), (1.0, soon), (2.0, middle)):
        timers.add(deadline, ticket)

    assert timers.next_deadline() == 1.0
    assert expire(timers, 2.5) == [soon, middle]
    assert timers.next_deadline() == 3.0


def test_equal_deadlines_are_served_in_the_order_of_adding() -> None:
    timers = Timers()
    tickets = [make_ticket() for _ in range(100)]
    for ticket in tickets:
        timers.add(5.0, ticket)

    assert expire(timers, 5.0) == tickets


def test_expiry_wakes_with_expired() -> None:
    timers = Timers()
    ticket = make_ticket()
    timers.add(1.0, ticket)
    (woken,) = expire(timers, 1.0)
    assert (woken.state, woken.value) == (WOKEN | SPENT, EXPIRED)


def test_a_ticket_that_was_woken_before_its_deadline_is_left_alone() -> None:
    timers = Timers()
    ticket = make_ticket()
    timers.add(1.0, ticket)
    ticket.state, ticket.value = WOKEN | SPENT, "item"

    assert expire(timers, 2.0) == []
    assert ticket.value == "item"
    assert timers.heap == []


def test_nothing_is_due_before_its_time() -> None:
    timers = Timers()
    timers.add(1.0, make_ticket())
    assert expire(timers, 0.999) == []
    assert len(timers) == 1


def test_no_timers_have_no_deadline() -> None:
    assert Timers().next_deadline() is None


def test_the_dead_have_no_deadline() -> None:
    timers = Timers()
    dead, live = make_ticket(), make_ticket()
    timers.add(1.0, dead)
    timers.add(2.0, live)
    cancel(timers, dead)

    assert timers.next_deadline() == 2.0
    cancel(timers, live)
    assert timers.next_deadline() is None
    assert (timers.heap, timers.cancelled) == ([], 0)


def test_iteration_shows_the_live_in_order() -> None:
    timers = Timers()
    a, b, c = (make_ticket() for _ in range(3))
    for deadline, ticket in ((2.0, a), (1.0, b), (1.0, c)):
        timers.add(deadline, ticket)
    cancel(timers, b)
    assert list(timers) == [(1.0, c), (2.0, a)]
    timers.clear()
    assert list(timers) == []


def test_many_timers() -> None:
    timers = Timers()
    deadlines = [float(n) for n in range(20_000)]
    random.Random(1).shuffle(deadlines)
    for deadline in deadlines:
        ticket = make_ticket()
        ticket.value = deadline
        timers.add(deadline, ticket)
    order = []
    ready: deque[Ticket] = deque()
    heap = timers.heap
    assert heap[0][0] == 0.0
    while heap:
        order.append(heap[0][0])
        timers.expire(heap[0][0], ready)
    assert order == sorted(deadlines)
    assert len(ready) == 20_000


Step = tuple[str, Any]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 20)),
            st.tuples(st.just("cancel"), st.integers(0, 50)),
            st.tuples(st.just("wake"), st.integers(0, 50)),
            st.tuples(st.just("expire"), st.integers(0, 20)),
            st.tuples(st.just("next"), st.none()),
        ),
        max_size=60,
    )
)
def test_they_behave_like_a_sorted_list(steps: list[Step]) -> None:
    before = timers_module.PURGE_MINIMUM
    timers_module.PURGE_MINIMUM = 4  # so that purges take part
    try:
        check_against_sorted_list(steps)
    finally:
        timers_module.PURGE_MINIMUM = before


def check_against_sorted_list(steps: list[Step]) -> None:
    timers = Timers()
    model: list[tuple[float, int, Ticket]] = []
    everybody: list[Ticket] = []
    for step, argument in steps:
        if step == "add":
            ticket = make_ticket()
            timers.add(float(argument), ticket)
            model.append((float(argument), len(everybody), ticket))
            everybody.append(ticket)
        elif step in ("cancel", "wake") and everybody:
            ticket = everybody[argument % len(everybody)]
            if ticket.state == PENDING:
                cancel(timers, ticket)
            model = [entry for entry in model if entry[2] is not ticket]
        elif step == "expire":
            due = sorted(entry for entry in model if entry[0] <= argument)
            assert expire(timers, argument) == [ticket for _, _, ticket in due]
            model = [entry for entry in model if entry not in due]
        assert timers.next_deadline() == min((entry[0] for entry in model), default=None)
        assert [(d, t) for d, _, t in sorted(model)] == list(timers)
        assert len(timers) == len(model)
        assert timers.cancelled <= len(timers.heap)
        assert len(timers.heap) <= 2 * len(model) + 4


def test_a_timer_added_while_a_signal_handler_has_the_heap_rebuilt_is_kept() -> None:
    timers = Timers()
    ticket = make_ticket()

    def numbers() -> Iterator[int]:
        timers._purge()  # what a handler may do at any call
        yield 1

    timers._sequence = numbers()  # type: ignore[assignment]  # numbers in order, as of `count`
    timers.add(1.0, ticket)

    assert list(timers) == [(1.0, ticket)]


# -- purging ------------------------------------------------------------------------------------


def test_the_dead_are_purged_when_they_are_a_thousand_and_half() -> None:
    timers = Timers()
    tickets = [make_ticket() for _ in range(3 * PURGE_MINIMUM)]
    for n, ticket in enumerate(tickets):
        timers.add(float(n), ticket)

    for ticket in tickets[: PURGE_MINIMUM + PURGE_MINIMUM // 2 - 1]:
        cancel(timers, ticket)
    assert len(timers.heap) == 3 * PURGE_MINIMUM
    cancel(timers, tickets[-1])

    assert len(timers.heap) == len(timers) == PURGE_MINIMUM + PURGE_MINIMUM // 2
    assert timers.cancelled == 0
    assert expire(timers, 1e9) == tickets[PURGE_MINIMUM + PURGE_MINIMUM // 2 - 1 : -1]


def test_less_than_a_thousand_dead_are_left() -> None:
    timers = Timers()
    tickets = [make_ticket() for _ in range(PURGE_MINIMUM)]
    for ticket in tickets:
        timers.add(1.0, ticket)
    for ticket in tickets[1:]:
        cancel(timers, ticket)
    assert len(timers.heap) == PURGE_MINIMUM
    assert timers.cancelled == PURGE_MINIMUM - 1


def test_parks_that_end_early_do_not_pile_up() -> None:
    hub = get_hub()
    highest = 0
    for _ in range(5 * PURGE_MINIMUM):
        ticket = hub.ticket()
        wake(ticket)
        hub.park(ticket, 3600)
        highest = max(highest, len(hub.timers.heap))
    assert highest <= 2 * PURGE_MINIMUM + 10


def test_parks_that_are_interrupted_do_not_pile_up() -> None:
    hub = get_hub()
    threads = [spawn(sleep, 3600) for _ in range(3 * PURGE_MINIMUM)]
    sleep(0)
    before = len(hub.timers.heap)

    for thread in threads:
        throw_into(thread, greenlet.GreenletExit())
    sleep(0)

    assert all(thread.dead for thread in threads)
    assert len(hub.timers.heap) <= before - 3 * PURGE_MINIMUM + PURGE_MINIMUM


def test_a_timer_added_during_a_purge_survives() -> None:
    # As a signal handler does: the purge calls something, and in there a timer is made.
    timers = Timers()
    late = make_ticket()
    tickets = [make_ticket() for _ in range(PURGE_MINIMUM)]
    for ticket in tickets:
        timers.add(1.0, ticket)

    def heapify_and_add(heap: list[Any]) -> None:
        heapq.heapify(heap)
        if late not in [entry[2] for entry in timers.heap]:
            timers.add(0.5, late)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timers_module, "heapify", heapify_and_add)
        for ticket in tickets:
            cancel(timers, ticket)

    assert expire(timers, 2.0) == [late]


def test_a_handler_that_raises_during_a_purge_loses_no_timer() -> None:
    timers = Timers()
    live = make_ticket()
    timers.add(2.0, live)
    tickets = [make_ticket() for _ in range(PURGE_MINIMUM)]
    for ticket in tickets:
        timers.add(1.0, ticket)

    def raise_alarm(_heap: list[Any]) -> None:
        raise InterruptedError

    for ticket in tickets[1:]:
        cancel(timers, ticket)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timers_module, "heapify", raise_alarm)
        with pytest.raises(InterruptedError):
            cancel(timers, tickets[0])

    assert expire(timers, 2.0) == [live]


def test_a_handler_that_raises_during_expiry_loses_no_timer() -> None:
    timers = Timers()
    a, b = make_ticket(), make_ticket()
    timers.add(1.0, a)
    timers.add(1.0, b)
    ready: deque[Ticket] = deque()

    def raise_alarm(_heap: list[Any]) -> None:
        raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timers_module, "heappop", raise_alarm)
        with pytest.raises(InterruptedError):
            timers.expire(1.0, ready)
    timers.expire(1.0, ready)

    assert list(ready) == [a, b]


# -- calls ----------------------------------------------------------------------------------------


def test_calls_run_in_the_hubs_greenlet_in_the_order_of_their_deadlines() -> None:
    calls: list[Any] = []
    now = [100.0]  # a clock moved by hand

    def note(name: str, *, flag: bool) -> None:
        calls.append((name, flag, greenlet.getcurrent() is get_hub().greenlet))

    def program() -> None:
        hub = get_hub()
        hub.call_later(4, note, "late", flag=True)
        hub.call_later(2, note, "soon", flag=False)
        hub.call_at(hub.clock() + 3, note, "middle", flag=True)
        hub.call_soon(note, "now", flag=True)
        now[0] += 5
        sleep(0)
        sleep(0)

    in_os_thread(program, lambda: Hub(clock=lambda: now[0]))
    assert calls == [
        ("now", True, True),
        ("soon", False, True),
        ("middle", True, True),
        ("late", True, True),
    ]


def test_a_timer_says_what_it_calls() -> None:
    timer = get_hub().call_soon(int)

    told = [repr(timer)]
    sleep(0)
    told.append(repr(timer))

    assert told == ["<Timer pending: the call of <class 'int'>>", "<Timer over>"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("-inf")])
def test_a_call_in_no_time_is_made_in_the_next_batch(seconds: float) -> None:
    calls: list[int] = []
    get_hub().call_later(seconds, calls.append, 1)
    assert calls == []
    sleep(0)
    assert calls == [1]
    assert get_hub().timers.next_deadline() is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_thread_started_in_no_time_starts(seconds: float) -> None:
    hub = get_hub()
    thread = GreenThread(hub, lambda: 7)
    hub.start_later(thread, seconds)
    assert thread.wait() == 7


def test_a_call_made_in_a_batch_runs_in_the_next_pass_after_what_the_kernel_announces() -> None:
    hub = get_hub()
    order: list[str] = []
    r, w = os.pipe()
    try:

        def reader() -> None:
            hub.wait_foreign(r, read=True, timeout=LONG)
            order.append("I/O")

        def callback() -> None:
            hub.call_soon(order.append, "made in the batch")
            hub.call_later(0, order.append, "made in the batch too")
            os.write(w, b"x")
            order.append("batch")

        thread = spawn(reader)
        sleep(0)
        hub.call_soon(callback)
        thread.wait()
        sleep(0)
    finally:
        os.close(r)
        os.close(w)
    assert order == ["batch", "I/O", "made in the batch", "made in the batch too"]


def test_a_timer_that_is_due_joins_the_batch_of_its_pass() -> None:
    hub = get_hub()
    order: list[str] = []

    def first() -> None:
        order.append("ready before")
        hub.call_soon(order.append, "made in the batch")

    hub.call_soon(first)
    hub.call_at(hub.clock() - 1, order.append, "due")
    sleep(0)
    sleep(0)

    assert order == ["ready before", "due", "made in the batch"]


def test_a_cancelled_call_is_not_made_and_lets_go_of_everything() -> None:
    class Thing:
        def method(self) -> None:
            raise AssertionError("cancelled")

    hub = get_hub()
    things = [Thing() for _ in range(3)]
    seen = [weakref.ref(thing) for thing in things]
    timers = [
        hub.call_later(3600, things[0].method),
        hub.call_later(3600, print, things[1]),
        hub.call_soon(print, key=things[2]),
    ]
    assert [timer.pending for timer in timers] == [True, True, True]
    things.clear()

    for timer in timers:
        timer.cancel()
        timer.cancel()

    assert [ref() for ref in seen] == [None, None, None]
    assert [timer.pending for timer in timers] == [False, False, False]
    sleep(0)


def test_a_call_that_was_made_lets_go_of_everything() -> None:
    class Thing:
        def method(self, *_: object) -> None:
            pass

    hub = get_hub()
    thing, argument = Thing(), Thing()
    seen = weakref.ref(thing), weakref.ref(argument)
    before = hub.timers.cancelled
    timer = hub.call_soon(thing.method, argument)
    del thing, argument
    sleep(0)

    assert [ref() for ref in seen] == [None, None]
    assert not timer.pending
    timer.cancel()  # harmless
    assert hub.timers.cancelled == before


def test_a_call_that_is_due_can_be_cancelled_until_it_runs() -> None:
    hub = get_hub()
    calls: list[int] = []
    timers: list[Timer] = []
    hub.call_soon(lambda: timers.pop().cancel())
    timers.append(hub.call_soon(calls.append, 1))
    sleep(0)
    assert calls == []


def test_a_call_that_raises_is_reported_and_the_others_are_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub = get_hub()
    calls: list[int] = []

    def fail() -> None:
        raise ValueError("from the callback")

    hub.call_soon(calls.append, 1)
    hub.call_soon(fail)
    hub.call_soon(calls.append, 2)
    sleep(0)
    sleep(0)

    assert calls == [1, 2]
    assert capsys.readouterr().err.count("ValueError: from the callback") == 1


def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    order: list[int] = []

    def sleeper(n: int, seconds: float) -> None:
        sleep(seconds)
        order.append(n)

    plan = [(n, random.Random(n).randrange(20) / 1000) for n in range(200)]
    began = get_hub().clock()
    threads = [spawn(sleeper, n, seconds) for n, seconds in plan]
    for thread in threads:
        thread.wait()
    took = get_hub().clock() - began

    assert sorted(order) == list(range(200))
    assert took >= 0.019
    # Each deadline counts from its own call of sleep; those of 1 ms or more apart keep order.
    position = {n: order.index(n) for n in order}
    for (a, first), (b, second) in pairwise(plan):
        if second - first >= 0.010:
            assert position[a] < position[b]


@pytest.mark.parametrize(
    "forever", [1e10, 1e300, float("inf")], ids=["1e10 s", "1e300 s", "infinity"]
)
def test_a_wait_longer_than_the_kernel_can_count(
    forever: float, capsys: pytest.CaptureFixture[str]
) -> None:
    # It must not make the kernel refuse the wait, which would spin and fill standard error.
    hub = get_hub()
    thread = spawn(sleep, forever)
    other = [hub.call_later(forever, print), hub.call_at(forever, print)]
    sleep(0.002)
    hub.run_once(0)
    assert not thread.dead

    alarm = threading.Timer(0.01, hub.call_from_thread, (thread.kill,))
    alarm.start()
    with pytest.raises(greenlet.GreenletExit):
        thread.wait()
    alarm.join()
    for timer in other:
        timer.cancel()
    assert capsys.readouterr().err == ""
