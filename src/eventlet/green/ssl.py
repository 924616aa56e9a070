"""Green `ssl`: TLS over green sockets.

Theory of operation
-------------------
`GreenSSLSocket` is the standard `SSLSocket` with `GreenSocket` below it: whatever the
standard class passes on with `super()` reaches the green socket. OpenSSL works on the
non-blocking descriptor itself, so each TLS call is made first and waits only after
WANT_READ or WANT_WRITE, then is repeated with the same buffer.

A reader may have to write (key update, renegotiated handshake) and a writer to read, so
waits inside TLS share a side of the descriptor and all wake. Two green threads that read,
or two that write, are still an error, as on any socket. The handshake has a lock: the first
I/O may come from both sides at once. `accept` never shakes hands, or one silent client
would hold up everybody behind it; the first I/O does.
"""

import errno
import ssl as _ssl_module
from collections.abc import Callable
from functools import wraps
from socket import MSG_DONTWAIT, MSG_PEEK
from types import FunctionType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._errors import DescriptorBusy, IOClosed
from eventlet._patching.table import patched
from eventlet._unpatched import base_socket, monotonic
from eventlet.green import socket as _green_socket
from eventlet.greenio.sockets import GreenSocket
from eventlet.greenio.waiting import spend_budget
from eventlet.semaphore import Semaphore

if TYPE_CHECKING:
    from ssl import *
else:
    for _name, _value in vars(_ssl_module).items():
        if not _name.startswith("__"):
            globals()[_name] = _value
    del _name, _value

__all__: list[str]

# Taken here: this module is always imported before `ssl` is patched, and nothing else wants it.
real_ssl_socket = _ssl_module.SSLSocket
real_ssl_context = _ssl_module.SSLContext

_WRITE_LIMIT = 128 * 1024  # bytes OpenSSL gets at once: what a kill leaves is at most this

_AGREED = (
    *("cipher", "compression", "get_channel_binding", "get_unverified_chain"),
    *("get_verified_chain", "getpeercert", "selected_alpn_protocol", "shared_ciphers", "version"),
)

_WantRead = _ssl_module.SSLWantReadError
_WantWrite = _ssl_module.SSLWantWriteError


