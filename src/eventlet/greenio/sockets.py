"""Green sockets: `socket.socket` whose blocking calls park only the calling green thread.

Theory of operation
-------------------
A `GreenSocket` is a real socket (a subclass), non-blocking for the kernel from its first
call that could wait. Until then a fresh one has the mode that the user asked for, so that a
child process which gets it, as its standard input perhaps, finds it blocking. Every call is
tried first; only EAGAIN, or the belief that it would come, parks (see
`_core.descriptor`). The user's mode is emulated: `_timeout` is None (blocking), 0.0
(non-blocking: errors such as EAGAIN surface) or a number of seconds, total for a call.

`_desc` is the descriptor record on the hub that uses the socket, and doubles as the fast
path's only test: it is None while the socket is non-blocking, closed, or has not been used
yet, and then the slow path sorts out which. A socket used in several OS threads has one
record on each hub; they are all closed before the number is.

Whether to subclass was decided by measurement (CPython 3.11): calling the C method from a
subclass costs 69 ns, through a wrapped object 53 ns, against some 6 microseconds for an
echo. For that difference of 16 ns a real socket is accepted wherever one is asked for: by
`ssl`, by asyncio's `sock=`, by C extensions and `isinstance`. The wrapping form
(`GreenSocket(existing)`) shares the descriptor number and never closes it twice: it closes
the existing socket.
"""

import errno
import io
import os
import socket
import sys
from collections.abc import Iterable
from typing import IO, Any, Final

import eventlet.hubs as hubs
from eventlet._core.current import get_hub
from eventlet._core.wait_queue import EXPIRED
from eventlet._errors import IOClosed
from eventlet._resolver import resolve_address
from eventlet._unpatched import (
    base_socket,
    get_default_timeout,
    get_ident,
    monotonic,
    real_socket,
    sendfile,
)
from eventlet.greenio.buffers import buffer_for
from eventlet.greenio.waiting import (
    WaitingSocket,
    get_family,
    get_proto,
    get_type,
    spend_budget,
)

__all__ = ["GreenSocket"]

_recv = base_socket.recv
_recv_into = base_socket.recv_into
_recvfrom = base_socket.recvfrom
_recvfrom_into = base_socket.recvfrom_into
_recvmsg = base_socket.recvmsg
_recvmsg_into = base_socket.recvmsg_into
_send = base_socket.send
_sendto = base_socket.sendto
_sendmsg = base_socket.sendmsg
_accept = base_socket._accept  # type: ignore[attr-defined]  # what socket.accept is built on
_connect_ex = base_socket.connect_ex
_connect = base_socket.connect
_set_c_blocking = base_socket.setblocking

_check_sendfile_params: Any = real_socket._check_sendfile_params  # type: ignore[attr-defined]
_DONT_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)
_WAIT_ALL: Final[int] = getattr(socket, "MSG_WAITALL", 0)
_PENDING_CONNECT: Final = frozenset({errno.EINPROGRESS, errno.EALREADY})
_CONNECT_TELLS: Final = sys.platform == "linux"
"""Whether a second connect(2) over TCP tells how the first one ended.

Asking for SO_ERROR instead would make the next attempt on the same socket ECONNABORTED.
"""
_UNIX_BACKLOG_RETRY: Final = 0.005
_SENDFILE_BLOCK: Final = 1 << 20


