"""Wait for a wake wherever one is: a green thread parks, an OS thread without a hub blocks.

What lies under the locks of the standard library serves both. An OS thread that never asked
for a hub gets none by waiting: its ticket has a queue of its own in place of the hub's, and
queue, and the thread blocks on that. `wake` knows no difference.
"""

from collections.abc import Callable
from functools import partial
from sys import is_finalizing
from typing import TYPE_CHECKING, Any, Final

from greenlet import getcurrent

from eventlet._core.current import existing_hub
from eventlet._core.wait_queue import EXPIRED, SPENT, Ticket, live_ticket
from eventlet._errors import MainloopBlocked
from eventlet._unpatched import lock_acquire, lock_exit, monotonic, new_lock

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = [
    "OSThreadTicket",
    "give_up_ticket",
    "is_ending",
    "may_park_here",
    "pause_here",
    "ticket_here",
    "wait_here",
]


class _Wire:
    """What an `OSThreadTicket` has for a hub: where `wake` puts the ticket, never asleep."""

    __slots__ = ("ready",)

    asleep: Final = False

    def __init__(self) -> None:
        self.ready = _Gate()


class _Gate:
    """A lock that is held until somebody appends, as if to the hub's queue.

    That is one call of C, so nothing can come between and leave it half done: releasing
    the lock as the end of a `with` does, which takes any three arguments.
    """

    __slots__ = ("append", "lock")

    def __init__(self) -> None:
        self.lock = lock = new_lock()
        lock_acquire(lock)
        self.append = partial(lock_exit, lock, None, None)


class OSThreadTicket(Ticket):
    """The address of one wait of an OS thread without a hub.

    Attributes:
        is_open: whether it was not given up.
    """

    __slots__ = ("_before", "_owner", "is_open")

    hub: Any

    def __init__(self) -> None:
        thread: Any = getcurrent()
        super().__init__(_Wire(), thread)  # type: ignore[arg-type]  # all that `wake` uses
        self._owner = thread
        self._before: Ticket | None = getattr(thread, "_open_ticket", None)
        self.is_open = True
        thread._open_ticket = self
        thread._ticket = self  # where a forked child looks for tickets that are void there

    @property
    def interrupts(self) -> bool:
        """Whether this is the wait of a handler that has interrupted another wait."""
        return self._before is not None

    def close(self) -> None:
        """Let the wait that this one has interrupted be the newest again."""
        self.is_open = False
        self._owner._open_ticket = self._before
        self._before = self._owner = None

    def wait(self, timeout: float | None = None) -> bool:
        """Block the OS thread until the ticket is woken.

        Args:
            timeout: seconds; None waits for ever.

        Returns:
            Whether it was woken; when not, it can be waited for again.
        """
        return lock_acquire(self.hub.ready.lock, True, -1 if timeout is None else timeout)


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
    """Make the ticket of the caller's next wait; `give_up_ticket` ends that, in any case.

    Raises:
        MainloopBlocked: the caller is a hub's own greenlet, which must never wait.
    """
    hub = existing_hub()
    if hub is None:
        return OSThreadTicket()
    me: Any = getcurrent()
    if me is hub.greenlet:
        raise MainloopBlocked
    return _GreenTicket(hub, me)


def give_up_ticket(ticket: Ticket) -> bool:
    """Spend a ticket that nobody will wait for any more; False when it was woken before."""
    unused = ticket.state == 0
    ticket.state |= SPENT  # in one step with the look
    if isinstance(ticket, OSThreadTicket | _GreenTicket) and ticket.is_open:
        ticket.close()
    return unused


def wait_here(
    ticket: Ticket, timeout: float | None = None, is_over: Callable[[], bool] | None = None
) -> Any:
    """Park or block until the ticket is woken.

    Args:
        ticket: made by `ticket_here`, by the same caller.
        timeout: seconds; None waits for ever.
        is_over: asked when the wake for a wait that this one has interrupted came, which may
            have brought what this one is for.

    Returns:
        The value given to `wake`, or EXPIRED when `timeout` was up first or it is over.

    Raises:
        BaseException: what the green thread was interrupted with.
    """
    deadline = None if timeout is None else monotonic() + timeout
    while not ticket.state & SPENT:
        left = None if deadline is None else deadline - monotonic()
        if isinstance(ticket, OSThreadTicket):
            if ticket.interrupts:
                left = _OFTEN if left is None else min(left, _OFTEN)
            if ticket.wait(None if left is None else max(left, 0.0)):
                break
            if (is_over is not None and is_over()) or _has_passed(deadline):
                return EXPIRED
            continue
        value = ticket.hub.park(ticket, left)
        if ticket.state & SPENT:
            return value
        # Woken by what was meant for a wait that this one has interrupted.
        if is_over is not None and is_over():
            return EXPIRED
    return ticket.value


_OFTEN: Final = 0.01  # seconds


def _has_passed(deadline: float | None) -> bool:
    return deadline is not None and monotonic() >= deadline


def pause_here(seconds: float) -> None:
    """Park or block for some time."""
    ticket = ticket_here()
    try:
        wait_here(ticket, seconds)
    finally:
        give_up_ticket(ticket)


class _GreenTicket(Ticket):
    """The address of one wait of a green thread, which may have interrupted another.

    A signal handler or finalizer that logs may have to wait for a lock, while its green
    thread is about to park, with its ticket out already. The wake meant for that ticket then
    ends the wait of the handler, which is none the wiser, waits on, and sees to it at its end
    that the first wake comes again.
    """

    __slots__ = ("_before", "_interrupted", "_owner", "is_open")

    def __init__(self, hub: "Hub", me: Any) -> None:
        super().__init__(hub, me)
        self._owner = me
        self._before: Ticket | None = getattr(me, "_open_ticket", None)
        self._interrupted = [
            each
            for each in (self._before, live_ticket(me))
            if each is not None and not each.state & SPENT
        ]
        self.is_open = True
        me._open_ticket = self

    def close(self) -> None:
        """Let those wakes come again that came during this wait and were not for it."""
        self.is_open = False
        me = self._owner
        me._open_ticket = self._before
        for ticket in self._interrupted:
            if ticket is not self._before:
                me._ticket = ticket
            if ticket.state & SPENT:
                ticket.thread = me
                ticket.state &= ~SPENT
                ticket.hub.ready.append(ticket)
        self._interrupted.clear()
        self._before = self._owner = None
