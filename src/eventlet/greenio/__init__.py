"""Green sockets and pipes, and the constants that go with them."""

import errno
import importlib
import socket
from typing import Any

from eventlet._unpatched import set_blocking
from eventlet.greenio.pipes import GreenFileIO, GreenPipe
from eventlet.greenio.sockets import GreenSocket

__all__ = [
    "CONNECT_ERR",
    "CONNECT_SUCCESS",
    "SOCKET_BLOCKING",
    "SOCKET_CLOSED",
    "GreenFileIO",
    "GreenPipe",
    "GreenSocket",
    "set_nonblocking",
    "shutdown_safe",
    "socket_timeout",
]

SOCKET_BLOCKING = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOTCONN})
"""Errno values that once meant "wait and try again"."""
SOCKET_CLOSED = frozenset({errno.ECONNRESET, errno.ESHUTDOWN, errno.EPIPE})
"""Errno values of a connection that is gone."""
CONNECT_ERR = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK})
CONNECT_SUCCESS = frozenset({0, errno.EISCONN})

socket_timeout = TimeoutError
_fileobject = socket.SocketIO
_GLOBAL_DEFAULT_TIMEOUT: object = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]

_NOT_CONNECTED = frozenset({errno.ENOTCONN, errno.EBADF, errno.ENOTSOCK})


def __getattr__(name: str) -> Any:
    if name == "SSL":  # pyOpenSSL is imported when it is asked for
        from eventlet.greenio.openssl_errors import SSL

        return SSL
    if name in {"base", "py3"}:  # names of old, which were there without importing them
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def set_nonblocking(fd: Any) -> None:
    """Put a socket, file object or descriptor number in the kernel's non-blocking mode."""
    if hasattr(fd, "setblocking"):
        fd.setblocking(False)
        return
    set_blocking(fd if isinstance(fd, int) else fd.fileno(), False)


def shutdown_safe(sock: Any) -> None:
    """Shut a socket down both ways; one that is not connected, or closed, is fine.

    Args:
        sock: a socket, or a TLS object whose `shutdown` takes no argument.
    """
    try:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except TypeError:
            sock.shutdown()
    except OSError as exc:
        if exc.errno not in _NOT_CONNECTED:
            raise
