"""The receiving side of one connection: heads, and exact pieces of bodies.

Whatever was received beyond the bytes asked for stays here for the next reader, so nothing of a
pipelined request is ever given to the reader of a body.
"""

from __future__ import annotations

from typing import Protocol

from eventlet._protocols.head_collector import HeadCollector, HeadLimits
from eventlet._unpatched import monotonic

__all__ = ["RECEIVE_BYTES", "RequestStream"]

RECEIVE_BYTES = 65536  # asked of the kernel at once


class ReceivingSocket(Protocol):
    """What a connection's socket must do to be read from."""

    def recv(self, bufsize: int, /) -> bytes: ...

    def settimeout(self, value: float | None, /) -> None: ...


class RequestStream:
    """Read heads and body bytes from one socket.

    Args:
        sock: its time-out is set by us, before each wait that has one of its own.
        limits: how long a head may be.
        timeout: seconds that one receive may take, None for ever.
        head_seconds: seconds a head may take from its first byte to its last.
    """

    __slots__ = (
        "_data",
        "_head_seconds",
        "_limits",
        "_pos",
        "_recv",
        "_short",
        "_sock",
        "_timeout",
    )

    def __init__(
        self,
        sock: ReceivingSocket,
        limits: HeadLimits,
        timeout: float | None = None,
        head_seconds: float = 60.0,
    ) -> None:
        self._sock = sock
        self._recv = sock.recv
        self._limits = limits
        self._short = min(limits) - 4
        self._timeout = timeout
        self._head_seconds = head_seconds
        self._data = b""
        self._pos = 0

    def read_head(self, idle_seconds: float | None = None) -> bytes:
        """Wait for the next head.

        Args:
            idle_seconds: how long to wait for its first byte; None means the usual time-out.

        Returns:
            The head without its empty line, or nothing when the peer closed, be it between
            two heads or inside one.

        Raises:
            RequestRefused: what comes is no head, or too long.
            TimeoutError: a wait took too long.
        """
        data, pos = self._data, self._pos
        if pos == len(data):
            if idle_seconds is None:
                data = self._recv(RECEIVE_BYTES)
            else:
                self._sock.settimeout(idle_seconds)
                data = self._recv(RECEIVE_BYTES)
                self._sock.settimeout(self._timeout)
            pos = 0
        end = data.find(b"\r\n\r\n", pos)
        # The usual case: a whole head at once, too short to break a limit.
        if end - pos < self._short and end > pos and data[pos] != 13:
            self._data = data
            self._pos = end + 4
            return data[pos:end]
        self._data, self._pos = b"", 0
        return self._collect_head(data[pos:])

    def read1(self, size: int) -> bytes:
        """Return from one to `size` bytes, or nothing when the peer closed."""
        if self._pos == len(self._data):
            if size >= RECEIVE_BYTES:
                return self._recv(RECEIVE_BYTES)
            self._data, self._pos = b"", 0
            self._data = self._recv(RECEIVE_BYTES)
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
                    self._data = self._recv(RECEIVE_BYTES)
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
        deadline: float | None = None
        while data:
            found = collector.feed(data)
            if found is not None:
                if deadline is not None:
                    self._sock.settimeout(self._timeout)
                head, self._data = found
                return head
            now = monotonic()
            if deadline is None:
                deadline = now + self._head_seconds
            if now >= deadline:
                raise TimeoutError(f"head not complete after {self._head_seconds} s")
            left = deadline - now
            self._sock.settimeout(left if self._timeout is None else min(left, self._timeout))
            data = self._recv(RECEIVE_BYTES)
        return b""
