"""What a worker tells its master, over a pair of sockets; its end tells that the master is gone.

A message is one line, a JSON list of a word and a text. The other way there is nothing but
`HURRY`, for two signals in a row may become one.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Final

__all__ = ["CHANGED", "FAILED", "HURRY", "READY", "TIRED", "Inbox", "encode"]

READY: Final = "ready"  # it accepts connections
FAILED: Final = "failed"  # it cannot serve, and why; it ends, or waits for a change
TIRED: Final = "tired"  # it wants to be replaced, and why
CHANGED: Final = "changed"  # a file of the application, and which

HURRY: Final = b"!"  # end at once

_PIECE_BYTES = 4096


def encode(word: str, text: str = "") -> bytes:
    """Make a message."""
    return f"{json.dumps([word, text])}\n".encode()


class Inbox:
    """The master's end of one worker's link."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.is_open = True
        self._rest = b""
        sock.setblocking(False)

    def messages(self) -> Iterator[tuple[str, str]]:
        """Give the pairs (word, text) that have come; `is_open` turns False at the end."""
        while self.is_open:
            try:
                data = self.sock.recv(_PIECE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.is_open = bool(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                word, text = json.loads(line)
                yield word, text
