"""Ordinary sockets that a program hands to a server: made green, or refused."""

from typing import Any

from eventlet._unpatched import real_socket
from eventlet.greenio.sockets import GreenSocket
from eventlet.greenio.waiting import WaitingSocket

__all__ = ["make_green"]


def make_green(sock: Any) -> Any:
    """Return a green socket over an ordinary one; anything else as it is.

    Both have the same descriptor; closing the green one closes the other. A class that
    brings an `accept` of its own is trusted to park.

    Raises:
        TypeError: a TLS socket of the standard library, which would hold up every green
            thread. It cannot be wrapped, because the state of TLS is inside.
    """
    if not isinstance(sock, real_socket) or isinstance(sock, WaitingSocket):
        return sock
    if hasattr(sock, "do_handshake"):
        raise TypeError(
            f"{sock!r} would hold up every green thread; make it with eventlet.wrap_ssl, or with "
            "a context of eventlet.green.ssl"
        )
    return GreenSocket(sock) if type(sock).accept is real_socket.accept else sock
