"""Trap 2: a wake-up needs an address. Tickets, and the FIFO of them.

The orders of wake, interrupt, time-out and close are not sampled but listed: every order of
every selection, for one park and for a queue of waiters, against a model in plain Python.
"""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

import greenlet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.thread import GreenThread
from eventlet._core.wait_queue import (
    EXPIRED,
    INTERRUPTED,
    PENDING,
    SPENT,
    WOKEN,
    Ticket,
    WaitQueue,
    interrupt,
    live_ticket,
    wake,
)
from eventlet._errors import MainloopBlocked
from eventlet.greenthread import sleep, spawn

from tests.unit.core.os_threads import in_os_thread

LONG = 30.0


class Stop(BaseException):
    """What the interrupts of these tests raise."""


@dataclass
class Waiter:
    """A green thread that parks once, then once more, and tells what it got."""

    timeout: float | None = None
    ticket: Ticket | None = None
    first: Any = None
    second: Any = None
    thread: GreenThread = field(init=False)
    was_woken: bool = False

    def start(self) -> Waiter:
        self.thread = spawn(self._run)
        sleep(0)
        return self

    def _run(self) -> None:
        hub = get_hub()
        ticket = self.ticket = hub.ticket()
        try:
            self.first = hub.park(ticket, self.timeout)
        except Stop as exc:
            self.first = exc
        self.was_woken = ticket.was_woken
        # A wake-up or interrupt that arrives late must not end this one.
        self.second = hub.park(hub.ticket(), 0)


# -- one park -----------------------------------------------------------------------------


def test_park_returns_what_wake_gave() -> None:
    waiter = Waiter().start()
    assert waiter.ticket is not None

    assert wake(waiter.ticket, "value") is True

    waiter.thread.wait()
    assert waiter.first == "value"


def test_wake_never_runs_the_thread_itself() -> None:
    waiter = Waiter().start()
    assert waiter.ticket is not None

    wake(waiter.ticket, "value")

    assert waiter.first is None
    waiter.thread.wait()


def test_park_raises_what_interrupt_gave() -> None:
    waiter = Waiter().start()
    assert waiter.ticket is not None
    stop = Stop()

    assert interrupt(waiter.ticket, stop) is True

    waiter.thread.wait()
    assert waiter.first is stop


def test_park_returns_expired_at_its_deadline() -> None:
    waiter = Waiter(timeout=0.001).start()
    waiter.thread.wait()
    assert waiter.first is EXPIRED
    assert waiter.was_woken is False


@pytest.mark.parametrize("timeout", [0, -1, -1e9, float("-inf"), float("nan")])
def test_a_timeout_of_nothing_lasts_one_pass(timeout: float) -> None:
    hub = get_hub()
    ran: list[int] = []
    spawn(ran.append, 1)

    assert hub.park(hub.ticket(), timeout) is EXPIRED

    assert ran == [1]


def test_a_ticket_may_be_woken_before_the_park() -> None:
    hub = get_hub()
    ticket = hub.ticket()
    wake(ticket, 7)
    assert hub.park(ticket, LONG) == 7


def test_a_ticket_may_be_interrupted_before_the_park() -> None:
    hub = get_hub()
    ticket = hub.ticket()
    interrupt(ticket, Stop())
    with pytest.raises(Stop):
        hub.park(ticket, LONG)


def test_no_ticket_in_the_hubs_own_greenlet() -> None:
    hub = get_hub()
    errors: list[BaseException] = []

    def callback() -> None:
        for call in (hub.ticket, hub.yield_):
            with pytest.raises(MainloopBlocked, match="do not call blocking") as info:
                call()
            errors.append(info.value)

    hub.call_soon(callback)
    sleep(0)
    assert [isinstance(error, RuntimeError) for error in errors] == [True, True]


def test_trap2_a_thread_thrown_into_without_its_ticket_spends_it() -> None:
    # A plain greenlet dies of somebody's throw(); what still refers to its park is harmless.
    hub = get_hub()
    caught: list[BaseException] = []
    tickets: list[Ticket] = []

    def body() -> None:
        tickets.append(hub.ticket())
        try:
            hub.park(tickets[0], 0.002)
        except Stop as exc:
            caught.append(exc)

    raw = greenlet.greenlet(body)
    hub.call_soon(raw.switch)
    sleep(0)
    hub.call_soon(raw.throw, Stop)
    sleep(0)

    assert len(caught) == 1
    assert raw.dead
    assert wake(tickets[0]) is False
    assert hub.park(hub.ticket(), 0.01) is EXPIRED  # the time-out of the dead does not hit us


