"""The descriptor records of one file: one on each hub that uses it."""

from os import fstat
from typing import Protocol
from weakref import ref

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.descriptor import Descriptor
from eventlet._core.hub import Hub
from eventlet._unpatched import get_blocking, get_ident, set_blocking

__all__ = ["Records", "give_away", "in_green_use", "lend"]

_newest: "dict[int, ref[Records]]" = {}
"""Who used a descriptor number last; may be gone."""

_given_away: dict[int, tuple[int, int]] = {}
"""The files (device, inode) that left us in our mode and not their program's, by number."""


class Lender(Protocol):
    """An object that sets the mode of its file again before its next call."""

    def forget_mode(self) -> None: ...


class Records:
    """Finds the record of this OS thread's hub, and closes them all together.

    Args:
        fd: descriptor number.
        exact: whether a short read proves that there is no more (TCP only).

    Attributes:
        lent: others have the file and rely on its blocking mode: it is polled before each call.
        owner: who is told when the file is lent, in place of polling.
    """

    __slots__ = ("__weakref__", "_all", "_home", "exact", "fd", "lent", "owner")

    def __init__(self, fd: int, exact: bool = False) -> None:
        self.fd = fd
        self.exact = exact
        self.lent = False
        self.owner: ref[Lender] | None = None
        self._home: Descriptor | None = None
        self._all: tuple[Descriptor, ...] = ()
        _newest[fd] = ref(self)

    def here(self) -> Descriptor:
        """Return the record on this OS thread's hub; make it at the first use here."""
        home = self._home
        if home is not None and home.hub.ident == get_ident() and not home.hub.closed:
            return home
        hub = get_hub()
        mine = next((d for d in self._all if d.hub is hub), None) or self._add(hub)
        # What this hub believed is stale: another one has used the file in between.
        mine.can_read = mine.can_write = True
        self._home = mine
        return mine

    def _add(self, hub: Hub) -> Descriptor:
        while True:
            before = self._all
            kept = tuple(record for record in before if not record.hub.closed)
            if kept:
                self.end_exactness()  # what one hub leaves, another may have been told of
            mine = Descriptor(hub, self.fd, owned=True, exact=self.exact)
            after = (*kept, mine)
            if self._all is before:  # atomic with the change: see `wait_queue`
                self._all = after
                return mine

    @property
    def recycled(self) -> bool:
        """Whether the number was found to name somebody else's file by now."""
        return any(record.recycled for record in self._all)

    def end_exactness(self) -> None:
        """From now on only EAGAIN means that there is nothing to read."""
        self.exact = False
        for record in self._all:
            record.exact = False
            record.can_read = True

    def leave(self) -> None:
        """`close` for a number that stays open, perhaps with another owner."""
        for record in self._all:
            record.leave()
        self._home, self._all = None, ()

    def close(self) -> None:
        """Evict the waiters with EBADF on every hub and let each forget the number."""
        for record in self._all:
            record.close()
        self._home, self._all = None, ()
        hub = existing_hub()
        foreign = hub.descriptors.get(self.fd) if hub is not None else None
        if foreign is not None and not foreign.owned:
            foreign.close()


def give_away(fd: int) -> None:
    """Note that a number leaves us in a mode of which its program knows nothing, if it does."""
    _given_away.pop(fd, None)
    try:
        if not get_blocking(fd):
            _given_away[fd] = _identity(fd)
    except OSError:
        pass  # closed behind our back


def in_green_use(fd: int) -> bool:
    """Whether a green socket or file uses a number, or has given it away as it was.

    Its non-blocking mode is ours then.
    """
    newest = _newest.get(fd)
    records = None if newest is None else newest()
    if records is not None:
        return not records.recycled
    return fd in _given_away and _given_away[fd] == _identity(fd)


def lend(fd: int) -> None:
    """Give a file that a child process will have the mode that programs expect: blocking.

    Only where its mode is ours. The mode belongs to all numbers of an open file, here and in
    the child, so from now on we poll before each call.
    """
    try:
        if fd < 0 or get_blocking(fd) or not in_green_use(fd):
            return
        set_blocking(fd, True)
        lent = _identity(fd)
    except OSError:
        return  # it is closed, as whoever uses it will find
    for number, newest in tuple(_newest.items()):
        records = newest()
        if records is None or records.recycled:
            continue
        try:
            if _identity(number) != lent or not get_blocking(number):
                continue  # the other end of a pipe has the same identity, and its own mode
        except OSError:
            continue  # closed behind our back
        owner = None if records.owner is None else records.owner()
        if owner is None:
            records.lent = True
        else:
            owner.forget_mode()


def _identity(fd: int) -> tuple[int, int]:
    status = fstat(fd)
    return status.st_dev, status.st_ino
