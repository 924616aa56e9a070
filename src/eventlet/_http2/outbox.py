"""What is to be sent on one connection, and the green thread that sends it.

Whoever has something to say puts it here and goes on, so the reader never waits for a client
that reads slowly, and what many streams say goes out in few pieces. Who sends much looks at
`is_full` first: that is the back-pressure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from eventlet._http2.signals import Signal
from eventlet.timeout import Timeout

__all__ = ["Outbox"]

PIECE_BYTES: Final = 65536  # each has the whole time again
FULL_BYTES: Final = 65536
FLOODED_BYTES: Final = 262144


class Outbox:
    """The sending side of one connection.

    Args:
        sock: the connection's.
        collect: gives what `h2` wants to have sent.
        seconds: to wait for the client to take each piece; None for ever.
        on_room: called when it is no longer full.
    """

    def __init__(
        self,
        sock: Any,
        collect: Callable[[], bytes],
        seconds: float | None,
        on_room: Callable[[], object],
    ) -> None:
        self._sock = sock
        self._collect = collect
        self._seconds = seconds
        self._on_room = on_room
        self._data = bytearray()
        self._in_flight = 0
        self._is_closing = False
        self._work = Signal()
        self._drained = Signal()

    @property
    def is_full(self) -> bool:
        """Who wants to send a body waits."""
        return len(self._data) + self._in_flight >= FULL_BYTES

    @property
    def is_flooded(self) -> bool:
        """The client makes us answer and does not read it: nothing more is read from it."""
        return len(self._data) + self._in_flight >= FLOODED_BYTES

    def flush(self, extra: bytes = b"") -> None:
        """Have sent what `h2` has to say, and `extra` behind it. Does not wait."""
        self._data += self._collect()
        self._data += extra
        self._work.notify()

    def close(self) -> None:
        """Have `run` end once everything is sent."""
        self._is_closing = True
        self._work.notify()

    def wait_while_flooded(self) -> None:
        """Wait until the client has read some of it, or sending has failed."""
        while self.is_flooded and not self._is_closing:
            self._drained.wait()

    def run(self) -> None:
        """Send, until closed and empty.

        Raises:
            OSError: the client is gone, or takes too long.
        """
        while True:
            if not self._data:
                if self._is_closing:
                    return
                self._work.wait()
                continue
            piece = bytes(self._data[:PIECE_BYTES])
            del self._data[:PIECE_BYTES]
            self._in_flight = len(piece)
            try:
                with Timeout(self._seconds, TimeoutError("the client takes too long")):
                    self._sock.sendall(piece)
            finally:
                self._in_flight = 0
            self._drained.notify()
            if not self.is_full:
                self._on_room()

    def give_up(self) -> None:
        """Forget what was to be sent; nothing can be."""
        self._is_closing = True
        self._data.clear()
        self._drained.notify()
