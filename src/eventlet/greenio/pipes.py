"""Green pipes: file objects whose reads and writes park only the calling green thread.

`O_NONBLOCK` belongs to the open file description, which shells and children share. So it is
never set on descriptors 0 to 2 nor on inheritable ones, and taken back from one that a child
gets (`records.lend`): those are polled before each read, and written in pieces of at most
PIPE_BUF bytes, which a ready pipe takes without blocking.
Regular files are always ready and go straight to the kernel.
"""

import io
import os
import select
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from eventlet._core.current import get_hub
from eventlet._errors import IOClosed
from eventlet._thread_pool import ThreadPool
from eventlet._unpatched import get_blocking, os_read, os_write, set_blocking
from eventlet.greenio.buffers import BufferedRandom, buffer_for
from eventlet.greenio.records import Records
from eventlet.greenio.waiting import spend_budget

__all__ = ["GreenFileIO", "GreenPipe"]

PIPE_BUF: int = getattr(select, "PIPE_BUF", 512)

_DEFAULT_READ = 64 * 1024
_strangers: list[io.FileIO] = []
_openers = ThreadPool(limit=1000)  # opening a FIFO may wait for ever: threads on demand


class GreenFileIO(io.RawIOBase):
    """The raw file below a `GreenPipe`; arguments are those of `io.FileIO`."""

    _is_buffered = False
    _unfinished = b""  # what the last write wrote, if it was interrupted and will be repeated

    def __init__(
        self,
        name: int | str | bytes | os.PathLike[str],
        mode: str = "r",
        closefd: bool = True,
        opener: Callable[[str, int], int] | None = None,
    ) -> None:
        self._file = _open_file(name, mode, closefd, opener)
        self.name = self._file.name
        fd = self._file.fileno()
        kind = os.fstat(fd).st_mode
        self._direct = stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISBLK(kind)
        self._records = Records(fd)
        self._records.lent = not self._direct and not _make_nonblocking(fd)

    @property
    def mode(self) -> str:
        """How the file was opened, as `io.FileIO` says it."""
        return self._file.mode

    @property
    def closefd(self) -> bool:
        """Whether closing this object closes the descriptor."""
        return self._file.closefd

    def fileno(self) -> int:
        """Return the descriptor number."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return self._file.isatty()

    def readable(self) -> bool:
        """Whether it was opened for reading."""
        return self._file.readable()

    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._file.writable()

    def seekable(self) -> bool:
        """Whether it has a position: regular files do."""
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move the position of a regular file; return it in bytes."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position of a regular file in bytes."""
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Cut a regular file to `size` bytes, or to its position."""
        return self._file.truncate(size)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes, waiting for the first; -1 reads to the end."""
        if size is None or size < 0:
            return self.readall()
        if self._direct:
            return self._file.read(size)
        self._check(self.readable(), "reading")
        return self._wait_and_read(size)

    def readall(self) -> bytes:
        """Read until the end of the file or until the writers have closed the pipe."""
        if self._direct:
            return self._file.readall()
        self._check(self.readable(), "reading")
        pieces: list[bytes] = []
        while piece := self._wait_and_read(_DEFAULT_READ):
            pieces.append(piece)
        return b"".join(pieces)

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`; return how many bytes came, 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int:
        """Write all of `data`, waiting as often as needed; return its length in bytes."""
        view = memoryview(data).cast("B")
        if self._direct:
            written = 0
            while written < len(view):
                written += self._file.write(view[written:])
            return written
        self._check(self.writable(), "writing")
        done = self._take_repeated(view)
        try:
            while done < len(view):
                done += self._wait_and_write(view[done:])
        except BaseException:
            if self._is_buffered:
                self._unfinished = bytes(view[:done])
            raise
        return done

    def close(self) -> None:
        """Wake the waiters with EBADF and close; a second call does nothing."""
        if self.closed:
            return
        super().close()
        if "_file" not in vars(self) or self._file.closed:
            return  # the finalizer also closes what could not be opened
        if self._records.recycled:
            _strangers.append(self._file)  # its number is somebody else's by now: never close it
            return
        self._records.close()
        self._file.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"mode={self.mode!r}"
        return f"<{type(self).__name__} name={self.name!r} {state}>"

    # -- one wait, one call --------------------------------------------------------------

    def _check(self, allowed: bool, what: str) -> None:
        if not allowed:
            raise io.UnsupportedOperation(f"file not open for {what}")

    def _wait_and_read(self, size: int) -> bytes:
        fd = self.fileno()
        while True:
            if self._records.lent:
                return self._read_politely(size)
            record = self._records.here()
            if spend_budget(record):
                self.fileno()  # closed meanwhile?
            if record.can_read:
                try:
                    return os_read(fd, size)
                except BlockingIOError:
                    record.can_read = False
            try:
                record.wait_read()
            except IOClosed:
                return b""

    def _take_repeated(self, view: memoryview) -> int:
        """Return how much of `view` was written already, by a call that was interrupted.

        A buffer above does not hear of that part: it gives us all of it once more, with what
        has been added since.
        """
        unfinished, self._unfinished = self._unfinished, b""
        size = len(unfinished)
        return size if view[:size] == unfinished else 0

    def _wait_and_write(self, view: memoryview) -> int:
        fd = self.fileno()
        while True:
            if self._records.lent:
                return self._write_politely(view[:PIPE_BUF])
            record = self._records.here()
            if spend_budget(record):
                self.fileno()
            if record.can_write:
                try:
                    return os_write(fd, view)
                except BlockingIOError:
                    record.can_write = False
            record.wait_write()

    # -- the same for a file whose mode is others' too ------------------------------------

    def _read_politely(self, size: int) -> bytes:
        while True:
            get_hub().wait_foreign(self.fileno(), read=True)
            try:
                return os_read(self.fileno(), size)
            except BlockingIOError:
                continue  # not blocking after all, and somebody else took it

    def _write_politely(self, piece: memoryview) -> int:
        while True:
            get_hub().wait_foreign(self.fileno(), write=True)
            try:
                return os_write(self.fileno(), piece)
            except BlockingIOError:
                continue


def _make_nonblocking(fd: int) -> bool:
    """Put a descriptor of ours in non-blocking mode; leave shared ones alone."""
    if not get_blocking(fd):
        return True
    if fd <= 2 or os.get_inheritable(fd) or _is_standard_stream(fd):
        return False
    set_blocking(fd, False)
    return True


def _is_standard_stream(fd: int) -> bool:
    """Whether a descriptor has the file of 0, 1 or 2, such as a duplicate of one."""
    found = os.fstat(fd)
    for standard in range(3):
        with suppress(OSError):  # it is closed
            if os.path.samestat(os.fstat(standard), found):
                return True
    return False


def _open_file(name: Any, mode: str, closefd: bool, opener: Any) -> io.FileIO:
    plain_mode = mode.replace("b", "").replace("t", "")
    if isinstance(name, int) or opener is not None or not is_fifo(name):
        return io.FileIO(name, plain_mode, closefd, opener)
    opened: io.FileIO = _openers.run_or_undo(
        io.FileIO.close, io.FileIO, name, plain_mode, closefd, opener
    )
    return opened


def is_fifo(path: Any, dir_fd: int | None = None) -> bool:
    """Tell whether opening a path may wait for the other side; False for what is no path."""
    try:
        return stat.S_ISFIFO(os.stat(path, dir_fd=dir_fd).st_mode)
    except (OSError, TypeError, ValueError):
        return False  # opening it says what is wrong


def GreenPipe(  # noqa: N802 - the public name is that of the class it once was
    name: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Callable[[str, int], int] | None = None,
) -> Any:
    """Open a file, pipe, FIFO or terminal for cooperative use; arguments as for `open`.

    Args:
        name: descriptor number, path, or a file object, which is duplicated and closed.
        mode: as for `open`.
        buffering: as for `open`.
        encoding: as for `open`.
        errors: as for `open`.
        newline: as for `open`.
        closefd: as for `open`.
        opener: as for `open`.

    Returns:
        A standard file object of `io`: raw, buffered or text, as `open` would choose.

    Raises:
        ValueError: the arguments do not go together, as for `open`.
        TypeError: `name` is neither number, path nor file.
    """
    binary = "b" in mode
    if binary and (encoding is not None or errors is not None or newline is not None):
        raise ValueError("binary mode takes no encoding, errors or newline argument")
    if hasattr(name, "fileno") and not isinstance(name, int):
        raw = _take_over(name, mode)
    elif not isinstance(name, (int, str, bytes, os.PathLike)):
        raise TypeError(
            f"a pipe is named by a descriptor number, path or file object, not {name!r}"
        )
    else:
        raw = GreenFileIO(name, mode, closefd, opener)
    try:
        return _stack(raw, mode, buffering, encoding, errors, newline)
    except BaseException:
        raw.close()
        raise


def _take_over(file: Any, mode: str) -> GreenFileIO:
    """Duplicate the descriptor of a file object and close the object."""
    if hasattr(file, "flush"):
        file.flush()  # while its descriptor may still block
    original = file.fileno()
    fd = os.dup(original)
    try:
        os.set_inheritable(fd, os.get_inheritable(original))  # as shared as it was
        raw = GreenFileIO(fd, mode)
    except BaseException:
        os.close(fd)
        raise
    file.close()
    return raw


def _stack(
    raw: GreenFileIO,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """Put the buffers and decoders on a raw file that `open` would put there."""
    binary = "b" in mode
    line_buffering = (buffering == 1 and not binary) or (buffering < 0 and raw.isatty())
    if buffering == 0:
        if not binary:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    raw._is_buffered = True
    size = io.DEFAULT_BUFFER_SIZE if buffering in (-1, 1) else buffering
    buffer: Any
    if "+" in mode and raw.seekable():
        buffer = BufferedRandom(raw, size)
    else:
        buffer = buffer_for(raw, size)
    if binary:
        return buffer
    text = io.TextIOWrapper(buffer, encoding, errors, newline, line_buffering)
    text.mode = mode  # type: ignore[misc]  # the standard `open` does so
    return text