def test_trap2_a_thread_thrown_into_while_it_yields_does_not_run_twice() -> None:
    hub = get_hub()

    def body() -> None:
        with pytest.raises(Stop):
            hub.yield_()

    raw = greenlet.greenlet(body)
    hub.call_soon(raw.switch)
    hub.call_soon(raw.throw, Stop)
    sleep(0)
    sleep(0)
    assert raw.dead
    assert hub.park(hub.ticket(), 0.002) is EXPIRED


def test_the_end_of_a_plain_greenlet_that_parked_leads_to_the_hub() -> None:
    # Its parent is its maker: it would be torn out of whatever it waits for.
    hub = get_hub()
    raw = greenlet.greenlet(lambda: hub.park(hub.ticket(), 0.002))
    hub.call_soon(raw.switch)

    while not raw.dead:
        assert hub.park(hub.ticket(), 0.01) is EXPIRED


def test_a_maker_that_waits_for_its_plain_greenlet_gets_it_back() -> None:
    hub = get_hub()

    def maker() -> Any:
        nested = greenlet.greenlet(lambda: hub.park(hub.ticket(), 0.002))
        return nested.switch()

    assert spawn(maker).wait() is EXPIRED


def test_a_ticket_says_what_became_of_it() -> None:
    hub = get_hub()
    ticket = hub.ticket()
    assert repr(ticket).startswith("<Ticket pending of <")
    wake(ticket, 1)
    interrupt(ticket, Stop())
    assert repr(ticket).startswith("<Ticket woken+interrupted of <")
    with pytest.raises(Stop):
        hub.park(ticket)
    assert repr(ticket) == "<Ticket woken+interrupted+spent of None>"
    assert repr(EXPIRED) == "EXPIRED"


def test_live_ticket_is_that_of_the_present_park() -> None:
    waiter = Waiter().start()
    assert live_ticket(waiter.thread) is waiter.ticket
    assert live_ticket(greenlet.getcurrent()) is None
    assert live_ticket(object()) is None
    assert waiter.ticket is not None
    wake(waiter.ticket)
    waiter.thread.wait()
    assert live_ticket(waiter.thread) is None


def test_a_long_time_limit_does_not_keep_what_the_wake_brought() -> None:
    # The heap keeps the ticket of an early wake until its deadline, or the next purge.
    class Item:
        pass

    hub = get_hub()
    ticket = hub.ticket()
    item = Item()
    seen = weakref.ref(item)
    wake(ticket, item)
    del item
    assert isinstance(hub.park(ticket, 3600), Item)
    del ticket
    sleep(0)
    assert seen() is None


def test_an_interrupt_leaves_no_cycle_that_keeps_the_frame() -> None:
    class Local:
        pass

    seen: list[weakref.ref[Local]] = []

    def body() -> None:
        local = Local()
        seen.append(weakref.ref(local))
        hub = get_hub()
        try:
            hub.park(hub.ticket(), 3600)
        except Stop:
            pass

    thread = spawn(body)
    sleep(0)
    gc.collect()
    gc.disable()
    try:
        ticket = live_ticket(thread)
        assert ticket is not None
        interrupt(ticket, Stop())
        del ticket
        thread.wait()
        assert seen[0]() is None
    finally:
        gc.enable()


# -- trap 2: every order of what can happen to one park ---------------------------------------

EVENTS = ("wake", "wake again", "interrupt", "interrupt again", "time-out", "run")


def orders() -> Iterator[tuple[str, ...]]:
    """Every order of every selection of EVENTS: 1,956 of them."""
    for count in range(1, len(EVENTS) + 1):
        yield from permutations(EVENTS, count)


class ParkModel:
    """What one ticket must do, said without tickets."""

    def __init__(self) -> None:
        self.value: Any = None
        self.exc: Any = None
        self.woken = self.expired = self.over = False

    def wake(self, value: str) -> bool:
        if self.over or self.woken or self.exc is not None:
            return False
        self.woken, self.value = True, value
        return True

    def interrupt(self, exc: BaseException) -> bool:
        if self.over or self.exc is not None:
            return False
        self.exc = exc
        return True

    def time_out(self) -> None:
        if self.wake("expired"):
            self.expired = True

    def run(self) -> None:
        self.over = self.over or self.woken or self.exc is not None

    @property
    def outcome(self) -> Any:
        if self.exc is not None:
            return self.exc
        return EXPIRED if self.expired else self.value


@pytest.mark.parametrize("leader", EVENTS)
def test_trap2_one_park_in_every_order(leader: str) -> None:
    for order in orders():
        if order[0] == leader:
            check_one_order(order)


