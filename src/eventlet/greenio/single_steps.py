"""One step of connecting or accepting with a socket in non-blocking mode.

For programs that wait by themselves, with `trampoline` or a loop of their own.
"""

import errno
import os
import socket
from typing import Any, TypeVar

__all__ = ["socket_accept", "socket_checkerr", "socket_connect"]

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK})
_DONE = frozenset({0, errno.EISCONN})

S = TypeVar("S", bound=socket.socket)


def socket_connect(descriptor: S, address: Any) -> S | None:
    """Begin to connect a socket, or see how far it is.

    Returns:
        The socket when it is connected; None when that takes longer: wait until it can be
        written, then call this again or `socket_checkerr`.

    Raises:
        OSError: it cannot be connected.
    """
    code = descriptor.connect_ex(address)
    if code in _UNDER_WAY:
        return None
    _raise_unless_done(code)
    return descriptor


def socket_checkerr(descriptor: socket.socket) -> None:
    """Raise what went wrong with a socket in the background, if anything did.

    Raises:
        OSError: the pending error of the socket, which is cleared by this.
    """
    _raise_unless_done(descriptor.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def socket_accept(descriptor: socket.socket) -> tuple[socket.socket, Any] | None:
    """Accept a connection if there is one.

    Returns:
        A pair (socket, address of the peer); None when nobody has connected.
    """
    try:
        return descriptor.accept()
    except BlockingIOError:
        return None


def _raise_unless_done(code: int) -> None:
    if code not in _DONE:
        raise OSError(code, os.strerror(code))
