"""Read and write readiness of one descriptor number, and who waits for it.

Theory of operation
-------------------
*Owned* descriptors (our sockets and pipes) are registered once, edge-triggered, at the
first park. Each side has a belief, `can_read` and `can_write`. Callers try the call while
the belief holds, clear it on EAGAIN, and park only then; an edge sets it again. So stale
or duplicate edges are harmless, and a lost one is impossible: edges are delivered by the
hub, which runs only while nobody is between the failed call and the park.

A *short read* (fewer bytes than asked for, more than none) also means EMPTY and saves the
EAGAIN call, but only where it is certain: TCP over IPv4 or IPv6, read without flags
(`exact`). A FIN, error, hang-up or urgent-data edge ends that for good: those can arrive
in one edge with the data and would never be announced again.

*Foreign* waits (`trampoline`, green select, database drivers) may leave data unread, so
each wait asks the kernel anew. On a number nobody owns that is a one-shot arm; on an owned
number the edge registration is repeated, which announces once more what is ready and takes
nothing from the owner.

A level-only poller turns owned descriptors into armed-per-wait ones; callers see no
difference.

One `Descriptor` belongs to one hub and one generation of its number. `close` evicts the
waiters, makes the kernel forget, and only then may the number be closed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eventlet._core.poller import READ, READ_SIDE, STICKY, WRITE, WRITE_SIDE
from eventlet._core.wait_queue import Ticket, interrupt, wake
from eventlet._errors import DescriptorBusy, DescriptorClosed, IOClosed

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = ["Descriptor", "WaiterPolicy", "waiter_policy"]


class WaiterPolicy:
    """Whether two green threads may wait for one side of one descriptor."""

    def __init__(self) -> None:
        self.exclusive = True


waiter_policy = WaiterPolicy()


class Descriptor:
    """One descriptor number on one hub."""

    __slots__ = (
        "always_ready",
        "can_read",
        "can_write",
        "closed",
        "exact",
        "fd",
        "foreign",
        "hub",
        "more_readers",
        "more_writers",
        "owned",
        "reader",
        "recycled",
        "registered",
        "writer",
    )

    def __init__(self, hub: "Hub", fd: int, owned: bool, exact: bool = False) -> None:
        self.hub = hub
        self.fd = fd
        self.owned = owned
        self.exact = exact
        self.can_read = True
        self.can_write = True
        self.reader: Ticket | None = None
        self.writer: Ticket | None = None
        self.more_readers: list[Ticket] = []
        self.more_writers: list[Ticket] = []
        self.foreign: list[tuple[Ticket, int]] = []
        self.registered = False
        self.always_ready = False
        self.closed = False
        self.recycled = False

    # -- waiting (owner) ------------------------------------------------------------

    def wait_read(self, timeout: float | None = None, shared: bool = False) -> Any:
        """Park the calling green thread until the descriptor can be read.

        Read until `BlockingIOError` before waiting again, or the rest is never announced.

        Args:
            timeout: seconds; None waits for ever.
            shared: let others wait for this side too; all are woken.

        Returns:
            The ready flags, or EXPIRED when the time was up first.

        Raises:
            DescriptorBusy: another green thread waits for this side already.
            DescriptorClosed: it was closed while we waited.
        """
        hub = self.hub
        if self.closed:
            raise self.error_when_closed()
        ticket = hub.ticket()
        if self.reader is None:
            self.reader = ticket
        elif shared or not waiter_policy.exclusive:
            self.more_readers.append(ticket)
        else:
            raise DescriptorBusy(self.fd, "read", hub.describe(self.reader.thread))
        try:
            if not self.registered:
                self._arm()
                if self.always_ready:
                    wake(ticket, READ)
            return hub.park(ticket, timeout)
        finally:
            if self.reader is ticket:
                self.reader = None
            elif self.more_readers and ticket in self.more_readers:
                self.more_readers.remove(ticket)

    def wait_write(self, timeout: float | None = None, shared: bool = False) -> Any:
        """Park the calling green thread until the descriptor can be written.

        Arguments, result and errors are those of `wait_read`.
        """
        hub = self.hub
        if self.closed:
            raise self.error_when_closed()
        ticket = hub.ticket()
        if self.writer is None:
            self.writer = ticket
        elif shared or not waiter_policy.exclusive:
            self.more_writers.append(ticket)
        else:
            raise DescriptorBusy(self.fd, "write", hub.describe(self.writer.thread))
        try:
            if not self.registered:
                self._arm()
                if self.always_ready:
                    wake(ticket, WRITE)
            return hub.park(ticket, timeout)
        finally:
            if self.writer is ticket:
                self.writer = None
            elif self.more_writers and ticket in self.more_writers:
                self.more_writers.remove(ticket)

    # -- waiting (foreign) ----------------------------------------------------------

    def add_foreign(self, ticket: Ticket, sides: int, shared: bool = False) -> None:
        """Have `ticket` woken with (fd, flags) once a side in `sides` is ready.

        Of several that wait for a side the first is woken; the others learn in the next
        pass what it left.

        Args:
            ticket: who waits.
            sides: READ, WRITE or both.
            shared: queue behind those who wait for the same side, if any.

        Raises:
            DescriptorBusy: somebody else waits for one of these sides.
        """
        if waiter_policy.exclusive and not shared:
            for other, taken in self.foreign:
                if other.state == 0 and taken & sides & (READ | WRITE):
                    side = "read" if taken & sides & READ else "write"
                    raise DescriptorBusy(self.fd, side, self.hub.describe(other.thread))
            for owner, side_flag, name in (
                (self.reader, READ, "read"),
                (self.writer, WRITE, "write"),
            ):
                if owner is not None and owner.state == 0 and sides & side_flag:
                    raise DescriptorBusy(self.fd, name, self.hub.describe(owner.thread))
        self.foreign.append((ticket, sides))
        try:
            self._arm()
        except BaseException:
            self.foreign = [entry for entry in self.foreign if entry[0] is not ticket]
            raise
        if self.always_ready:
            wake(ticket, (self.fd, sides))

    def discard_foreign(self, ticket: Ticket) -> None:
        """End a foreign wait; the last one of a number nobody owns is forgotten."""
        self.foreign = [entry for entry in self.foreign if entry[0] is not ticket]
        if not self.owned and not self.foreign and not self.closed:
            self.hub.drop_descriptor(self)

    # -- the kernel's side ----------------------------------------------------------

    def _arm(self) -> None:
        """Make the kernel announce what the present waiters want."""
        poller = self.hub.poller
        hub_descriptors = self.hub.descriptors
        known = hub_descriptors.get(self.fd)
        if known is not self:
            if known is not None:
                self._replace(known)
            hub_descriptors[self.fd] = self
        try:
            if self.owned and poller.edge_triggered:
                poller.register(self.fd)
                self.registered = True
                return
            sides = 0
            for _, wanted in self.foreign:
                sides |= wanted
            reading = self.reader is not None or bool(self.more_readers) or sides & READ != 0
            writing = self.writer is not None or bool(self.more_writers) or sides & WRITE != 0
            if reading or writing:
                poller.rearm(self.fd, reading, writing)
        except PermissionError:
            self.always_ready = True  # a regular file, always ready by definition

    def _replace(self, known: "Descriptor") -> None:
        """Take over the number from the descriptor that held it on this hub."""
        if known.owned:
            self.hub.recycle(known)
            return
        self.foreign.extend(known.foreign)  # foreign waits on a number that now has an owner
        known.foreign = []
        known.closed = True

    def announce(self, flags: int) -> None:
        """Take an event from the poller: renew the beliefs and wake who waits for it."""
        if flags & STICKY:
            self.exact = False
        if flags & READ_SIDE:
            self.can_read = True
            ticket = self.reader
            if ticket is not None:
                self.reader = None
                if ticket.state == 0:
                    ticket.state = 1
                    ticket.value = flags
                    self.hub.ready.append(ticket)
            if self.more_readers:
                self._wake_more(self.more_readers, flags)
        if flags & WRITE_SIDE:
            self.can_write = True
            ticket = self.writer
            if ticket is not None:
                self.writer = None
                if ticket.state == 0:
                    ticket.state = 1
                    ticket.value = flags
                    self.hub.ready.append(ticket)
            if self.more_writers:
                self._wake_more(self.more_writers, flags)
        if self.foreign:
            self._announce_foreign(flags)
        if not self.registered:
            self._arm_again()

    def _wake_more(self, tickets: list[Ticket], flags: int) -> None:
        waiting = tickets[:]
        tickets.clear()
        for ticket in waiting:
            wake(ticket, flags)

    def _announce_foreign(self, flags: int) -> None:
        for side, ready in ((READ, READ_SIDE), (WRITE, WRITE_SIDE)):
            if flags & ready:
                for ticket, sides in self.foreign:
                    if sides & side and wake(ticket, (self.fd, flags)):
                        break
        if self.registered:
            self.foreign = [entry for entry in self.foreign if entry[0].state == 0]
            if self.foreign:
                self._arm()  # announce once more what the first one leaves

    def _arm_again(self) -> None:
        """A one-shot report disarmed both sides: arm for whoever still waits."""
        self.foreign = [entry for entry in self.foreign if entry[0].state == 0]
        if self.closed:
            return
        try:
            self._arm()
        except OSError as exc:
            # Closed behind our back: the waiters learn why.
            code, text = exc.errno, exc.strerror
            self.evict(lambda: OSError(code, text))

    # -- the end --------------------------------------------------------------------

    def evict(self, make: Callable[[], BaseException]) -> None:
        """Interrupt everybody who waits here, each with an exception of its own."""
        waiting = [self.reader, self.writer, *self.more_readers, *self.more_writers]
        waiting += [ticket for ticket, _ in self.foreign]
        self.reader = self.writer = None
        self.more_readers, self.more_writers, self.foreign = [], [], []
        for ticket in waiting:
            if ticket is not None:
                interrupt(ticket, make())

    def close(self) -> None:
        """Evict the waiters with EBADF and make the kernel forget the number.

        Call it before the number is closed, so that a reused one inherits nothing. Safe
        from another OS thread.
        """
        if self.closed:
            return
        self.closed = True
        self.can_read = self.can_write = True
        if self.reader or self.writer or self.more_readers or self.more_writers or self.foreign:
            self.evict(lambda: DescriptorClosed(self.fd))
        known = self.hub.descriptors.get(self.fd)
        if known is self:
            self.hub.drop_descriptor(self)
        elif known is not None and not known.owned:
            known.close()

    def error_when_closed(self) -> BaseException:
        """Return what a wait on this closed or recycled descriptor raises."""
        return IOClosed() if self.recycled else DescriptorClosed(self.fd)

    def after_fork(self) -> None:
        """Forget, in a forked child, everything that belonged to the parent."""
        self.reader = self.writer = None
        self.more_readers, self.more_writers, self.foreign = [], [], []
        self.registered = False
        self.can_read = self.can_write = True

    def __repr__(self) -> str:
        kind = "owned" if self.owned else "foreign"
        waits = [
            name
            for name, waiter in (("read", self.reader), ("write", self.writer))
            if waiter is not None
        ]
        return f"<Descriptor {self.fd} {kind} waited on for {'+'.join(waits) or 'nothing'}>"
