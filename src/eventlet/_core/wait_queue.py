"""Tickets and the FIFO of parked threads that locks, events and queues are made of.

Theory of operation
-------------------
A wake-up needs an address. Whoever parks makes a *ticket*, hands it to those who may wake
it, and parks on it. A ticket serves one park and is spent afterwards, so a late wake can
never hit the thread's next park.

    PENDING --wake()--> WOKEN ----------------> SPENT        park() returns the value
       |                  | interrupt()
       |                  v
       +--interrupt()--> INTERRUPTED ---------> SPENT        park() raises

An interrupt that comes after the wake but before the woken thread has run overtakes it:
both bits are set, `park` raises, and `was_woken` tells the primitive that an item or
permit had been handed to this ticket and must be passed on.

`wake` and `interrupt` may be called from any OS thread, a signal handler or the garbage
collector. The test and the change of `state` stand in one straight line of code: CPython
with the GIL switches threads and runs signal handlers only at calls and backward jumps
(measured on 3.11 to 3.13), so the pair is atomic. Builds without the GIL are refused by
the hub.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = [
    "EXPIRED",
    "INTERRUPTED",
    "PENDING",
    "SPENT",
    "WOKEN",
    "Ticket",
    "WaitQueue",
    "interrupt",
    "live_ticket",
    "throw",
    "wake",
]

PENDING: Final = 0
WOKEN: Final = 1
INTERRUPTED: Final = 2
SPENT: Final = 4


class _Expired:
    """The value `park` returns when its deadline passed."""

    def __repr__(self) -> str:
        return "EXPIRED"


EXPIRED: Final = _Expired()


class Ticket:
    """The address of one park: who waits, and what came of it."""

    __slots__ = ("exc", "hub", "state", "thread", "value")

    hub: "Hub"
    thread: Any
    state: int
    value: Any
    exc: BaseException | None

    def __init__(self, hub: "Hub", thread: Any) -> None:
        self.hub = hub
        self.thread = thread
        self.state = 0
        self.value = None
        self.exc = None

    @property
    def was_woken(self) -> bool:
        """Whether a wake was accepted, even if an interrupt overtook it."""
        return self.state & WOKEN != 0 and self.value is not EXPIRED

    def __repr__(self) -> str:
        names = [
            name
            for bit, name in ((WOKEN, "woken"), (INTERRUPTED, "interrupted"), (SPENT, "spent"))
            if self.state & bit
        ]
        return f"<Ticket {'+'.join(names) or 'pending'} of {self.thread!r}>"


def wake(ticket: Ticket, value: Any = None) -> bool:
    """Let the ticket's thread go on with `value`, in the hub's next batch.

    Returns:
        True when the ticket took the value; False when it was woken or spent before, or
        its hub is closed. Then nothing changed.
    """
    if ticket.state:
        return False
    ticket.state = 1  # WOKEN; atomic with the test above, see the theory
    ticket.value = value
    hub = ticket.hub
    hub.ready.append(ticket)
    if hub.asleep and not hub.notify():
        return _ran_before_its_hub_closed(ticket)
    return True


def _ran_before_its_hub_closed(ticket: Ticket) -> bool:
    """Whether a ticket that was woken has run; if not, nothing will have changed for it.

    Another OS thread may end, with its hub and the ticket's thread, in the middle of a `wake`:
    then the thread has taken what it was handed, or passed it on.
    """
    if ticket.state & SPENT:
        return True
    ticket.state &= ~WOKEN  # atomic with the test above
    ticket.value = None
    return False


def interrupt(ticket: Ticket, exc: BaseException) -> bool:
    """Let the ticket's thread go on by raising `exc` where it parked.

    Returns:
        True when the exception will be raised; False when the ticket is spent or another
        interrupt came first.
    """
    state = ticket.state
    if state == 0:
        ticket.state = INTERRUPTED
        ticket.exc = exc
        hub = ticket.hub
        hub.ready.append(ticket)
        if hub.asleep:
            return hub.notify()
        return True
    if state == WOKEN:
        ticket.state = WOKEN | INTERRUPTED
        ticket.exc = exc
        return True
    return False


def live_ticket(thread: Any) -> Ticket | None:
    """Return the ticket of the park that `thread` is in; None when it is in none."""
    ticket: Ticket | None = getattr(thread, "_ticket", None)
    if ticket is None or ticket.thread is not thread or ticket.state & SPENT:
        return None
    return ticket


def throw(thread: Any, exc: BaseException) -> Any:
    """Switch to `thread` and raise `exc` there, on top of the traceback it has already."""
    return thread.throw(type(exc), exc, exc.__traceback__)


class WaitQueue:
    """Tickets in order of arrival. Tickets that were spent meanwhile are skipped.

    Attributes:
        tickets: for hot paths: when it is empty, nobody waits. It may hold spent tickets.
    """

    __slots__ = ("tickets",)

    def __init__(self) -> None:
        self.tickets: deque[Ticket] = deque()

    def append(self, ticket: Ticket) -> None:
        """Queue `ticket` behind those who wait already."""
        self.tickets.append(ticket)

    def discard(self, ticket: Ticket) -> None:
        """Take `ticket` out; harmless when it is not there."""
        try:
            self.tickets.remove(ticket)
        except ValueError:
            pass  # already served or never queued: both mean "not there"

    def wake_first(self, value: Any = None) -> Ticket | None:
        """Wake the first ticket that accepts `value`.

        Returns:
            That ticket, taken out of the queue; None when nobody waits.
        """
        tickets = self.tickets
        while tickets:
            try:
                ticket = tickets.popleft()
            except IndexError:  # another OS thread took the last one
                return None
            if wake(ticket, value):
                return ticket
        return None

    def wake_all(self, value: Any = None) -> int:
        """Wake everybody who waits now; return how many accepted."""
        count = 0
        for _ in range(len(self.tickets)):
            if self.wake_first(value) is None:
                break
            count += 1
        return count

    def __len__(self) -> int:
        return sum(ticket.state == PENDING for ticket in self.tickets.copy())

    def __bool__(self) -> bool:
        tickets = self.tickets
        while tickets:
            try:
                if tickets[0].state == PENDING:
                    return True
                tickets.popleft()
            except IndexError:  # another OS thread took the last one
                return False
        return False
