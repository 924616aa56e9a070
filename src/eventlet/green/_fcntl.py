"""The green forms of the calls of `fcntl` that wait for a lock on a file.

The kernel has nothing to poll for that. So the lock is asked for without waiting first, then
by an OS thread of its own, because such a wait may last for ever.
"""

import fcntl
import os
from contextlib import suppress
from typing import Any

from eventlet._core.current import existing_hub
from eventlet._thread_pool import ThreadPool
from eventlet._unpatched import Mutex

__all__ = ["flock", "lockf"]

_waiting = ThreadPool(limit=1000)  # threads on demand: whoever has the lock may wait in one, too

_real_flock = fcntl.flock
_real_lockf = fcntl.lockf


def flock(fd: Any, operation: int, /) -> None:
    """Lock or unlock a whole file; park while somebody else has it.

    Args:
        fd: a descriptor number, or an object with `fileno()`.
        operation: LOCK_SH, LOCK_EX or LOCK_UN; with LOCK_NB it never waits.

    Raises:
        BlockingIOError: somebody else has it, with LOCK_NB.
    """
    if not _waits(operation):
        return _real_flock(fd, operation)
    try:
        return _real_flock(fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    second = _SecondNumber(fd if isinstance(fd, int) else fd.fileno())
    try:
        _waiting.run_or_undo(second.unlock, second.lock, operation)
    except BaseException:
        second.give_up()
        raise
    second.close()
    return None


class _SecondNumber:
    """Another descriptor number of an open file, to which its lock belongs.

    It keeps the file open: the caller may be killed, and close its own, while an OS thread
    still waits. Then that thread closes it, or the caller if no thread has begun.
    """

    def __init__(self, fd: int) -> None:
        self._fd = os.dup(fd)
        self._mutex = Mutex()
        self._has_begun = False

    def lock(self, operation: int) -> None:
        """Wait for the lock, in an OS thread."""
        with self._mutex:
            if self._fd == -1:
                return
            self._has_begun = True
        try:
            _real_flock(self._fd, operation)
        except BaseException:
            self.close()
            raise

    def unlock(self, _result: object = None) -> None:
        """Give back a lock that nobody wants any more."""
        if self._fd != -1:
            _real_flock(self._fd, fcntl.LOCK_UN)
            self.close()

    def give_up(self) -> None:
        """Close it, unless a thread has begun and will."""
        with self._mutex:
            if not self._has_begun:
                self.close()

    def close(self) -> None:
        """Close this number, once."""
        fd, self._fd = self._fd, -1
        if fd != -1:
            os.close(fd)


def lockf(fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> Any:
    """Lock or unlock a part of a file for this process; park while another has it.

    Green threads of one process do not exclude each other, as threads do not.

    Args:
        fd: a descriptor number, or an object with `fileno()`.
        cmd: LOCK_SH, LOCK_EX or LOCK_UN; with LOCK_NB it never waits.
        len: how many bytes; 0 is all up to the end.
        start: where they begin, counted from `whence`.
        whence: as for `os.lseek`.

    Raises:
        OSError: another process has it (EACCES or EAGAIN), with LOCK_NB.
    """
    part = (len, start, whence)
    if not _waits(cmd):
        return _real_lockf(fd, cmd, *part)
    try:
        return _real_lockf(fd, cmd | fcntl.LOCK_NB, *part)
    except (BlockingIOError, PermissionError):
        pass
    number = fd if isinstance(fd, int) else fd.fileno()
    file = _file_of(number)

    def unlock(_: Any) -> None:
        with suppress(OSError):  # it is closed, which gave the lock back
            if _file_of(number) == file:
                _real_lockf(number, fcntl.LOCK_UN, *part)

    return _waiting.run_or_undo(unlock, _real_lockf, number, cmd, *part)


def _waits(operation: int) -> bool:
    """Whether this call may wait, and somebody else could run meanwhile."""
    hub = existing_hub()
    if hub is None or not hub.may_park():
        return False
    return not operation & (fcntl.LOCK_NB | fcntl.LOCK_UN)


def _file_of(fd: int) -> tuple[int, int]:
    """Tell which file a number names: its device and inode."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
