"""Poller over select(2): the last resort, limited to descriptors below FD_SETSIZE."""

from eventlet._core.poller import ERROR, READ, WRITE
from eventlet._unpatched import real_select, real_sleep

__all__ = ["SelectPoller", "is_available"]

_SMALL = 1024  # no platform's FD_SETSIZE is less


def is_available() -> bool:
    """Whether this platform has select: every one has."""
    return True


class SelectPoller:
    """One-shot interest in two sets of descriptors."""

    edge_triggered = False

    def __init__(self) -> None:
        self._readers: set[int] = set()
        self._writers: set[int] = set()

    def register(self, fd: int) -> bool:
        """Nothing: a level-only poller is armed for each wait."""
        return False

    def rearm(self, fd: int, read: bool, write: bool) -> None:
        if fd >= _SMALL:
            real_select([fd], [], [], 0)  # ValueError when it is beyond FD_SETSIZE
        (self._readers.add if read else self._readers.discard)(fd)
        (self._writers.add if write else self._writers.discard)(fd)

    def forget(self, fd: int) -> None:
        self._readers.discard(fd)
        self._writers.discard(fd)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        watched = self._readers | self._writers
        if not watched:
            # Some platforms refuse three empty sets. A hub's wake-up pipe is always armed.
            real_sleep(timeout or 0)
            return []
        try:
            # Errors and hang-ups make a descriptor readable and writable; the third set
            # is for urgent data, which nobody here waits for.
            readable, writable, _ = real_select(self._readers, self._writers, (), timeout)
        except OSError:
            unusable = [fd for fd in watched if not _is_selectable(fd)]
            if not unusable:
                raise  # by a signal handler
            for fd in unusable:
                self.forget(fd)
            return [(fd, ERROR) for fd in unusable]
        flags: dict[int, int] = {}
        for fd in readable:
            flags[fd] = READ
        for fd in writable:
            flags[fd] = flags.get(fd, 0) | WRITE
        for fd in flags:
            self.forget(fd)
        return list(flags.items())

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """Nothing: select has no kernel object."""


def _is_selectable(fd: int) -> bool:
    try:
        real_select([fd], [], [], 0)
    except OSError:
        return False
    return True
