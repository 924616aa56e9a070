"""Who waits for a lock of a built-in type: the line before it, and how a lock changes hands.

Theory of operation
-------------------
The lock itself stays what it was: C holds it or it is free. What is ours is the waiting. The
methods in `plain_locks` and `reentrant_locks` first try without blocking. When that fails the
caller puts a ticket into the *line* of the lock, tries once more, and waits: a green thread
parks, an OS thread without a hub blocks on its ticket. Both stand in one line, first come
first served.

Whoever releases a lock looks at the line first. When somebody stands there the lock is
*handed over*: it does not become free, the head of the line owns it from then on, and nobody
who comes later can take it. A waiter that dies in between passes it on.

Nothing here takes another lock, imports, or is in the middle of something when a signal
handler or finalizer can run. CPython runs those, and switches OS threads, only at calls and
backward jumps; the steps that belong together stand in one straight line (see
`_core.wait_queue`). So a handler that logs finds every lock either held or free, and a line
that is whole.

Not every change of an old lock is seen. An OS thread that waited in C before the types were
patched, a bound method that somebody kept, the interpreter itself at the end of an OS thread
(up to 3.12) go past these methods. The locks that such code can know are those that were there
when the types were patched: `old_locks` has noted them. Who waits for one of them also looks
at it, at least every 10 ms; and when green threads hand one on and on, they let it go for a
moment now and then, so that a waiter in C has its turn.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from eventlet._core.wait_queue import EXPIRED, SPENT, Ticket
from eventlet._core.waiting import OSThreadTicket, give_up_ticket, wait_here
from eventlet._unpatched import monotonic

__all__ = ["LONGEST_PAUSE", "Line", "hand_over", "wait_in_line"]

FIRST_PAUSE: Final = 0.0005
LONGEST_PAUSE: Final = 0.01
"""Seconds between two looks at an old lock."""


class Line:
    """Those who wait for one lock, in order.

    Attributes:
        tickets: of those who wait; may hold spent ones.
        owner: for a re-entrant lock, the greenlet that owns it.
        levels: for a re-entrant lock, how often the owner has taken it, if not C counts that.
        first_level: what `levels` is at first: 1, or 0 for ever if C counts.
        lock: for a re-entrant lock, a weak reference to it.
        handed: the ticket to which the lock was handed last, while its owner has not run.
        turns: how often it was handed over, for an old lock.
    """

    __slots__ = ("first_level", "handed", "is_old", "levels", "lock", "owner", "tickets", "turns")

    def __init__(self, is_old: bool) -> None:
        self.tickets: deque[Ticket] = deque()
        self.owner: Any = None
        self.handed: Ticket | None = None
        self.is_old = is_old
        self.turns = 0
        self.levels = self.first_level = 0
        self.lock: Any = None

    def discard(self, ticket: Ticket) -> None:
        """Take a ticket out; harmless when it is not there."""
        try:
            self.tickets.remove(ticket)
        except ValueError:
            pass  # whoever woke it took it out


def hand_over(line: Line) -> bool:
    """Make the first who accepts the owner, and wake it.

    Returns:
        False when nobody waits; then the lock has no owner.
    """
    tickets = line.tickets
    while True:
        if not tickets:
            line.handed = line.owner = None  # in one step with the look
            return False
        ticket = tickets[0]
        if ticket.state == 0:
            # All of this happens or nothing: the first call is the one that wakes.
            ticket.state = 1
            ticket.value = True
            line.owner = ticket.thread
            line.handed = ticket
            hub = ticket.hub
            hub.ready.append(ticket)
            if not hub.asleep or hub.notify():
                line.discard(ticket)
                return True
        line.discard(ticket)


def wait_in_line(
    line: Line,
    ticket: Ticket,
    timeout: float | None,
    look: Callable[[], object],
    is_over: Callable[[], bool] | None = None,
) -> bool:
    """Wait until the lock is handed over to the ticket.

    Args:
        line: where the ticket stands.
        ticket: made by `ticket_here`.
        timeout: seconds; None waits for ever.
        look: hands the lock over if it has come free behind our back; for an old lock.
        is_over: asked when another wait of the caller, which this one has interrupted, has
            come to its end meanwhile: whether the lock was handed over to that.

    Returns:
        False when `timeout` was up, or it is over.
    """
    _finish_waking(line)
    if not line.is_old:
        return wait_here(ticket, timeout, is_over) is not EXPIRED
    if isinstance(ticket, OSThreadTicket):
        return _block_and_look(ticket, timeout, look, is_over)
    timer = ticket.hub.call_later(FIRST_PAUSE, _look_again, ticket, look, FIRST_PAUSE)
    try:
        return wait_here(ticket, timeout, is_over) is not EXPIRED
    finally:
        timer.cancel()


def _finish_waking(line: Line) -> None:
    """Notify the hub of the last one woken: we may be in a handler that interrupted that."""
    handed = line.handed
    if handed is not None and handed.state & SPENT == 0 and handed.hub.asleep:
        handed.hub.notifier.notify()


def _look_again(ticket: Ticket, look: Callable[[], object], pause: float) -> None:
    if ticket.state:
        return
    look()
    if ticket.state == 0:
        pause = min(2 * pause, LONGEST_PAUSE)
        ticket.hub.call_later(pause, _look_again, ticket, look, pause)


def _block_and_look(
    ticket: OSThreadTicket,
    timeout: float | None,
    look: Callable[[], object],
    is_over: Callable[[], bool] | None,
) -> bool:
    deadline = None if timeout is None else monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        left = pause if deadline is None else min(pause, deadline - monotonic())
        if ticket.wait(max(left, 0.0)):
            return True
        look()
        if left <= 0 or (is_over is not None and is_over()):
            return not give_up_ticket(ticket)
        pause = min(2 * pause, LONGEST_PAUSE)