def check_one_order(order: tuple[str, ...]) -> None:
    hub = get_hub()
    waiter = Waiter(timeout=3600).start()
    ticket, model = waiter.ticket, ParkModel()
    assert ticket is not None
    for event in order:
        if event.startswith("wake"):
            assert wake(ticket, event) is model.wake(event), order
        elif event.startswith("interrupt"):
            exc = Stop(event)
            assert interrupt(ticket, exc) is model.interrupt(exc), order
        elif event == "time-out":
            hub.timers.expire(hub.clock() + 7200, hub.ready)
            model.time_out()
        else:
            model.run()
            sleep(0)
        assert ticket.was_woken is (model.woken and not model.expired), order
    if not (model.woken or model.exc is not None):
        assert model.wake("at last") is wake(ticket, "at last")
    model.run()
    sleep(0)
    assert waiter.first is model.outcome or waiter.first == model.outcome, order
    assert waiter.was_woken is (model.woken and not model.expired), order
    # Spent: nothing is accepted, nothing changes.
    before = ticket.state, ticket.value, ticket.exc
    assert (wake(ticket, "late"), interrupt(ticket, Stop())) == (False, False)
    assert (ticket.state, ticket.value, ticket.exc) == before
    assert ticket.state & SPENT
    waiter.thread.wait()
    assert waiter.second is EXPIRED, order


def test_the_states_are_bits() -> None:
    assert (PENDING, WOKEN, INTERRUPTED, SPENT) == (0, 1, 2, 4)


# -- trap 2: a FIFO of waiters ------------------------------------------------------------------


class Channel:
    """A primitive in its smallest form: items are handed to waiters, first come first served.

    It is what every lock and queue does with tickets, so what holds here holds there.
    """

    def __init__(self) -> None:
        self.items: deque[int] = deque()
        self.waiters = WaitQueue()

    def put(self, item: int, front: bool = False) -> None:
        if self.waiters.wake_first(item) is None:
            (self.items.appendleft if front else self.items.append)(item)

    def get(self, timeout: float | None = None) -> Any:
        if self.items and not self.waiters:
            return self.items.popleft()
        hub = get_hub()
        ticket = hub.ticket()
        self.waiters.append(ticket)
        try:
            value = hub.park(ticket, timeout)
        except BaseException:
            if ticket.was_woken:
                self.put(ticket.value, front=True)
            else:
                self.waiters.discard(ticket)
            raise
        if value is EXPIRED:
            self.waiters.discard(ticket)
        return value


WAITERS = 3


def queue_histories() -> Iterator[tuple[tuple[str, int], ...]]:
    """Every order of three puts, a kill of each waiter, a time-out of each, and a run.

    Selections of four events: puts are alike, so are the runs.
    """
    kills = [("kill", n) for n in range(WAITERS)]
    expiries = [("expire", n) for n in range(WAITERS)]
    yield from product([("put", 0), ("run", 0), *kills, *expiries], repeat=4)


@pytest.mark.slow
def test_trap2_a_queue_of_waiters_in_every_order() -> None:
    for history in queue_histories():
        check_history(history)


def check_history(history: tuple[tuple[str, int], ...]) -> None:
    hub = get_hub()
    channel = Channel()
    got: list[Any] = [None] * WAITERS
    tickets: list[Ticket] = []
    order: list[int] = []

    def waiter(n: int) -> None:
        try:
            got[n] = channel.get(3600)
        except Stop:
            got[n] = "killed"
        if isinstance(got[n], int):
            order.append(got[n])
        assert hub.park(hub.ticket(), 0) is EXPIRED

    threads = [spawn(waiter, n) for n in range(WAITERS)]
    sleep(0)
    for thread in threads:
        ticket = live_ticket(thread)
        assert ticket is not None
        tickets.append(ticket)
    puts = 0
    for event, n in history:
        if event == "put":
            channel.put(puts)
            puts += 1
        elif event == "run":
            sleep(0)
        elif event == "kill":
            interrupt(tickets[n], Stop())
        else:
            wake(tickets[n], EXPIRED)
    for _ in range(WAITERS + 2):
        sleep(0)
    served = [item for item in got if isinstance(item, int)]
    # Nothing is lost, nothing is handed out twice, nobody waits while an item lies there.
    assert sorted([*served, *channel.items]) == list(range(puts)), history
    assert not (channel.items and channel.waiters), history
    killed = {n for event, n in history if event == "kill"}
    expired = {n for event, n in history if event == "expire"}
    for n in range(WAITERS):
        if got[n] is None:
            assert n not in killed | expired, history
        elif got[n] == "killed":
            assert n in killed
        elif got[n] is EXPIRED:
            assert n in expired
    if not killed:
        assert served == sorted(served) == order, history  # first come first served
    for ticket in tickets:
        interrupt(ticket, Stop())
    for thread in threads:
        thread.wait()
    assert len(channel.waiters) == 0


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("get"), st.sampled_from([None, 0, 3600])),
            st.tuples(st.just("put"), st.none()),
            st.tuples(st.just("run"), st.none()),
            st.tuples(st.sampled_from(["kill", "expire", "throw"]), st.integers(0, 9)),
        ),
        max_size=40,
    )
)
def test_trap2_long_histories_lose_and_double_nothing(
    steps: list[tuple[str, Any]],
) -> None:
    channel = Channel()
    got: list[int] = []
    threads: list[GreenThread] = []
    puts = 0

    def taker(timeout: float | None) -> None:
        try:
            item = channel.get(timeout)
        except Stop:
            return
        if item is not EXPIRED:
            got.append(item)

    for step, argument in steps:
        if step == "get":
            threads.append(spawn(taker, argument))
        elif step == "put":
            channel.put(puts)
            puts += 1
        elif step == "run":
            sleep(0)
        elif threads:
            thread = threads[argument % len(threads)]
            ticket = live_ticket(thread)
            if step == "throw" and thread:
                get_hub().call_soon(_throw_if_alive, thread)
            elif ticket is not None and thread:
                if step == "kill":
                    interrupt(ticket, Stop())
                else:
                    wake(ticket, EXPIRED)
    for _ in range(len(steps) + 2):
        sleep(0)
    assert sorted([*got, *channel.items]) == list(range(puts))
    assert not (channel.items and channel.waiters)
    for thread in threads:
        thread.kill(Stop)
    assert sorted([*got, *channel.items]) == list(range(puts))


