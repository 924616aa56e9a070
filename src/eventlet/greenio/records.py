"""The descriptor records of one file: one on each hub that uses it."""

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.descriptor import Descriptor
from eventlet._unpatched import get_ident

__all__ = ["Records"]


class Records:
    """Finds the record of this OS thread's hub, and closes them all together.

    Args:
        fd: descriptor number.
        exact: whether a short read proves that there is no more (TCP only).
    """

    __slots__ = ("_elsewhere", "_home", "exact", "fd")

    def __init__(self, fd: int, exact: bool = False) -> None:
        self.fd = fd
        self.exact = exact
        self._home: Descriptor | None = None
        self._elsewhere: tuple[Descriptor, ...] = ()

    def here(self) -> Descriptor:
        """Return the record on this OS thread's hub; make it at the first use here."""
        home = self._home
        if home is not None and home.hub.ident == get_ident() and not home.hub.closed:
            return home
        hub = get_hub()
        kept = [d for d in self.all() if not d.hub.closed]
        mine = next((d for d in kept if d.hub is hub), None)
        if mine is None:
            mine = Descriptor(hub, self.fd, owned=True, exact=self.exact)
        self._elsewhere = tuple(d for d in kept if d is not mine)
        self._home = mine
        return mine

    def all(self) -> tuple[Descriptor, ...]:
        """Return every record there is."""
        return self._elsewhere if self._home is None else (self._home, *self._elsewhere)

    @property
    def recycled(self) -> bool:
        """Whether the number was found to name somebody else's file by now."""
        return any(record.recycled for record in self.all())

    def end_exactness(self) -> None:
        """From now on only EAGAIN means that there is nothing to read."""
        self.exact = False
        for record in self.all():
            record.exact = False
            record.can_read = True

    def close(self) -> None:
        """Evict the waiters with EBADF on every hub and let each forget the number."""
        for record in self.all():
            record.close()
        self._home, self._elsewhere = None, ()
        hub = existing_hub()
        foreign = hub.descriptors.get(self.fd) if hub is not None else None
        if foreign is not None and not foreign.owned:
            foreign.close()
