"""Green `OpenSSL.SSL`: pyOpenSSL's connections over green sockets.

OpenSSL works on the non-blocking descriptor itself. Each call is made first, waits only after
WantReadError or WantWriteError, and is then repeated with the same data. Reader and writer may
both have to wait for either side, so they share it; two readers, or two writers, are refused.
"""

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent
from OpenSSL import SSL as _SSL

from eventlet._core.current import get_hub
from eventlet._errors import DescriptorBusy, IOClosed
from eventlet._unpatched import monotonic
from eventlet.greenio.sockets import GreenSocket
from eventlet.greenio.waiting import spend_budget

if TYPE_CHECKING:
    from OpenSSL.SSL import *

    def __getattr__(name: str) -> Any: ...
else:
    for _name, _value in vars(_SSL).items():
        if not _name.startswith("__"):
            globals()[_name] = _value
    del _name, _value

__all__ = ["Connection", "GreenConnection"]
__all__ += [name for name in _SSL.__all__ if name not in __all__]

_WRITE_LIMIT = 128 * 1024  # bytes OpenSSL gets at once: what a kill leaves is at most this
_ENDED = -1  # pyOpenSSL's code for an end of data without a close-notify


class GreenConnection(_SSL.Connection):  # type: ignore[misc]  # its types are not asked for
    """A TLS connection whose calls park only the calling green thread.

    The socket's timeout bounds each call; non-blocking sockets, and connections without one
    (memory BIOs), raise WantReadError and WantWriteError as ever.

    Args:
        ctx: an `OpenSSL.SSL.Context`.
        sock: a green socket; any other is wrapped in one and becomes non-blocking.
    """

    def __init__(self, ctx: Any, sock: Any = None) -> None:
        if sock is not None and not isinstance(sock, GreenSocket):
            sock = GreenSocket(sock)
        self._green: GreenSocket | None = sock
        self._users: dict[str, Any] = {}  # "read" or "write" -> who is at it
        self._unfinished: bytes | None = None  # of a write that was interrupted
        self._peer_is_gone = False
        super().__init__(ctx, sock)

    def do_handshake(self) -> None:
        """Shake hands."""
        self._until_done(None, super().do_handshake)

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Receive plain text, at most `bufsiz` bytes; empty when the peer has gone.

        Raises:
            ZeroReturnError: the peer has ended TLS properly.
            SysCallError: the connection broke.
            TimeoutError: the socket's timeout passed first.
        """
        data: bytes = self._reading(b"", super().recv, bufsiz, flags)
        return data

    read = recv

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """Receive plain text into a buffer; return how many bytes, 0 when the peer has gone."""
        return int(self._reading(0, super().recv_into, buffer, nbytes, flags))

    def send(self, buf: Any, flags: int = 0) -> int:
        """Send plain text; return how many bytes were taken."""
        return self._write(buf, None)

    write = send

    def sendall(self, buf: Any, flags: int = 0) -> int:
        """Send all of `buf`; return how many bytes that was.

        Raises:
            TimeoutError: the socket's timeout for the whole passed first.
        """
        deadline = None if self._green is None else self._green._deadline()
        with memoryview(buf) as view, view.cast("B") as octets:
            sent = 0
            while sent < len(octets):
                if sent and deadline is not None and monotonic() >= deadline:
                    raise TimeoutError("timed out")
                sent += self._write(octets[sent : sent + _WRITE_LIMIT], deadline)
            return sent

    def shutdown(self) -> bool:
        """Send a close-notify; return whether the peer's has come too."""
        return bool(self._until_done(None, super().shutdown))

    def accept(self) -> tuple[Any, Any]:
        """Wait for a client: pair (connection of the caller's type, address).

        It does not shake hands: the first call on the connection does.
        """
        assert self._green is not None
        client, address = self._green.accept()
        try:
            conn = type(self)(self.get_context(), client)
        except BaseException:
            client.close()
            raise
        conn.set_accept_state()
        return conn, address

    def dup(self) -> Any:
        """Refuse: TLS has one state, which cannot be shared."""
        raise NotImplementedError("a TLS connection cannot be duplicated")

    def makefile(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse, as pyOpenSSL does."""
        raise NotImplementedError("a TLS connection of pyOpenSSL has no file form; use recv, send")

    # -- waiting -----------------------------------------------------------------------------

    def _reading(self, at_end: Any, call: Callable[..., Any], *args: Any) -> Any:
        if self._peer_is_gone:  # OpenSSL says so once, and then fails without a reason
            return at_end
        try:
            return self._until_done(None, call, *args, use="read")
        except IOClosed:
            return at_end
        except _SSL.SysCallError as exc:
            if exc.args[0] != _ENDED:
                raise
            self._peer_is_gone = True
            return at_end

    def _write(self, data: Any, deadline: float | None) -> int:
        send = super().send
        if self._unfinished is not None:
            # OpenSSL takes any next write for that one repeated, and refuses other data.
            rest = self._unfinished
            with memoryview(data) as view, view.cast("B") as octets:
                is_repeated = octets[: len(rest)] == rest
            if not is_repeated:
                self._until_done(deadline, send, rest, use="write")
            self._unfinished = None
        return int(self._until_done(deadline, send, data, use="write"))

    def _until_done(
        self, deadline: float | None, call: Callable[..., Any], *args: Any, use: str | None = None
    ) -> Any:
        """Make a call, waiting for whichever side OpenSSL wants.

        Args:
            deadline: None: as the socket's timeout says.
            call: what may raise WantReadError or WantWriteError.
            args: for `call`.
            use: "read" or "write" for what only one green thread may do at a time.
        """
        green = self._green
        if green is None or green.gettimeout() == 0.0:
            return call(*args)
        desc = green._desc or green._bind_record()
        if desc is not None:
            spend_budget(desc)
        self._claim(use)
        try:
            while True:
                if green.fileno() < 0:  # the number may be somebody else's by now
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                try:
                    return call(*args)
                except _SSL.WantReadError:
                    wait = green._wait_read
                except _SSL.WantWriteError:
                    wait = green._wait_write
                try:
                    deadline = wait(deadline, True)
                except BaseException:
                    if use == "write":
                        self._unfinished = bytes(args[0])
                    raise
        finally:
            if use is not None:
                del self._users[use]

    def _claim(self, use: str | None) -> None:
        if use is None:
            return
        holder = self._users.get(use)
        if holder is not None:
            raise DescriptorBusy(self.fileno(), use, get_hub().describe(holder))
        self._users[use] = getcurrent()


Connection = GreenConnection