class _GreenConstructor:
    """Comes before `SSLSocket` in the method order, for its `super(...).__init__`.

    The standard class calls it by the global name `SSLSocket`, which is ours after
    `monkey_patch`: then this is the next one, and skips the constructor that refuses.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        GreenSocket.__init__(self, *args, **kwargs)  # type: ignore[arg-type]  # always both


def _when_settled() -> dict[str, Any]:
    """Take the calls that tell what was agreed on: they settle it first where it is owed."""
    return {name: _settling(name) for name in _AGREED if hasattr(real_ssl_socket, name)}


def _settling(name: str) -> Any:
    ask = getattr(real_ssl_socket, name)

    @wraps(ask)
    def ask_when_settled(self: "GreenSSLSocket", *args: Any, **kwargs: Any) -> Any:
        self._settle()
        return ask(self, *args, **kwargs)

    ask_when_settled.__module__ = __name__
    ask_when_settled.__qualname__ = f"GreenSSLSocket.{name}"
    return ask_when_settled


class GreenSSLSocket(_GreenConstructor, real_ssl_socket, GreenSocket):  # type: ignore[misc]
    """A TLS socket whose calls park only the calling green thread.

    Made by `GreenSSLContext.wrap_socket` or this module's `wrap_socket`, never by calling it.
    """

    _sslobj: Any
    _connected: bool
    context: Any
    suppress_ragged_eofs: bool
    do_handshake_on_connect: bool
    _check_connected: Callable[[], None]
    _checkClosed: Callable[[], None]  # noqa: N815 - the standard class calls it so
    _handshake_lock: Semaphore | None = None
    _handshake_done = False
    _owes_handshake = False  # accepted, and by the standard accept hands would be shaken
    _user_reader: Any = None
    _user_writer: Any = None
    _unfinished: bytes | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(
            f"{type(self).__name__} does not have a public constructor. "
            "Instances are returned by GreenSSLContext.wrap_socket()."
        )

    @classmethod
    def _create(
        cls,
        sock: Any,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        **options: Any,
    ) -> "GreenSSLSocket":
        """Make the TLS socket; it is closed when its handshake fails or is interrupted."""
        _raise_reset(sock)  # the standard code would leave it open, and nobody's
        make = super()._create  # type: ignore[misc]  # typeshed leaves it out
        wrapped: GreenSSLSocket = make(sock, server_side, False, **options)
        wrapped.do_handshake_on_connect = do_handshake_on_connect
        if do_handshake_on_connect and wrapped._connected:
            try:
                if wrapped.gettimeout() == 0.0:
                    raise ValueError(
                        "a non-blocking socket cannot shake hands at once; pass "
                        "do_handshake_on_connect=False and call do_handshake"
                    )
                wrapped.do_handshake()
            except BaseException:
                wrapped.close()
                raise
        return wrapped

    # -- TLS calls -----------------------------------------------------------------------

    def _until_done(
        self, deadline: float | None, call: Callable[..., Any], *args: Any, reading: bool
    ) -> Any:
        """Make a TLS call, waiting for whichever side OpenSSL wants."""
        if self._desc is None:
            self._bind_record()
        while True:
            try:
                return call(*args)
            except _WantRead:
                if self._timeout == 0.0:
                    raise
                wait, side = self._wait_read, "read"
            except _WantWrite:
                if self._timeout == 0.0:
                    raise
                wait, side = self._wait_write, "write"
            self._claim(reading, side)
            try:
                deadline = wait(deadline, True)
            except BaseException:
                if not reading and self._sslobj is not None:
                    self._unfinished = bytes(memoryview(args[0]).cast("B"))
                raise
            finally:
                self._disclaim(reading)
            self._current()  # raises when it was closed between our wake and now
            if reading and self._sslobj is None:
                raise IOClosed  # shut down meanwhile: the end of the stream

    def _claim(self, reading: bool, side: str) -> None:
        holder = self._user_reader if reading else self._user_writer
        if holder is not None:
            raise DescriptorBusy(self.fileno(), side, get_hub().describe(holder))
        current = getcurrent()
        if reading:
            self._user_reader = current
        else:
            self._user_writer = current

    def _disclaim(self, reading: bool) -> None:
        if reading:
            self._user_reader = None
        else:
            self._user_writer = None

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands; the socket's timeout bounds the whole of it."""
        self._check_connected()
        if self._timeout == 0.0 and not block:
            self._sslobj.do_handshake()
            self._handshake_done = True
            return
        if self._handshake_lock is None:
            self._handshake_lock = Semaphore()
        timeout = self._timeout or None  # `block` in non-blocking mode: without a limit
        deadline = None if timeout is None else monotonic() + timeout
        if not self._handshake_lock.acquire(timeout=timeout):
            raise TimeoutError("timed out")
        try:
            if not self._handshake_done:
                self._current()  # closed while somebody else shook hands?
                self._shake_hands(deadline)
                self._handshake_done = True
        finally:
            self._handshake_lock.release()

    def _shake_hands(self, deadline: float | None) -> None:
        if self._desc is None:
            self._bind_record()
        while True:
            self._checkClosed()
            if self._sslobj is None:
                raise ValueError("No SSL wrapper around " + str(self))
            try:
                self._sslobj.do_handshake()
                return
            except _WantRead:
                deadline = self._wait_read(deadline, True)
            except _WantWrite:
                deadline = self._wait_write(deadline, True)

    def _before_io(self) -> None:
        if not self._handshake_done and self._timeout != 0.0 and self._connected:
            self.do_handshake()

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """Read at most `len` bytes of plain text, into `buffer` if there is one.

        Returns:
            Bytes, or their number with a `buffer`; empty at the end of the stream.
        """
        try:
            self._before_io()
            self._spend()
            return self._until_done(None, super().read, len, buffer, reading=True)
        except IOClosed:
            return b"" if buffer is None else 0

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive plain text, at most `buflen` bytes; flags are refused on TLS."""
        if self._sslobj is None:
            return GreenSocket.recv(self, buflen, flags)
        data: bytes = super().recv(buflen, flags)
        return data

    def write(self, data: Any) -> int:
        """Write plain text; return how many bytes were taken."""
        self._before_io()
        return self._write_tls(data, None)

    def _write_tls(self, data: Any, deadline: float | None) -> int:
        if self._timeout != 0.0:
            self._spend()
            if self._user_writer is not None:
                # OpenSSL has half of the other one's record: mixing in ours would corrupt it.
                writer = get_hub().describe(self._user_writer)
                raise DescriptorBusy(self.fileno(), "write", writer)
        if self._unfinished is not None:
            self._finish_write(self._unfinished, data, deadline)
        sent: int = self._until_done(deadline, super().write, data, reading=False)
        return sent

    def _finish_write(self, unfinished: bytes, data: Any, deadline: float | None) -> None:
        """Let OpenSSL send the record of a write that was interrupted, before `data`.

        It takes any next write for the same one repeated: from a longer one it would leave
        out as many bytes as it has got already, and a shorter one is "bad write retry".
        """
        with memoryview(data) as view, view.cast("B") as octets:
            is_repeated = octets[: len(unfinished)] == unfinished
        if not is_repeated:
            self._until_done(deadline, super().write, unfinished, reading=False)
        self._unfinished = None

    def _spend(self) -> None:
        """Count a call against the I/O budget; yield when there were too many."""
        desc = self._desc or self._bind_record()
        if desc is not None and spend_budget(desc):
            self._current()  # raises if it was closed meanwhile

    def send(self, data: Any, flags: int = 0) -> int:
        """Send plain text; return how many bytes were taken. Flags are refused on TLS."""
        if self._sslobj is None:
            return GreenSocket.send(self, data, flags)
        self._refuse_flags(flags, "send")
        return self.write(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of `data`; the socket's timeout bounds the whole call."""
        if self._sslobj is None:
            GreenSocket.sendall(self, data, flags)
            return
        self._refuse_flags(flags, "sendall")
        deadline = self._deadline()
        self._before_io()
        with memoryview(data) as view, view.cast("B") as octets:
            sent = 0
            while sent < len(octets):
                sent += self._write_tls(octets[sent : sent + _WRITE_LIMIT], deadline)
                if deadline is not None and monotonic() >= deadline and sent < len(octets):
                    raise TimeoutError("timed out")

    def _refuse_flags(self, flags: int, call: str) -> None:
        if flags:
            raise ValueError(f"non-zero flags not allowed in calls to {call}() on {type(self)}")

    # -- what was agreed on ----------------------------------------------------------------

    def _settle(self) -> None:
        """Shake hands on an accepted socket, where the standard one has done so by now."""
        if self._owes_handshake and self._sslobj is not None:
            self._before_io()

    vars().update(_when_settled())

    @property
    def session(self) -> Any:
        """The TLS session, as the standard property has it; it can be set on clients."""
        self._settle()
        return super().session

    @session.setter
    def session(self, session: Any) -> None:
        vars(real_ssl_socket)["session"].__set__(self, session)

    @property
    def session_reused(self) -> bool | None:
        """Whether the session is a resumed one; None without TLS."""
        self._settle()
        return super().session_reused

    def unwrap(self) -> Any:
        """End TLS with a close-notify both ways; return the socket for plain text."""
        if self._sslobj is None:
            raise ValueError("No SSL wrapper around " + str(self))
        plain = self._until_done(None, self._sslobj.shutdown, reading=True)
        self._sslobj = None
        return plain

    # -- connections -----------------------------------------------------------------------

    def _real_connect(self, addr: Any, connect_ex: bool) -> Any:
        """Connect, so that an attempt that failed or was interrupted can be repeated."""
        code: int | None = -1
        try:
            code = super()._real_connect(addr, connect_ex)  # type: ignore[misc]  # as above
        finally:
            if code and not self._connected and self._timeout != 0.0:
                self._sslobj = None
        return code

    def accept(self) -> tuple[Any, Any]:
        """Wait for a connection: pair (TLS socket, peer address). Does not shake hands.

        Clients that have reset their connection by then are passed over.
        """
        while True:
            fd, address = self._accepting(base_socket._accept)  # type: ignore[attr-defined]
            plain = GreenSocket._from_accepted(fd, self)
            try:
                return self._wrap_accepted(plain), address
            except ConnectionResetError:
                plain.close()
            except BaseException as exc:
                plain.close()
                if not _had_left_data(exc):
                    raise

    def _wrap_accepted(self, plain: GreenSocket) -> Any:
        wrapped = self.context.wrap_socket(
            plain,
            server_side=True,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
        )
        wrapped._owes_handshake = self.do_handshake_on_connect
        return wrapped


