"""Callbacks for descriptors, as programs that talk to the hub directly know them.

A listener stays until it is removed: its callback runs in the hub's greenlet in every pass
in which the descriptor is ready. To the core it is a foreign wait that is repeated: a
`Watch` stands in for the thread of the ticket and makes the next one before the callback
runs, so the listener is never unheard of in between.
"""

import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from greenlet import getcurrent

from eventlet._core.poller import ERROR
from eventlet._core.poller import READ as READ_FLAG
from eventlet._core.poller import WRITE as WRITE_FLAG
from eventlet._core.wait_queue import SPENT, Ticket
from eventlet.hubs.timer import leads_to_the_dead

if TYPE_CHECKING:
    from eventlet.hubs.hub import BaseHub

__all__ = ["READ", "SIDES", "WRITE", "DebugListener", "FdListener", "Watch", "noop"]

READ: Final = "read"
WRITE: Final = "write"
SIDES: Final = {READ: READ_FLAG, WRITE: WRITE_FLAG}
"""Event type -> the flag of the poller."""


def noop(*_args: object) -> None:
    """Do nothing: the callback of a listener that was taken out of use."""


class FdListener:
    """Who waits for one side of a descriptor.

    Attributes:
        evtype: READ or WRITE.
        fileno: descriptor number.
        cb: called with the number when it is ready.
        tb: called with the exception that ends the wait.
        mark_as_closed: called when the number was found to name another file.
        spent: whether it is out of use.
        greenlet: who added it.
    """

    def __init__(
        self,
        evtype: str,
        fileno: int,
        cb: Callable[..., object],
        tb: Callable[..., object],
        mark_as_closed: Callable[[], object] | None,
    ) -> None:
        self.evtype = evtype
        self.fileno = fileno
        self.cb = cb
        self.tb = tb
        self.mark_as_closed = mark_as_closed
        self.spent = False
        self.greenlet = getcurrent()

    def defang(self) -> None:
        """Take it out of use because its number names another file now."""
        self.cb = noop
        if self.mark_as_closed is not None:
            self.mark_as_closed()
        self.spent = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.evtype!r}, {self.fileno}, {self.cb!r}, {self.tb!r})"


class DebugListener(FdListener):
    """A listener that remembers where it was added.

    Attributes:
        where_called: the stack of the call, as lines of text.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.where_called = traceback.format_stack()[:-1]

    def __repr__(self) -> str:
        return f"{super().__repr__()} by {self.greenlet!r}\n{''.join(self.where_called)}"


class Watch:
    """Stands in for the thread of a ticket, on behalf of a listener."""

    __slots__ = ("hub", "listener", "ticket")

    def __init__(self, hub: "BaseHub", listener: FdListener) -> None:
        self.hub = hub
        self.listener = listener
        self.ticket: Ticket | None = None

    @property
    def name(self) -> str:
        """How error messages name the waiter."""
        return repr(self.listener)

    def arm(self, again: bool = False) -> None:
        """Wait for the next time the descriptor is ready.

        Raises:
            DescriptorBusy: somebody waits for this side already, and it is not us `again`.
            OSError: the kernel does not know the number.
        """
        listener = self.listener
        ticket = Ticket(self.hub, self)
        self.hub.foreign_descriptor(listener.fileno).add_foreign(
            ticket, SIDES[listener.evtype], shared=again
        )
        self.ticket = ticket

    def disarm(self) -> None:
        """Wait no more; a wake that is under way does not arrive."""
        ticket, self.ticket = self.ticket, None
        if ticket is None:
            return
        ticket.state |= SPENT
        ticket.thread = None
        descriptor = self.hub.descriptors.get(self.listener.fileno)
        if descriptor is not None:
            descriptor.discard_foreign(ticket)

    def switch(self, announced: tuple[int, int]) -> None:
        """Call back; the hub treats a listener that is ready like a thread."""
        listener = self.listener
        _, flags = announced
        if leads_to_the_dead(listener.cb):
            self.hub.remove(listener)
            return
        try:
            if flags == ERROR:
                os.fstat(listener.fileno)  # what poll and select say of a closed number, too
            self.arm(again=True)
        except OSError:
            self.hub.remove(listener)  # closed behind our back: this is its last call
        try:
            listener.cb(listener.fileno)
        except Exception:
            self.hub.remove(listener)
            self.hub.remove_descriptor(listener.fileno)
            raise

    def throw(self, _kind: type[BaseException], exc: BaseException, _trace: object) -> None:
        """Hand over the exception that ends the wait, given as to `greenlet.throw`."""
        listener = self.listener
        self.hub.remove(listener)
        if not leads_to_the_dead(listener.tb):
            listener.tb(exc)
