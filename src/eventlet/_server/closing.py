"""End a connection so that the client gets all that was sent to it."""

from __future__ import annotations

import socket as stdlib_socket
import ssl
from typing import Any

from eventlet._unpatched import monotonic

__all__ = ["end_tls", "linger"]

LINGER_BYTES = 65536
LINGER_SECONDS = 1.0


def linger(sock: Any, is_silent: bool = False) -> None:
    """End our side, then read a little and drop it.

    Bytes that come after the close are answered with a reset, which would destroy what the
    client has not read yet. So we wait for its end, but not for long, and not for much.

    Args:
        sock: the connection's.
        is_silent: the client has promised to send nothing; believed if nothing has come.

    Raises:
        OSError: the client is gone, or takes too long.
    """
    sock.shutdown(stdlib_socket.SHUT_WR)
    deadline = monotonic() + LINGER_SECONDS
    left = LINGER_BYTES
    if is_silent:
        sock.settimeout(0.0)
        try:
            left -= len(sock.recv(left))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
    while left > 0 and (seconds := deadline - monotonic()) > 0:
        sock.settimeout(seconds)
        data = sock.recv(left)
        if not data:
            break
        left -= len(data)


def end_tls(sock: Any) -> None:
    """Send close-notify; without it a response that ends with the connection looks torn.

    Raises:
        OSError: the client is gone.
        ValueError: there was no handshake.
    """
    sock.settimeout(0.0)
    try:
        sock.unwrap()
    except ssl.SSLWantReadError:
        return  # it is out; most clients never send theirs, so nobody waits for it
