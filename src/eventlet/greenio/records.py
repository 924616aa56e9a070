"""The descriptor records of one file: one on each hub that uses it."""

from weakref import ref

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.descriptor import Descriptor
from eventlet._core.hub import Hub
from eventlet._unpatched import get_ident

__all__ = ["Records", "in_green_use"]

_newest: "dict[int, ref[Records]]" = {}
"""Who used a descriptor number last; may be gone."""


class Records:
    """Finds the record of this OS thread's hub, and closes them all together.

    Args:
        fd: descriptor number.
        exact: whether a short read proves that there is no more (TCP only).
    """

    __slots__ = ("__weakref__", "_all", "_home", "exact", "fd")

    def __init__(self, fd: int, exact: bool = False) -> None:
        self.fd = fd
        self.exact = exact
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


def in_green_use(fd: int) -> bool:
    """Whether a green socket or file uses a number, whose non-blocking mode is ours then."""
    newest = _newest.get(fd)
    records = None if newest is None else newest()
    return records is not None and not records.recycled
