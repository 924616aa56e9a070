"""The claim that tickets rest on: a straight line of code without a call is atomic.

CPython with the GIL changes OS threads and runs signal handlers at calls and backward jumps
only. The bytecode is looked at, and the claim is hammered, on every Python the suite runs on.
"""

from __future__ import annotations

import dis
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.descriptor import Descriptor
from eventlet._core.hub import Hub
from eventlet._core.timers import Timers
from eventlet._core.wait_queue import PENDING, SPENT, WOKEN, Ticket, interrupt, wake
from eventlet.greenthread import sleep

from tests.unit.core.os_threads import start_os_thread

OS_THREADS = 4
TICKETS = 3000


# -- by the bytecode --------------------------------------------------------------------------


def may_switch(instruction: dis.Instruction) -> bool:
    """Whether CPython may change OS threads or run a signal handler at `instruction`."""
    name = instruction.opname
    return name.startswith(("CALL", "PRECALL", "JUMP_BACKWARD", "SEND", "YIELD", "IMPORT")) and (
        name != "JUMP_BACKWARD_NO_INTERRUPT"
    )


def between(function: Callable[..., Any], first: str, last: str) -> list[dis.Instruction]:
    """Return what stands between two instructions, each told as "OPCODE name".

    `first` is the nearest one before the first `last`.
    """
    code = list(dis.get_instructions(function))
    told = [f"{each.opname} {each.argval}" for each in code]
    end = next(n for n, text in enumerate(told) if _is(text, last))
    start = max(n for n, text in enumerate(told[:end]) if _is(text, first))
    assert end - start > 1
    return code[start + 1 : end]


def _is(text: str, pattern: str) -> bool:
    opcode, _, name = pattern.partition(" ")
    return text.startswith(opcode) and text.endswith(name)


@pytest.mark.parametrize(
    "function",
    [wake, interrupt, Descriptor.announce, Timers.expire],
    ids=["wake", "interrupt", "announce", "expire"],
)
def test_nothing_can_come_between_the_test_and_the_change_of_a_state(
    function: FunctionType,
) -> None:
    found = between(function, "LOAD_ATTR state", "STORE_ATTR state")
    assert [each for each in found if may_switch(each)] == []


@pytest.mark.parametrize(
    "function",
    [wake, interrupt, Descriptor.announce, Timers.expire],
    ids=["wake", "interrupt", "announce", "expire"],
)
def test_nothing_can_come_between_the_change_of_a_state_and_the_ready_queue(
    function: FunctionType,
) -> None:
    loads = "LOAD_METHOD" if sys.version_info < (3, 12) else "LOAD_ATTR"
    found = between(function, "STORE_ATTR state", f"{loads} append")
    assert [each for each in found if may_switch(each)] == []


def test_nothing_can_come_between_taking_a_ticket_out_and_switching_to_its_thread() -> None:
    loads = "LOAD_METHOD" if sys.version_info < (3, 12) else "LOAD_ATTR"
    before_switch = between(Hub._run_batch, "FOR_ITER", f"{loads} switch")
    before_throw = between(Hub._run_batch, f"{loads} switch", f"{loads} throw")
    # A jump back leads to the next ticket, and `switch` stands on the other branch.
    on_the_way = [each for each in before_switch if each.opname != "JUMP_BACKWARD"]
    branch = max(n for n, each in enumerate(before_throw) if each.opname == "JUMP_BACKWARD")
    on_the_way += before_throw[branch + 1 :]

    assert [each for each in on_the_way if may_switch(each)] == []


def test_the_look_at_the_bytecode_finds_a_call() -> None:
    def careless(ticket: Ticket) -> None:
        if not ticket.state:
            nothing()
            ticket.state = WOKEN

    found = between(careless, "LOAD_ATTR state", "STORE_ATTR state")
    assert [each for each in found if may_switch(each)] != []


# -- by the hammer ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def nothing() -> None:
    """Give the interpreter a place to change OS threads."""


def careless_wake(ticket: Ticket, value: Any) -> bool:
    """Wake with a gap between the test and the change, as `wake` must not have."""
    if ticket.state:
        return False
    time.sleep(0)  # another OS thread may go on here, on every Python
    ticket.state = WOKEN
    ticket.value = value
    return True


def hammer(tickets: list[Ticket], call: Callable[[Ticket, int], bool]) -> list[list[int]]:
    """Have OS threads race for each ticket; return who won each, by number."""
    barrier = threading.Barrier(OS_THREADS)
    won: list[list[bool]] = [[] for _ in range(OS_THREADS)]

    def racer(n: int) -> None:
        barrier.wait(60)
        for ticket in tickets:
            won[n].append(call(ticket, n))

    for other in [start_os_thread(lambda n=n: racer(n)) for n in range(OS_THREADS)]:  # type: ignore[misc]
        other.result()
    return [[n for n in range(OS_THREADS) if won[n][turn]] for turn in range(len(tickets))]


def make_tickets() -> list[Ticket]:
    hub = get_hub()
    return [Ticket(hub, None) for _ in range(TICKETS)]


def discard_wakes() -> None:
    """Spend what the hammer made ready: there are no threads behind it."""
    for ticket in get_hub().ready:
        ticket.state |= SPENT
    sleep(0)


def test_a_ticket_is_woken_by_one_alone() -> None:
    tickets = make_tickets()
    winners = hammer(tickets, wake)
    ready = [ticket for ticket in get_hub().ready if ticket.state & SPENT == PENDING]
    discard_wakes()

    assert [len(each) for each in winners] == [1] * TICKETS
    assert [ticket.value for ticket in tickets] == [each[0] for each in winners]
    assert sorted(map(id, ready)) == sorted(map(id, tickets))  # once each


def test_a_ticket_is_interrupted_by_one_alone() -> None:
    tickets = make_tickets()
    reasons = [ValueError(n) for n in range(OS_THREADS)]
    winners = hammer(tickets, lambda ticket, n: interrupt(ticket, reasons[n]))
    discard_wakes()

    assert [len(each) for each in winners] == [1] * TICKETS
    assert [ticket.exc for ticket in tickets] == [reasons[each[0]] for each in winners]


def test_a_ticket_takes_one_wake_and_one_interrupt_and_is_queued_once() -> None:
    tickets = make_tickets()
    reason = ValueError()
    winners = hammer(
        tickets, lambda ticket, n: interrupt(ticket, reason) if n % 2 else wake(ticket, n)
    )
    queued = [ticket for ticket in get_hub().ready if ticket.state & SPENT == PENDING]
    discard_wakes()

    for ticket, who in zip(tickets, winners, strict=True):
        wakes = [n for n in who if n % 2 == 0]
        assert len(wakes) <= 1
        assert len(who) - len(wakes) == 1  # nothing stands in an interrupt's way
        assert ticket.was_woken is bool(wakes)
    assert sorted(map(id, queued)) == sorted(map(id, tickets))


def test_the_hammer_finds_a_gap() -> None:
    doubled = 0
    for _ in range(200):
        doubled += sum(len(who) > 1 for who in hammer(make_tickets()[:500], careless_wake))
        if doubled:
            break
    assert doubled
