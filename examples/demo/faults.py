"""The misbehaving door of the demo's site: a raw socket server that does what servers should not."""

from __future__ import annotations

import struct
from collections.abc import Callable

from eventlet.green import socket
from eventlet.greenio import GreenSocket

from examples.demo.plan import Outcome

HEAD_LIMIT_BYTES = 8192


def misbehave(client: GreenSocket, _address: object) -> None:
    """Read one request and treat it as the first part of its path says."""
    try:
        head = client.recv(HEAD_LIMIT_BYTES)
        word = head.split(b"/", 2)[1].decode("latin-1") if head.count(b"/") > 1 else ""
        FAULTS[Outcome[word.upper()]](client)
    except (OSError, KeyError):
        pass  # the visitor left first, or asked for no fault of ours: either way we hang up


def _reset(client: GreenSocket) -> None:
    # Closing with a linger time of zero sends RST in place of FIN: socket(7), SO_LINGER.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _stay_silent(client: GreenSocket) -> None:
    while client.recv(HEAD_LIMIT_BYTES):
        pass


def _truncate(client: GreenSocket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nonly this much")


def _talk_nonsense(client: GreenSocket) -> None:
    client.sendall(b"220 this is not a web server\r\n")


FAULTS: dict[Outcome, Callable[[GreenSocket], None]] = {
    Outcome.RESET: _reset,
    Outcome.SILENT: _stay_silent,
    Outcome.TRUNCATED: _truncate,
    Outcome.NOT_HTTP: _talk_nonsense,
}