def _throw_if_alive(thread: GreenThread) -> None:
    if not thread.dead:
        thread.throw(Stop)


# -- the queue itself -----------------------------------------------------------------------------


def tickets_of(count: int) -> list[Ticket]:
    return [Ticket(get_hub(), None) for _ in range(count)]


def test_wake_first_skips_the_spent_and_returns_who_took_it() -> None:
    queue = WaitQueue()
    a, b, c = tickets_of(3)
    for ticket in (a, b, c):
        queue.append(ticket)
    a.state = SPENT

    assert queue.wake_first("x") is b
    assert (b.state, b.value) == (WOKEN, "x")
    assert list(queue.tickets) == [c]
    b.state |= SPENT


def test_wake_first_of_nobody_is_none() -> None:
    queue = WaitQueue()
    assert queue.wake_first() is None
    (ticket,) = tickets_of(1)
    queue.append(ticket)
    ticket.state = SPENT
    assert queue.wake_first() is None
    assert not queue.tickets


def test_wake_all_wakes_in_order_and_counts_who_accepted() -> None:
    queue = WaitQueue()
    order: list[int] = []

    def body(n: int) -> None:
        ticket = get_hub().ticket()
        queue.append(ticket)
        get_hub().park(ticket)
        order.append(n)

    for n in range(4):
        spawn(body, n)
    sleep(0)
    gone = queue.tickets[1]
    wake(gone)

    assert queue.wake_all() == 3
    sleep(0)
    assert order == [1, 0, 2, 3]
    assert queue.wake_all() == 0


def test_length_and_truth_count_live_waiters_only() -> None:
    queue = WaitQueue()
    assert (len(queue), bool(queue)) == (0, False)
    a, b, c = tickets_of(3)
    for ticket in (a, b, c):
        queue.append(ticket)
    a.state = b.state = SPENT
    assert (len(queue), bool(queue)) == (1, True)
    c.state = SPENT
    assert (len(queue), bool(queue)) == (0, False)


def test_discard_takes_out_one_and_forgives_a_stranger() -> None:
    queue = WaitQueue()
    a, b = tickets_of(2)
    queue.append(a)
    queue.discard(b)
    queue.discard(a)
    queue.discard(a)
    assert len(queue) == 0


# -- a hub that is gone -----------------------------------------------------------------------------


def test_trap8_a_wake_to_a_dead_hub_returns_false() -> None:
    kept: list[Ticket] = []

    def program() -> Hub:
        kept.extend(Ticket(get_hub(), None) for _ in range(2))
        sleep(0)
        return get_hub()

    hub = in_os_thread(program)

    assert hub.closed
    assert wake(kept[0], "value") is False
    assert interrupt(kept[1], Stop()) is False
    assert not hub.ready


def test_trap8_an_item_for_a_waiter_of_a_dead_hub_goes_to_the_next() -> None:
    queue = WaitQueue()

    def program() -> None:
        queue.append(Ticket(get_hub(), None))

    in_os_thread(program)
    mine = get_hub().ticket()
    queue.append(mine)

    assert queue.wake_first("item") is mine
    assert get_hub().park(mine) == "item"
