"""Shortcuts for servers and clients: `connect`, `listen`, `serve`, `wrap_ssl`."""

import errno
import os
import socket
import warnings
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from eventlet._core.thread import throw_into
from eventlet._racing import AllFailed, connect_to_any
from eventlet._resolver import resolve_all
from eventlet.greenio import GreenSocket
from eventlet.greenio.adoption import make_green
from eventlet.greenthread import spawn_n
from eventlet.semaphore import Semaphore

__all__ = [
    "ReusePortUnavailableWarning",
    "ReuseRandomPortWarning",
    "StopServe",
    "connect",
    "listen",
    "serve",
    "wrap_ssl",
]


class ReuseRandomPortWarning(Warning):
    """SO_REUSEPORT was asked for on a port the kernel chooses: nobody else can name it."""


class ReusePortUnavailableWarning(Warning):
    """SO_REUSEPORT was asked for, but this kernel does not have it."""


class StopServe(Exception):
    """Raised in a handler to make `serve` return."""


def connect(
    addr: Any, family: int = socket.AF_INET, bind: tuple[Any, ...] | None = None
) -> GreenSocket:
    """Open a TCP connection.

    The addresses of a name are tried in a race (RFC 8305), or one after the other where
    EVENTLET_HAPPY_EYEBALLS is `no`.

    Args:
        addr: socket address, (host, port) for AF_INET.
        family: address family; it is not guessed from `addr`.
        bind: local address to connect from.

    Raises:
        OSError: the connection failed; the socket is closed.
    """

    def attempt(address: Any) -> GreenSocket:
        sock = GreenSocket(family, socket.SOCK_STREAM)
        try:
            if bind is not None:
                sock.bind(bind)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock

    addresses = resolve_all(family, socket.SOCK_STREAM, 0, addr)
    try:
        return connect_to_any(addresses, lambda _address: family, attempt, GreenSocket.close)
    except AllFailed as exc:
        failures = exc.failures
    try:
        raise failures[-1]
    finally:
        failures.clear()  # their tracebacks refer to this frame


def listen(
    addr: Any,
    family: int = socket.AF_INET,
    backlog: int = 50,
    reuse_addr: bool = True,
    reuse_port: bool | None = None,
) -> GreenSocket:
    """Open a listening socket.

    Args:
        addr: socket address to bind to; port 0 lets the kernel choose.
        family: address family, such as AF_INET, AF_INET6 or AF_UNIX.
        backlog: connections the kernel keeps waiting for `accept`.
        reuse_addr: set SO_REUSEADDR, so that a restart need not wait.
        reuse_port: set SO_REUSEPORT, so that several listeners share a port; None sets it
            for fixed ports and for families without ports.

    Raises:
        OSError: the address cannot be bound; the socket is closed.
    """
    if reuse_port is None:
        reuse_port = not _asks_for_any_port(addr, family)
    elif reuse_port and _asks_for_any_port(addr, family):
        warnings.warn(
            "listen(reuse_port=True) on port 0: the kernel chooses a port no other listener "
            "can name; choose a port, or leave reuse_port out",
            ReuseRandomPortWarning,
            stacklevel=2,
        )
    sock = GreenSocket(family, socket.SOCK_STREAM)
    try:
        if reuse_addr and os.name != "nt":
            _try_option(sock, "SO_REUSEADDR")
        if reuse_port and not _try_option(sock, "SO_REUSEPORT"):
            warnings.warn(
                "this kernel has no SO_REUSEPORT for such a socket; listening without it",
                ReusePortUnavailableWarning,
                stacklevel=2,
            )
        sock.bind(addr)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _asks_for_any_port(addr: Any, family: int) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return isinstance(addr, tuple) and len(addr) > 1 and addr[1] == 0


def _try_option(sock: GreenSocket, name: str) -> bool:
    """Set a socket option if there is one; False when this kernel refuses it."""
    option = getattr(socket, name, None)
    if option is None:
        return True
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    except OSError as exc:
        return exc.errno not in (errno.EINVAL, errno.ENOPROTOOPT)
    return True


def serve(sock: Any, handle: Callable[[Any, Any], Any], concurrency: int = 1000) -> None:
    """Accept connections and handle each in a green thread, until something stops it.

    Does not close the listener and does not wait for the handlers when it ends.

    Args:
        sock: listening socket; an ordinary one is made green meanwhile.
        handle: called as `handle(connection, address)`; the connection is closed after it.
            Raising `StopServe` makes `serve` return, another Exception is raised from it.
        concurrency: handlers at once; at the limit nothing more is accepted.

    Raises:
        OSError: accept failed.
        TypeError: a TLS socket of the standard library; `wrap_ssl` makes one that parks.
        Exception: what a handler raised.
    """
    listener = make_green(sock)
    handlers = _Handlers(handle, concurrency)
    try:
        while True:
            handlers.free.acquire()
            connection, address = listener.accept()
            spawn_n(handlers.run, connection, address)
            del connection  # or it would live until the next one comes
    except StopServe:
        return
    finally:
        handlers.server = None
        if listener is not sock and sock.fileno() >= 0:
            sock.settimeout(sock.gettimeout())  # an ordinary socket again, in the kernel too


class _Handlers:
    """The green threads that handle the connections of one `serve`.

    Attributes:
        free: how many more may be started.
        server: the green thread that runs `serve`; None once it has been told to end.
    """

    def __init__(self, handle: Callable[[Any, Any], Any], concurrency: int) -> None:
        self.free = Semaphore(concurrency)
        self.server: greenlet | None = getcurrent()
        self._handle = handle

    def run(self, connection: Any, address: Any) -> None:
        """Handle one connection; a failure ends `serve`, or is printed if it has ended."""
        try:
            self._handle(connection, address)
        except Exception as exc:
            server, self.server = self.server, None
            if server is not None:
                throw_into(server, exc)
            elif not isinstance(exc, StopServe):
                raise
        finally:
            connection.close()
            self.free.release()


def wrap_ssl(sock: Any, *a: Any, **kw: Any) -> Any:
    """Wrap a socket in TLS; arguments are those of `eventlet.green.ssl.wrap_socket`.

    The peer's certificate is not verified unless `cert_reqs` asks for it.

    Raises:
        OSError: a certificate or key file cannot be read (ENOENT when it is missing).
    """
    return wrap_ssl_impl(sock, *a, **kw)


def wrap_ssl_impl(sock: Any, *a: Any, **kw: Any) -> Any:
    """Do what `wrap_ssl` does; programs replace it."""
    from eventlet.green.ssl import wrap_socket  # OpenSSL is loaded when TLS is wanted

    return wrap_socket(sock, *a, **kw)
