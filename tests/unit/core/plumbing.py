"""Sockets, descriptors and signals as the core's tests need them."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Pair = tuple[socket.socket, socket.socket]

SOON = 0.02  # seconds that something takes on purpose
LONG = 30.0  # seconds that nothing takes unless it hangs


@contextmanager
def socket_pair() -> Iterator[Pair]:
    """Hand out two connected non-blocking unix sockets."""
    a, b = socket.socketpair()
    with a, b:
        a.setblocking(False)
        b.setblocking(False)
        yield a, b


@contextmanager
def tcp_pair() -> Iterator[Pair]:
    """Hand out the server's and the client's end of a TCP connection, non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        client.setblocking(False)
        server.setblocking(False)
        yield server, client


def fill(sock: socket.socket) -> None:
    """Write into a non-blocking socket until it takes no more."""
    with suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 65536)


def drain(sock: socket.socket) -> None:
    """Read from a non-blocking socket until there is no more."""
    with suppress(BlockingIOError):
        while sock.recv(1 << 20):
            pass


@contextmanager
def alarms(handler: Callable[..., object], seconds: float) -> Iterator[None]:
    """Have `handler` run as the SIGALRM handler every `seconds` while the block runs."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
