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

A reader's ticket is used again for the next wait when it was woken without a time limit:
then nobody but this record ever held it, so no late wake can find it.

A level-only poller turns owned descriptors into armed-per-wait ones; callers see no
difference.

One `Descriptor` belongs to one hub and one generation of its number. `close` evicts the
waiters, makes the kernel forget, and only then may the number be closed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from eventlet._core.own_files import regain
from eventlet._core.poller import READ, READ_SIDE, STICKY, WRITE, WRITE_SIDE
from eventlet._core.wait_queue import Ticket, interrupt, wake
from eventlet._errors import DescriptorBusy, DescriptorClosed, IOClosed

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = ["Descriptor", "WaiterPolicy", "notice_reuse", "waiter_policy"]


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
        "crowded",
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
        "spare_reader",
        "twin",
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
        self.spare_reader: Ticket | None = None
        self.writer: Ticket | None = None
        self.more_readers: list[Ticket] = []
        self.more_writers: list[Ticket] = []
        self.foreign: list[tuple[Ticket, int]] = []
        self.registered = False
        self.crowded = True  # not registered, or somebody besides one reader and one writer
        self.always_ready = False
        self.closed = False
        self.recycled = False
        self.twin: Descriptor | None = None

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
        thread = getcurrent()
        if self.reader is not None or self.closed or thread is hub.greenlet:
            return self._wait_crowded(READ, timeout, shared)
        ticket = self.spare_reader
        if ticket is None:
            ticket = Ticket(hub, thread)
        else:
            self.spare_reader = None
            ticket.thread = thread
            ticket.state = 0
        self.reader = ticket
        try:
            if not self.registered:
                self._arm_for(ticket, READ)
            if timeout is not None:
                return hub.park(ticket, timeout)
            flags = hub.park(ticket)
            self.spare_reader = ticket
            return flags
        finally:
            if self.reader is ticket:
                self.reader = None

    def wait_write(self, timeout: float | None = None, shared: bool = False) -> Any:
        """Park the calling green thread until the descriptor can be written.

        Arguments, result and errors are those of `wait_read`.
        """
        hub = self.hub
        thread = getcurrent()
        if self.writer is not None or self.closed or thread is hub.greenlet:
            return self._wait_crowded(WRITE, timeout, shared)
        ticket = Ticket(hub, thread)
        self.writer = ticket
        try:
            if not self.registered:
                self._arm_for(ticket, WRITE)
            return hub.park(ticket, timeout)
        finally:
            if self.writer is ticket:
                self.writer = None

    def _wait_crowded(self, side: int, timeout: float | None, shared: bool) -> Any:
        """Wait where the common case does not apply: closed, or somebody waits already."""
        if self.closed:
            raise self.error_when_closed()
        ticket = self.hub.ticket()
        holder = self.reader if side == READ else self.writer
        if holder is not None and not shared and waiter_policy.exclusive:
            name = "read" if side == READ else "write"
            raise DescriptorBusy(self.fd, name, self.hub.describe(holder.thread))
        queue = self.more_readers if side == READ else self.more_writers
        queue.append(ticket)
        self.crowded = True
        try:
            if not self.registered:
                self._arm_for(ticket, side)
            return self.hub.park(ticket, timeout)
        finally:
            if ticket in queue:
                queue.remove(ticket)
            self._note_crowd()

    def _arm_for(self, ticket: Ticket, side: int) -> None:
        self._arm()
        if self.always_ready:
            wake(ticket, side)

    def _note_crowd(self) -> None:
        self.crowded = bool(
            not self.registered
            or self.more_readers
            or self.more_writers
            or self.foreign
            or self.twin
        )

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
        finally:
            self._note_crowd()
        if self.always_ready:
            wake(ticket, (self.fd, sides))

    def discard_foreign(self, ticket: Ticket) -> None:
        """End a foreign wait; the last one of a number nobody owns is forgotten."""
        self.foreign = [entry for entry in self.foreign if entry[0] is not ticket]
        self._note_crowd()
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
                self._note_crowd()
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
        except BaseException as exc:
            if known is not self:
                del hub_descriptors[self.fd]
            if not (isinstance(exc, OSError) and regain(self.hub)):
                raise
            self._arm()

    def _replace(self, known: "Descriptor") -> None:
        """Take over the number from the descriptor that held it on this hub."""
        if known.owned:
            if self.owned and known.registered and self.hub.poller.register(self.fd):
                self.twin = known  # two owners of one file, as socket(fileno=...) makes them
            else:
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
                    self.hub.announced.append(ticket)
        if flags & WRITE_SIDE:
            self.can_write = True
            ticket = self.writer
            if ticket is not None:
                self.writer = None
                if ticket.state == 0:
                    ticket.state = 1
                    ticket.value = flags
                    self.hub.announced.append(ticket)
        if self.crowded:
            self._announce_to_crowd(flags)

    def _announce_to_crowd(self, flags: int) -> None:
        """Tell those besides the one reader and the one writer; arm for the next time."""
        if flags & READ_SIDE and self.more_readers:
            self._wake_more(self.more_readers, flags)
        if flags & WRITE_SIDE and self.more_writers:
            self._wake_more(self.more_writers, flags)
        if self.foreign:
            self._announce_foreign(flags)
        if self.twin is not None:
            self.twin.announce(flags)
        if not self.registered:
            self.announce_again()

    def _wake_more(self, tickets: list[Ticket], flags: int) -> None:
        for ticket in tickets[:]:
            self._wake(ticket, flags)  # each takes itself out

    def _announce_foreign(self, flags: int) -> None:
        more = False
        for side, ready in ((READ, READ_SIDE), (WRITE, WRITE_SIDE)):
            if flags & ready and self._wake_foreign(side, flags):
                more = True
        if more and self.registered:
            self._arm()  # have it announced once more, for what the first one leaves

    def _wake_foreign(self, side: int, flags: int) -> bool:
        """Wake the first who waits for `side`; return whether somebody else does too."""
        woken = False
        for ticket, sides in self.foreign:
            if sides & side and ticket.state == 0:
                if woken:
                    return True
                woken = self._wake(ticket, (self.fd, flags))
        return False

    def _wake(self, ticket: Ticket, value: object) -> bool:
        if self.hub.announced is self.hub.ready:
            return wake(ticket, value)
        if ticket.state:
            return False
        ticket.state = 1
        ticket.value = value
        self.hub.announced.append(ticket)
        return True

    def announce_again(self) -> None:
        """Have what is ready announced once more, to whoever still waits.

        For one-shot reports, which disarm both sides, and for events that were dropped.
        """
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
        twin, self.twin = self.twin, None
        if known is self:
            self.hub.drop_descriptor(self)
        elif known is not None and (not known.owned or known.has_twin(self)):
            known.close()
        if twin is not None:
            twin.close()

    def leave(self) -> None:
        """Close this record of a number that stays open for another owner, if it has one."""
        known = self.hub.descriptors.get(self.fd)
        if known is self and self.twin is not None:
            self.hub.descriptors[self.fd] = self.twin
        elif known is not None and known.has_twin(self):
            known.drop_twin(self)
        else:
            self.close()
            return
        self.closed, self.twin = True, None
        self.evict(lambda: DescriptorClosed(self.fd))

    def has_twin(self, other: "Descriptor") -> bool:
        """Whether `other` is a further owner of this number's file."""
        twin = self.twin
        while twin is not None:
            if twin is other:
                return True
            twin = twin.twin
        return False

    def drop_twin(self, other: "Descriptor") -> None:
        """Take a further owner out of the chain."""
        holder = self
        while holder.twin is not None and holder.twin is not other:
            holder = holder.twin
        holder.twin = other.twin
        holder._note_crowd()

    def error_when_closed(self) -> BaseException:
        """Return what a wait on this closed or recycled descriptor raises."""
        return IOClosed() if self.recycled else DescriptorClosed(self.fd)

    def move_to_new_poller(self) -> bool:
        """Register with the poller that the hub has now; return whether anybody waits here.

        What is ready is announced once more, so nobody misses what came meanwhile.
        """
        owners = [self]
        while owners[-1].twin is not None:
            owners.append(owners[-1].twin)
        is_awaited = False
        for each in owners:
            each.registered = False
            each.crowded = each.can_read = each.can_write = True
            more = each.more_readers or each.more_writers or each.foreign
            is_awaited = is_awaited or bool(each.reader or each.writer or more)
        if is_awaited:
            self.announce_again()
            for each in owners[1:]:
                each.registered = self.registered
        return is_awaited

    def after_fork(self) -> None:
        """Forget, in a forked child, everything that belonged to the parent."""
        self.reader = self.writer = None
        self.more_readers, self.more_writers, self.foreign = [], [], []
        self.registered = False
        self.crowded = True
        self.spare_reader = self.twin = None
        self.can_read = self.can_write = True

    def __repr__(self) -> str:
        kind = "owned" if self.owned else "foreign"
        waits = [
            name
            for name, waiter in (("read", self.reader), ("write", self.writer))
            if waiter is not None
        ]
        return f"<Descriptor {self.fd} {kind} waited on for {'+'.join(waits) or 'nothing'}>"


def notice_reuse(hub: "Hub | None", fd: int) -> None:
    """Tell the owner of a number on `hub` if the number names another file by now."""
    known = None if hub is None else hub.descriptors.get(fd)
    if known is None or not known.owned or not known.registered:
        return
    if not known.hub.poller.register(fd):
        known.hub.recycle(known)
