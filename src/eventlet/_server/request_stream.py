"""The receiving side of one connection: heads, and exact pieces of bodies.

Whatever was received beyond the bytes asked for stays here for the next reader, so nothing of a
pipelined request is ever given to the reader of a body.
"""

from __future__ import annotations

from eventlet._protocols.head_collector import HeadCollector, HeadLimits
from eventlet._protocols.refusals import RequestRefused
from eventlet._server.activity import Activity
from eventlet._server.limits import Limits
from eventlet._server.patience import Patience, PatientSocket
from eventlet._unpatched import monotonic

__all__ = ["RECEIVE_BYTES", "RequestStream"]

RECEIVE_BYTES = 65536  # asked of the kernel at once


class RequestStream:
    """Read heads and body bytes from one socket.

    Args:
        sock: where they come from.
        limits: how long a head may be.
        patience: how long each wait may take; None for the defaults.
        activity: hears of heads that come in pieces.

    Attributes:
        keeps_lines: a line whose rest did not come in time can be read again.
    """

    keeps_lines = True

    __slots__ = (
        "_activity",
        "_data",
        "_limits",
        "_patience",
        "_pos",
        "_recv",
        "_recv_body",
        "_short",
    )

    def __init__(
        self,
        sock: PatientSocket,
        limits: HeadLimits,
        patience: Patience | None = None,
        activity: Activity | None = None,
    ) -> None:
        self._activity = activity
        self._recv = sock.recv
        self._limits = limits
        self._short = min(limits) - 4
        self._patience = Patience(sock, Limits()) if patience is None else patience
        self._recv_body = self._patience.receive
        self._data = b""
        self._pos = 0

    def read_head(self) -> bytes:
        """Wait for the next head.

        Returns:
            The head without its empty line, or nothing when the peer closed, be it between
            two heads or inside one.

        Raises:
            RequestRefused: what comes is no head, or too long; `peek` shows what came of it.
            TimeoutError: a wait took too long.
        """
        data, pos = self._data, self._pos
        if pos == len(data):
            patience = self._patience
            if patience.now != patience.idle:
                patience.use(patience.idle)
            data = self._recv(RECEIVE_BYTES)
            pos = 0
        end = data.find(b"\r\n\r\n", pos)
        # The usual case: a whole head at once, too short to break a limit.
        if end - pos < self._short and end > pos and data[pos] != 13:
            self._data = data
            self._pos = end + 4
            return data[pos:end]
        self._data, self._pos = b"", 0
        return self._collect_head(data[pos:])

    def begins_with(self, prefix: bytes) -> bool:
        """Wait until the first bytes show whether they are `prefix`; they stay to be read.

        Raises:
            TimeoutError: a wait took too long.
        """
        patience = self._patience
        patience.use(patience.idle)
        deadline = None
        while prefix.startswith(self._data[: len(prefix)]):
            if len(self._data) >= len(prefix):
                return True
            data = self._recv(RECEIVE_BYTES)
            if not data:
                break
            self._data += data
            if deadline is None and patience.head is not None:
                deadline = monotonic() + patience.head
            patience.use_for_head(deadline)
        return False

    def read1(self, size: int) -> bytes:
        """Return from one to `size` bytes, or nothing when the peer closed."""
        if self._pos == len(self._data):
            if size >= RECEIVE_BYTES:
                return self._recv_body(RECEIVE_BYTES)
            self._data, self._pos = b"", 0
            self._data = self._recv_body(RECEIVE_BYTES)
        start = self._pos
        data = self._data[start : start + size]
        self._pos = start + len(data)
        return data

    def peek(self) -> bytes:
        """Show what was received and not read yet; never waits."""
        return self._data[self._pos :]

    def readline(self, size: int) -> bytes:
        """Return bytes up to and with the next LF, at most `size`; fewer when the peer closed."""
        parts: list[bytes] = []
        left = size
        try:
            while left > 0:
                if self._pos == len(self._data):
                    self._data, self._pos = b"", 0
                    self._data = self._recv_body(RECEIVE_BYTES)
                    if not self._data:
                        break
                start = self._pos
                end = self._data.find(b"\n", start, start + left) + 1
                part = self._data[start : end or start + left]
                self._pos = start + len(part)
                parts.append(part)
                left -= len(part)
                if end:
                    break
        except BaseException:
            # Interrupted in the wait: the line can be read again from its beginning.
            self._data = b"".join(parts) + self._data[self._pos :]
            self._pos = 0
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _collect_head(self, data: bytes) -> bytes:
        """Gather a head that needs more than one look; the whole of it has one deadline."""
        collector = HeadCollector(self._limits)
        patience = self._patience
        began = monotonic()
        deadline = None if patience.head is None else began + patience.head
        if self._activity is not None and data:
            self._activity.last = began
        while data:
            try:
                found = collector.feed(data)
            except RequestRefused:
                self._data = collector.begun
                raise
            if found is not None:
                patience.use(patience.standing)
                head, self._data = found
                return head
            patience.use_for_head(deadline)
            data = self._recv(RECEIVE_BYTES)
        return b""
