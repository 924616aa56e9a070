"""The green forms of the calls of `os` that wait.

`O_NONBLOCK` is never set here, because it is shared with whoever else has the file open. So a
descriptor is polled, then read; a blocking one is written in pieces of at most PIPE_BUF bytes,
which a ready pipe takes without blocking. Regular files go straight to the kernel.

Green pipes and sockets are in non-blocking mode for the kernel and wait all the same. Once `os`
is patched, what the program has put into that mode itself is not waited for: `BlockingIOError`
is what it asked for.
"""

import os
import stat
from fcntl import F_GETFL, fcntl
from typing import Any

import eventlet.hubs as hubs
from eventlet._core.current import get_hub
from eventlet._errors import IOClosed
from eventlet._patching.ledger import LEDGER
from eventlet._thread_pool import ThreadPool
from eventlet._unpatched import close, get_blocking, os_open, os_read, os_write
from eventlet._unpatched import wait4 as os_wait4
from eventlet._unpatched import waitid as os_waitid
from eventlet._unpatched import waitpid as os_waitpid
from eventlet.green._children import wait_for_child, wait_for_states
from eventlet.green._ready import ready_now, spend_budget
from eventlet.greenio.pipes import PIPE_BUF, GreenPipe, is_fifo
from eventlet.greenio.records import in_green_use

__all__ = ["fdopen", "open", "read", "wait", "wait3", "wait4", "waitid", "waitpid", "write"]

_openers = ThreadPool(limit=1000)  # opening a FIFO may wait for ever: threads on demand


def read(fd: int, n: int) -> bytes:
    """Read at most `n` bytes; park until there are some, or the end.

    Raises:
        BlockingIOError: the program has put the descriptor into non-blocking mode.
    """
    if n <= 0 or _is_always_ready(fd):
        return os_read(fd, n)
    while True:
        try:
            may_wait = _wait_until_ready(fd, read=True)
        except IOClosed:
            return b""
        try:
            return os_read(fd, n)
        except BlockingIOError:
            if not may_wait:
                raise
            continue  # somebody else took it


def write(fd: int, data: Any) -> int:
    """Write bytes; park while the other side takes none.

    Returns:
        How many were written: all of them on a descriptor in blocking mode, as the plain
        call does, except when an error comes after the first. 0 when the number has come to
        name another file.
    """
    if _is_always_ready(fd):
        return os_write(fd, data)
    view = memoryview(data).cast("B")
    written = 0
    try:
        if not get_blocking(fd):
            return _write_some(fd, view)
        while True:
            written += _write_some(fd, view[written : written + PIPE_BUF])
            if written == len(view):
                return written
    except IOClosed:
        return written
    except OSError:
        if not written:
            raise
        return written  # the next call meets the error again


def fdopen(fd: int, *args: Any, **kwargs: Any) -> Any:
    """Open a descriptor as a green file object; arguments as for `open`.

    Raises:
        TypeError: `fd` is no number.
    """
    if not isinstance(fd, int):
        raise TypeError(f"invalid fd type ({type(fd)}, expected integer)")
    return GreenPipe(fd, *args, **kwargs)


def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file; opening a FIFO parks until the other side does.

    Returns:
        The descriptor number, not inheritable.
    """
    if not flags & os.O_NONBLOCK and is_fifo(path, dir_fd):
        fd: int = _openers.run_or_undo(close, os_open, path, flags, mode, dir_fd=dir_fd)
    else:
        fd = os_open(path, flags, mode, dir_fd=dir_fd)
    hubs.notify_opened(fd)
    return fd


def wait() -> tuple[int, int]:
    """Park until any child has exited; return its number and status."""
    return waitpid(-1, 0)


def waitpid(pid: int, options: int) -> tuple[int, int]:
    """Park until a child has changed its state; arguments as for the plain call.

    Raises:
        ChildProcessError: there is no such child.
    """
    if options & os.WNOHANG:
        return os_waitpid(pid, options)
    found: tuple[int, int] = wait_for_child(os_waitpid, pid, options)
    return found


def wait3(options: int) -> tuple[int, int, Any]:
    """Park until any child has changed its state; return number, status and use of resources."""
    return wait4(-1, options)


def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """`waitpid` that also returns the use of resources.

    Raises:
        ChildProcessError: there is no such child.
    """
    if options & os.WNOHANG:
        return os_wait4(pid, options)
    found: tuple[int, int, Any] = wait_for_child(os_wait4, pid, options)
    return found


def waitid(idtype: int, id: int, options: int, /) -> Any:
    """Park until a child has changed its state; arguments as for the plain call.

    Raises:
        ChildProcessError: there is no such child.
    """
    while (found := os_waitid(idtype, id, options | os.WNOHANG)) is None:
        if options & os.WNOHANG:
            return None
        wait_for_states(idtype, id, options)
    return found


def _is_always_ready(fd: int) -> bool:
    kind = os.fstat(fd).st_mode
    return stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISBLK(kind)


def _wait_until_ready(fd: int, read: bool = False, write: bool = False) -> bool:
    """Park until a side is ready; False if the call itself will say why it never does."""
    if ready_now(fd, read, write):
        spend_budget()
        return True
    if not _may_wait(fd, read):
        return False
    get_hub().wait_foreign(fd, read=read, write=write)
    return True


def _may_wait(fd: int, read: bool) -> bool:
    """Whether the file has that side, and the program has not asked never to wait for it."""
    mode = fcntl(fd, F_GETFL)
    if mode & os.O_ACCMODE == (os.O_WRONLY if read else os.O_RDONLY):
        return False
    return not mode & os.O_NONBLOCK or "os" not in LEDGER.switches or in_green_use(fd)


def _write_some(fd: int, view: memoryview) -> int:
    """Write what one call takes, once the descriptor is ready."""
    while True:
        may_wait = _wait_until_ready(fd, write=True)
        try:
            return os_write(fd, view)
        except BlockingIOError:
            if not may_wait:
                raise
            continue  # less room than the piece takes, or somebody else took it