def _raise_reset(sock: Any) -> None:
    """Raise ConnectionResetError if that is what has become of a socket to be wrapped.

    Not while there is data to read: that is for the standard code to refuse.
    """
    try:
        sock.getpeername()
    except OSError as exc:
        if exc.errno != errno.ENOTCONN:
            return
    else:
        return
    try:
        sock.recv(1, MSG_PEEK | MSG_DONTWAIT)
    except ConnectionResetError:
        raise
    except OSError:
        return  # it is not connected yet, or listens


def _had_left_data(exc: BaseException) -> bool:
    """Whether a socket could not be wrapped because its peer sent data and a reset."""
    return isinstance(exc, _ssl_module.SSLError) and exc.errno == errno.ENOTCONN


def _forward(name: str) -> property:
    """Take a property of the standard context so that setting it reaches the C base class.

    The standard setter finds its base through the global name `SSLContext`, which is ours
    after `monkey_patch`: it would call itself for ever.
    """
    standard = getattr(real_ssl_context, name)
    names = {**vars(_ssl_module), "SSLContext": real_ssl_context}
    setter = standard.fset
    over_real = FunctionType(setter.__code__, names, name, None, setter.__closure__)
    return property(standard.fget, over_real, doc=standard.__doc__)


class GreenSSLContext(real_ssl_context):
    """A TLS context that wraps sockets into green TLS sockets."""

    sslsocket_class = GreenSSLSocket

    options = _forward("options")
    verify_flags = _forward("verify_flags")
    verify_mode = _forward("verify_mode")
    minimum_version = _forward("minimum_version")
    maximum_version = _forward("maximum_version")
    _msg_callback = _forward("_msg_callback")