class GreenSocket(WaitingSocket):
    """A socket that parks the calling green thread instead of blocking the OS thread.

    Args:
        family: address family, or an existing socket to wrap; its timeout is inherited.
        args: type, protocol and file number, as `socket.socket` takes them.
        set_nonblocking: put the descriptor of a wrapped socket in non-blocking mode at once,
            and not at the first call that could wait.
        kwargs: the same by name.
    """

    @classmethod
    def _from_accepted(cls, fd: int, listener: "GreenSocket") -> "GreenSocket":
        sock = cls.__new__(cls)
        real_socket.__init__(
            sock, get_family(listener), get_type(listener), get_proto(listener), fd
        )
        _set_c_blocking(sock, False)
        sock._timeout = get_default_timeout()
        sock._exact = listener._is_exact()
        hubs.notify_opened(fd)
        return sock

    # -- receiving -----------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive at most `bufsize` bytes; empty at the end of the stream.

        Raises:
            TimeoutError: the socket's timeout passed first.
            ConnectionResetError: the peer reset the connection.
        """
        desc = self._desc
        if desc is None or flags or not bufsize:
            return self._recv_special(bufsize, flags)
        deadline: float | None = None
        while True:
            if desc.can_read:
                hub = desc.hub
                hub.budget -= 1
                if hub.budget < 0:  # before the call: an interrupt must not take its data along
                    hub.spend()
                    return GreenSocket.recv(self, bufsize)
                try:
                    data = _recv(self, bufsize)
                except BlockingIOError:
                    if desc.hub.ident == get_ident():  # else its hub may know better by now
                        desc.can_read = False
                else:
                    size = len(data)
                    if size < bufsize and size and desc.exact:
                        desc.can_read = False
                    return data
            try:
                if self._timeout is None and desc.hub.ident == get_ident():
                    desc.wait_read()
                else:
                    deadline = self._wait_read(deadline)
            except IOClosed as exc:
                raise EOFError(str(exc)) from exc
            desc = self._desc or self._current()

    def _recv_special(self, bufsize: int, flags: int) -> bytes:
        """Receive where the fast path does not apply: first use, flags, nothing asked for."""
        if self._bind_record() is None:
            return _recv(self, bufsize, flags)
        if bufsize == 0 and not flags & _DONT_WAIT:
            self._wait_until_readable()
            return _recv(self, 0, flags)
        if flags:
            if self._wants_all(flags):
                buffer = bytearray(bufsize)
                return bytes(buffer[: self._fill(memoryview(buffer), flags)])
            data: bytes = self._reading(_recv, bufsize, flags, wait=not flags & _DONT_WAIT)
            return data
        return GreenSocket.recv(self, bufsize)

    def _wait_until_readable(self) -> None:
        """Wait for data, a FIN or an error without taking anything."""
        ready = get_hub().wait_foreign(self.fileno(), read=True, timeout=self._timeout)
        if ready is EXPIRED:
            raise TimeoutError("timed out")

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into `buffer`, at most `nbytes` (0: its length); return how many."""
        desc = self._desc
        if desc is None or flags:
            return self._recv_into_special(buffer, nbytes, flags)
        asked = nbytes or memoryview(buffer).nbytes
        if not asked:
            self._wait_until_readable()
        deadline: float | None = None
        while True:
            if spend_budget(desc):
                return GreenSocket.recv_into(self, buffer, nbytes)
            if desc.can_read:
                try:
                    size = _recv_into(self, buffer, nbytes)
                except BlockingIOError:
                    if desc.hub.ident == get_ident():  # else its hub may know better by now
                        desc.can_read = False
                else:
                    if size < asked and size and desc.exact:
                        desc.can_read = False
                    return size
            try:
                deadline = self._wait_read(deadline)
            except IOClosed as exc:
                raise EOFError(str(exc)) from exc
            desc = self._current()

    def _recv_into_special(self, buffer: Any, nbytes: int, flags: int) -> int:
        if self._bind_record() is None:
            return _recv_into(self, buffer, nbytes, flags)
        if flags:
            if self._wants_all(flags):
                view = memoryview(buffer).cast("B")
                if nbytes <= len(view):  # else the call itself says what is wrong
                    return self._fill(view[:nbytes] if nbytes else view, flags)
            wait = not flags & _DONT_WAIT
            size: int = self._reading(_recv_into, buffer, nbytes, flags, wait=wait)
            return size
        return GreenSocket.recv_into(self, buffer, nbytes)

    def _wants_all(self, flags: int) -> bool:
        """Whether this is a receive that a blocking socket makes until all has come."""
        return (
            flags & _WAIT_ALL != 0
            and not flags & (_DONT_WAIT | socket.MSG_PEEK)
            and self._timeout is None
            and get_type(self) == socket.SOCK_STREAM
        )

    def _fill(self, view: memoryview, flags: int) -> int:
        """Receive until `view` is full or the stream ends; return how many bytes came."""
        got = 0
        while got < len(view):
            try:
                size = self._reading(_recv_into, view[got:], 0, flags)
            except OSError:
                if not got:
                    raise
                break  # what came counts first, as in the kernel; the next call fails
            if not size:
                break
            got += size
        return got

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Receive a datagram: pair (data, sender's address)."""
        received: tuple[bytes, Any] = self._reading(
            _recvfrom, bufsize, flags, wait=not flags & _DONT_WAIT
        )
        return received

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Receive a datagram into `buffer`: pair (bytes received, sender's address)."""
        received: tuple[int, Any] = self._reading(
            _recvfrom_into, buffer, nbytes, flags, wait=not flags & _DONT_WAIT
        )
        return received

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """Receive data and ancillary data, as `socket.recvmsg` returns them."""
        return self._reading(_recvmsg, bufsize, ancbufsize, flags, wait=not flags & _DONT_WAIT)

    def recvmsg_into(self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0) -> Any:
        """Receive into several buffers, as `socket.recvmsg_into` does."""
        pieces = list(buffers)  # an iterator must survive a second try
        return self._reading(_recvmsg_into, pieces, ancbufsize, flags, wait=not flags & _DONT_WAIT)

    # -- sending ---------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        """Send some of `data`; return how many bytes the kernel took."""
        desc = self._desc
        if desc is None or flags:
            return self._send_special(data, flags)
        if desc.can_write:
            hub = desc.hub
            hub.budget -= 1
            if hub.budget < 0:
                hub.spend()
                return GreenSocket.send(self, data)
            try:
                sent = _send(self, data)
            except BlockingIOError:
                if hub.ident == get_ident():
                    desc.can_write = False
            else:
                return sent
        count: int = self._write_until(self._deadline(), _send, data)
        return count

    def _send_special(self, data: Any, flags: int) -> int:
        if self._bind_record() is None:
            return _send(self, data, flags)
        if flags:
            count: int = self._writing(_send, data, flags, wait=not flags & _DONT_WAIT)
            return count
        return GreenSocket.send(self, data)  # not `self.send`, which may be somebody's own

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of `data`. The socket's timeout bounds the whole call.

        Raises:
            TimeoutError: the time was up; how much was sent is unknown.
            OSError: the connection broke.
        """
        if type(data) is not bytes:
            self._sendall_rest(memoryview(data).cast("B"), flags, self._deadline())
            return
        deadline = None if self._timeout is None else monotonic() + self._timeout
        sent = self.send(data, flags) if flags else self.send(data)
        if sent < len(data):
            self._sendall_rest(memoryview(data)[sent:], flags, deadline)

    def _sendall_rest(self, view: memoryview, flags: int, deadline: float | None) -> None:
        # `send` may be replaced on an instance or in a subclass, and then it is honoured.
        own_send = getattr(self.send, "__func__", None) is GreenSocket.send
        while True:
            if own_send and self._bind_record() is not None:
                sent = self._write_until(deadline, _send, view, flags)
            else:
                sent = self.send(view, flags)
            view = view[sent:]
            if not view:
                return
            if deadline is not None and monotonic() >= deadline:
                raise TimeoutError("timed out")

    def sendto(self, data: Any, *flags_and_address: Any) -> int:
        """Send a datagram: `sendto(data, address)` or `sendto(data, flags, address)`."""
        if not 1 <= len(flags_and_address) <= 2:
            count: int = _sendto(self, data, *flags_and_address)  # C names the wrong count
            return count
        flags = flags_and_address[0] if len(flags_and_address) == 2 else 0
        address = self._resolve(flags_and_address[-1])
        wait = not (isinstance(flags, int) and flags & _DONT_WAIT)
        sent: int = self._writing(_sendto, data, flags, address, wait=wait)
        return sent

    def sendmsg(
        self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None
    ) -> int:
        """Send several buffers and ancillary data; return how many bytes the kernel took."""
        pieces, extra = list(buffers), list(ancdata)
        if address is not None:
            address = self._resolve(address)
        wait = not flags & _DONT_WAIT
        sent: int = self._writing(_sendmsg, pieces, extra, flags, address, wait=wait)
        return sent

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file until its end, or `count` bytes of it; return how many were sent.

        Uses sendfile(2) for regular files, else `send`. The file's position moves behind
        what was sent.

        Raises:
            ValueError: not a stream socket, a text file, or a bad offset or count.
        """
        _check_sendfile_params(self, file, offset, count)
        if self._timeout == 0.0:
            raise ValueError("non-blocking sockets are not supported")
        fileno = _regular_fileno(file)
        if fileno is None:
            return self._sendfile_by_send(file, offset, count)
        if self._desc is None:
            self._bind_record()
        deadline, total = self._deadline(), 0
        try:
            while count is None or total < count:
                block = _SENDFILE_BLOCK if count is None else min(count - total, _SENDFILE_BLOCK)
                sent = self._write_until(deadline, _sendfile_call, fileno, offset + total, block)
                if not sent:
                    break
                total += sent
        finally:
            if total and hasattr(file, "seek"):
                file.seek(offset + total)
        return total

    def _sendfile_by_send(self, file: IO[bytes], offset: int, count: int | None) -> int:
        if offset:
            file.seek(offset)
        total = 0
        try:
            while count is None or total < count:
                block = 65536 if count is None else min(count - total, 65536)
                data = file.read(block)
                if not data:
                    break
                self.sendall(data)
                total += len(data)
        finally:
            if total and hasattr(file, "seek"):
                file.seek(offset + total)
        return total

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Return a file object over the socket, as the standard one does; arguments as for `open`.

        It and the socket are closed independently. Green threads may share its buffer.
        """
        if buffering == 0 or not set(mode) <= {"r", "w", "b"}:
            return super().makefile(
                mode,  # type: ignore[call-overload]
                buffering,
                encoding=encoding,
                errors=errors,
                newline=newline,
            )
        ways = ("r" if "r" in mode or "w" not in mode else "") + ("w" if "w" in mode else "")
        raw: Any = super().makefile(ways + "b", 0)  # type: ignore[call-overload]
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        buffer = buffer_for(raw, size)
        if "b" in mode:
            return buffer
        text = io.TextIOWrapper(buffer, io.text_encoding(encoding), errors, newline)
        text.mode = mode  # type: ignore[misc]
        return text

    def makeGreenFile(self, *args: Any, **kw: Any) -> Any:
        """Old name of `makefile`."""
        return self.makefile(*args, **kw)

    # -- connecting --------------------------------------------------------------------------

    def accept(self) -> tuple[Any, Any]:
        """Wait for a connection: pair (green socket of the caller's type, peer address)."""
        fd, address = self._accepting(_accept)
        if type(self) is GreenSocket:
            return GreenSocket._from_accepted(fd, self), address
        client = real_socket(get_family(self), get_type(self), get_proto(self), fileno=fd)
        return type(self)(client), address

    def connect(self, address: Any) -> None:
        """Connect; the socket's timeout bounds the whole call, the name look-up apart.

        Raises:
            TimeoutError: the time was up first.
            OSError: the connection failed, as the kernel says.
        """
        address = self._resolve(address)
        if self._bind_record() is None:
            _connect(self, address)
            return
        code = self._connect_until(address, self._deadline())
        if code:
            raise OSError(code, os.strerror(code))

    def connect_ex(self, address: Any) -> int:
        """Connect; return 0 or an errno (EAGAIN when the timeout passed first)."""
        address = self._resolve(address)
        if self._bind_record() is None:
            return _connect_ex(self, address)
        try:
            return self._connect_until(address, self._deadline())
        except TimeoutError:
            return errno.EAGAIN
        except OSError as exc:
            if exc.errno is None:
                raise
            return exc.errno

    def _connect_until(self, address: Any, deadline: float | None) -> int:
        code = _connect_ex(self, address)
        waited = False
        while True:
            if code in _PENDING_CONNECT:
                waited = True
                self._find_records().here().can_write = False
                try:
                    deadline = self._wait_write(deadline)
                except IOClosed:
                    return getattr(errno, "EBADFD", errno.EBADF)
                self._current()
                if not (_CONNECT_TELLS and get_family(self) in (socket.AF_INET, socket.AF_INET6)):
                    code = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code:
                        return code
            elif code == errno.EAGAIN and get_family(self) == socket.AF_UNIX:
                self._wait_for_backlog(deadline)  # a full backlog announces nothing
            else:
                return 0 if waited and code == errno.EISCONN else code
            code = _connect_ex(self, address)

    def _wait_for_backlog(self, deadline: float | None) -> None:
        hub = get_hub()
        hub.park(hub.ticket(), _UNIX_BACKLOG_RETRY)
        if deadline is not None and monotonic() >= deadline:
            raise TimeoutError("timed out")

    def bind(self, address: Any) -> None:
        """Bind to a local address; a host name is resolved without blocking the hub."""
        base_socket.bind(self, self._resolve(address))

    def _resolve(self, address: Any) -> Any:
        family = get_family(self)
        if family != socket.AF_INET and family != socket.AF_INET6:
            return address
        return resolve_address(family, get_type(self), get_proto(self), address)


def _sendfile_call(sock: GreenSocket, fileno: int, offset: int, count: int) -> int:
    if sendfile is None:
        raise NotImplementedError("this platform has no sendfile")
    sent: int = sendfile(sock.fileno(), fileno, offset, count)
    return sent


def _regular_fileno(file: Any) -> int | None:
    """Descriptor of a regular file that sendfile(2) can read; None for anything else."""
    if sendfile is None:
        return None
    try:
        fileno: int = file.fileno()
        size = os.fstat(fileno).st_size
    except (AttributeError, OSError):
        return None  # no file of the OS behind it: such as io.BytesIO
    return fileno if size else None
