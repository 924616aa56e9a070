"""Waits for descriptors that somebody else owns, and the hub's records of numbers."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from eventlet._core.descriptor import Descriptor
from eventlet._core.poller import Poller
from eventlet._core.wait_queue import EXPIRED, SPENT, Ticket
from eventlet._errors import IOClosed

__all__ = ["ForeignWaits"]

_FIRST: Final = Ticket.__new__(Ticket)


class ForeignWaits:
    """The part of a hub that knows descriptors by their number."""

    poller: Poller
    ticket: Callable[[], Ticket]
    park: Callable[..., Any]
    foreign_descriptor: Callable[[int], Descriptor]
    ready: deque[Ticket]
    announced: deque[Ticket]
    """Where a descriptor puts whom an event wakes: `ready`, or what will be put before it."""

    def __init__(self) -> None:
        self.descriptors: dict[int, Descriptor] = {}

    def wait_foreign(
        self, fd: int, read: bool = False, write: bool = False, timeout: float | None = None
    ) -> Any:
        """Park until a descriptor that somebody else owns is ready.

        Returns:
            The ready flags (see `poller`), or EXPIRED when the time was up first.
        """
        sides = (1 if read else 0) | (4 if write else 0)
        ready = self.wait_foreign_many({fd: sides}, timeout)
        return ready[fd] if ready else EXPIRED

    def wait_foreign_many(
        self, wanted: dict[int, int], timeout: float | None = None
    ) -> dict[int, int]:
        """Park until one of several descriptors is ready.

        Args:
            wanted: descriptor number -> READ, WRITE or both.
            timeout: seconds; None waits for ever.

        Returns:
            Descriptor number -> ready flags; empty when the time was up first.
        """
        ticket = self.ticket()
        watched: list[int] = []
        try:
            for fd, sides in wanted.items():
                watched.append(fd)
                self.foreign_descriptor(fd).add_foreign(ticket, sides)
            value = self.park(ticket, timeout)
        finally:
            ticket.state |= SPENT  # a number before the one that was refused may have woken it
            for fd in watched:
                descriptor = self.descriptors.get(fd)
                if descriptor is not None:
                    descriptor.discard_foreign(ticket)
        return {} if value is EXPIRED else {value[0]: value[1]}

    def begin_announcing(self) -> None:
        """Have those whom events wake go before those who are ready already, in their order.

        Not by moving the end of `ready` to its front: other OS threads and signal handlers
        add to it at any moment, and what they add stays behind what they added before.
        """
        self.announced = deque((_FIRST,))

    def end_announcing(self) -> None:
        """Put those whom events woke before the rest."""
        if self.announced is not self.ready and self.announced:
            # All in C: a signal handler that raises can have none lost, nor come twice.
            self.ready.extendleft(iter(self.announced.pop, _FIRST))
        self.announced = self.ready

    def recycle(self, descriptor: Descriptor) -> None:
        """A new file has the number of `descriptor`: its waiters get `IOClosed`."""
        descriptor.closed = descriptor.recycled = True
        descriptor.can_read = descriptor.can_write = False  # its next call must not touch it
        descriptor.evict(IOClosed)
        self.drop_descriptor(descriptor)

    def drop_descriptor(self, descriptor: Descriptor) -> None:
        """Let the kernel and this hub forget `descriptor`."""
        if self.descriptors.get(descriptor.fd) is descriptor:
            del self.descriptors[descriptor.fd]
            self.poller.forget(descriptor.fd)
        descriptor.registered = False
        descriptor.crowded = True