def _wrap_socket(
    sock: Any,
    keyfile: str | None = None,
    certfile: str | None = None,
    server_side: bool = False,
    cert_reqs: int = _ssl_module.CERT_NONE,
    ssl_version: int = _ssl_module.PROTOCOL_TLS,
    ca_certs: str | None = None,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    ciphers: str | None = None,
) -> GreenSSLSocket:
    """Wrap a socket in TLS without a context of its own.

    The peer's certificate is not verified unless `cert_reqs` asks for it, and host names
    never are: for that use `create_default_context().wrap_socket`.

    Args:
        sock: a socket, connected or listening.
        keyfile: path of the private key in PEM form, if it is not in `certfile`.
        certfile: path of the certificate chain in PEM form; servers need one.
        server_side: which side of the handshake to play.
        cert_reqs: `CERT_NONE`, `CERT_OPTIONAL` or `CERT_REQUIRED`.
        ssl_version: a protocol constant; `PROTOCOL_TLS` is the best both sides have.
        ca_certs: path of the trusted certificates in PEM form.
        do_handshake_on_connect: shake hands at once, or at the connect.
        suppress_ragged_eofs: read an end of stream without close-notify as a normal end.
        ciphers: OpenSSL's cipher list.

    Raises:
        ValueError: a server without a certificate, or a key without one.
        OSError: a file cannot be read.
        ssl.SSLError: the handshake failed.
    """
    if server_side and not certfile:
        raise ValueError("certfile must be specified for server-side operations")
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    if ssl_version == _ssl_module.PROTOCOL_TLS:
        server = _ssl_module.PROTOCOL_TLS_SERVER
        ssl_version = server if server_side else _ssl_module.PROTOCOL_TLS_CLIENT
    context = GreenSSLContext(ssl_version)
    context.check_hostname = False
    context.verify_mode = _ssl_module.VerifyMode(cert_reqs)
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    if ciphers:
        context.set_ciphers(ciphers)
    wrapped: Any = context.wrap_socket(
        sock,
        server_side=server_side,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )
    assert isinstance(wrapped, GreenSSLSocket)
    return wrapped


_standard_names: dict[str, Any] = {
    **vars(_ssl_module),
    "SSLContext": GreenSSLContext,
    "SSLSocket": GreenSSLSocket,
    "create_connection": _green_socket.create_connection,
}


def _over_green(name: str) -> Any:
    """Take a function of the standard module and run its code over the green names."""
    standard = getattr(_ssl_module, name)
    green = FunctionType(
        standard.__code__, _standard_names, name, standard.__defaults__, standard.__closure__
    )
    green.__kwdefaults__ = standard.__kwdefaults__
    green.__doc__ = standard.__doc__
    green.__module__ = __name__
    _standard_names[name] = green
    return green


if not TYPE_CHECKING:
    SSLSocket = GreenSSLSocket
    SSLContext = GreenSSLContext
    wrap_socket = _wrap_socket
    wrap_socket.__name__ = wrap_socket.__qualname__ = "wrap_socket"
    create_default_context = _over_green("create_default_context")
    _create_unverified_context = _over_green("_create_unverified_context")
    _create_stdlib_context = _create_unverified_context
    _standard_names["_create_stdlib_context"] = _create_unverified_context
    _create_default_https_context = create_default_context
    get_server_certificate = _over_green("get_server_certificate")

    __patched__ = patched(globals())
