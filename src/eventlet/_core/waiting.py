"""Wait for a wake wherever one is: a green thread parks, an OS thread without a hub blocks.

What lies under the locks of the standard library serves both. An OS thread that never asked
for a hub gets none by waiting: its ticket has a queue of its own in place of the hub's, and
the thread blocks on that. `wake` knows no difference.
"""

from collections.abc import Callable
from queue import Empty
from sys import is_finalizing
from typing import Any, Final

from greenlet import getcurrent

from eventlet._core.current import existing_hub
from eventlet._core.wait_queue import EXPIRED, SPENT, Ticket
from eventlet._unpatched import NativeQueue

__all__ = [
    "OSThreadTicket",
    "give_up_ticket",
    "is_ending",
    "may_park_here",
    "ticket_here",
    "wait_here",
]


class _Wire:
    """What an `OSThreadTicket` has for a hub: where `wake` puts the ticket, never asleep.

    The way to wake is one call of C, so nothing can come between and leave it half done.
    """

    __slots__ = ("ready",)

    asleep: Final = False

    def __init__(self) -> None:
        self.ready = _Inbox()


class _Inbox:
    """A queue under the name that the hub's has."""

    __slots__ = ("append", "get")

    def __init__(self) -> None:
        queue = NativeQueue()
        self.append = queue.put
        self.get = queue.get


class OSThreadTicket(Ticket):
    """The address of one wait of an OS thread without a hub."""

    __slots__ = ()

    hub: Any

    def __init__(self) -> None:
        thread: Any = getcurrent()
        super().__init__(_Wire(), thread)  # type: ignore[arg-type]  # all that `wake` uses
        thread._ticket = self  # where a forked child looks for tickets that are void there

    def wait(self, timeout: float | None = None) -> bool:
        """Block the OS thread until the ticket is woken.

        Args:
            timeout: seconds; None waits for ever.

        Returns:
            Whether it was woken; when not, it can be waited for again.
        """
        try:
            self.hub.ready.get(True, timeout)
        except Empty:
            return self.state != 0
        return True


def _ending_check() -> Callable[[], bool]:
    current, finalizing = getcurrent, is_finalizing

    def is_ending() -> bool:
        """Whether the interpreter is ending so far that there are no green threads any more.

        Callable to the last, when modules have been emptied.
        """
        try:
            current()
        except RuntimeError:
            return True
        return finalizing()

    return is_ending


is_ending = _ending_check()


def may_park_here() -> bool:
    """Whether the caller is in an OS thread with a hub, in a greenlet that can park."""
    hub = existing_hub()
    return hub is not None and hub.may_park()


def ticket_here() -> Ticket:
    """Make the ticket of the caller's next wait.

    Raises:
        MainloopBlocked: the caller is a hub's own greenlet, which must never wait.
    """
    hub = existing_hub()
    return OSThreadTicket() if hub is None else hub.ticket()


def give_up_ticket(ticket: Ticket) -> bool:
    """Spend a ticket that nobody will wait for; False when it was woken before."""
    if ticket.state == 0:
        ticket.state = SPENT
        return True
    ticket.state |= SPENT
    return False


def wait_here(ticket: Ticket, timeout: float | None = None) -> Any:
    """Park or block until the ticket is woken; a ticket is waited for once.

    Args:
        ticket: made by `ticket_here`, by the same caller.
        timeout: seconds; None waits for ever.

    Returns:
        The value given to `wake`, or EXPIRED when `timeout` was up first.

    Raises:
        BaseException: what the green thread was interrupted with.
    """
    if not isinstance(ticket, OSThreadTicket):
        return ticket.hub.park(ticket, timeout)
    try:
        woken = ticket.wait(None if timeout is None else max(timeout, 0.0))
    except BaseException:
        ticket.state |= SPENT
        raise
    if not woken and ticket.state == 0:
        ticket.state = SPENT
        return EXPIRED
    ticket.state |= SPENT
    return ticket.value
