"""The time-outs of one connection: each kind of waiting has its own, the socket has one.

Setting a socket's time-out costs as much as a system call, so it is set only where it has to
change: it stays at that of the idle wait while requests come in one piece. Sending has a time-out
of its own on our sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from eventlet._server.limits import Limits
from eventlet._unpatched import monotonic
from eventlet.greenio.waiting import limit_sending
from eventlet.timeout import Timeout

__all__ = ["WINDOW_BYTES", "ByteSource", "Patience", "PatientSocket", "shorter"]

WINDOW_BYTES = 65536  # of a body or a response; each has the whole time again
_UNKNOWN: float = -1.0


class ByteSource(Protocol):
    """Where a body is read from; buffered binary files have these methods too."""

    def read1(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class PatientSocket(Protocol):
    """What a connection's socket must do."""

    def recv(self, bufsize: int, /) -> bytes: ...

    def send(self, data: bytes, /) -> int: ...

    def sendall(self, data: bytes, /) -> Any: ...

    def settimeout(self, value: float | None, /) -> None: ...


class Patience:
    """Wait for one client as long as it is allowed to keep us waiting.

    Args:
        sock: its time-out is ours to set.
        limits: see there; None instead of a number stands for `standing`.
        standing: seconds one operation may take, None for ever; `sock` is set to it.
        idle: seconds to wait for a request, before `limits.idle_timeout`.

    Attributes:
        standing: as given.
        now: what the socket's time-out is.
        idle: seconds to wait for a request.
        head: seconds that a head may take.
        write: seconds that the client may take for a window of a response; for any part of it,
            where that is the time-out of the socket.
        is_plain: one time-out will do for everything but heads.
        sendall: send bytes, as long as they may take.
        receive: receive a piece of a body, as long as that may take.
    """

    sendall: Callable[[bytes], Any]

    def __init__(
        self,
        sock: PatientSocket,
        limits: Limits,
        standing: float | None = None,
        idle: float | None = None,
    ) -> None:
        self._sock = sock
        self._recv = sock.recv
        self._set = sock.settimeout
        self.standing = self.now = standing
        if idle is None:
            idle = limits.idle_timeout
        self.idle = standing if idle is None else idle
        self.head = limits.head_timeout
        self._body = limits.body_timeout
        self._body_left, self._body_bytes = self._body, 0
        self.write = standing if limits.write_timeout is None else limits.write_timeout
        # Who has one time-out for everything needs none of this.
        self.is_plain = self.write == self.idle == standing and self._body is None
        self._in_windows = limits.write_timeout is not None
        # That of a socket is for all of `sendall`, and a long response may take longer.
        is_quick = self.is_plain and standing is None
        self.sendall = sock.sendall if is_quick else self._send_patiently
        self._is_limited = not self.is_plain and limit_sending(sock, self.write)

    def use(self, seconds: float | None) -> None:
        """Let the socket's next operation take so long."""
        if seconds != self.now:
            self._set(seconds)
            self.now = seconds

    def use_for_head(self, deadline: float | None) -> None:
        """Let the next operation take until a deadline, on the monotonic clock, at most.

        Raises:
            TimeoutError: it has passed.
        """
        seconds = self.standing
        if deadline is not None:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError(f"head not complete after {self.head} s")
            seconds = left if seconds is None else min(left, seconds)
        self.use(seconds)

    def release(self) -> None:
        """Give the socket to somebody else: back to the time-out it is meant to have."""
        self.use(self.standing)
        if not self.is_plain:
            self.now = _UNKNOWN  # it may be set by then
        if self._is_limited:
            limit_sending(self._sock)
            self._is_limited = False

    def begin_body(self) -> None:
        """Count from the beginning of a body."""
        self._body_left, self._body_bytes = self._body, 0

    def receive(self, size: int) -> bytes:
        """Receive at most `size` bytes of a body."""
        left = self._body_left
        if left is None:
            if self.now != self.standing:
                self.use(self.standing)
            return self._recv(size)
        began = monotonic()
        self.use(left if self.standing is None else min(left, self.standing))
        data = self._recv(size)
        self.count_body(began, len(data))
        return data

    def use_for_sending(self) -> None:
        """Let the socket wait for the client to take something, as long as that may take."""
        if not self._is_limited:
            self.use(self.write)

    def _send_patiently(self, data: bytes) -> None:
        if not self._is_limited:
            self.use(self.write)
        sent = self._sock.send(data)
        if sent == len(data):
            return
        rest: Any = memoryview(data)[sent:]
        while rest:
            if self._in_windows:
                self._sock.sendall(rest[:WINDOW_BYTES])
                rest = rest[WINDOW_BYTES:]
            else:
                rest = rest[self._sock.send(rest) :]

    def sendfile(self, file: Any, offset: int, count: int) -> int:
        """Have the kernel send a part of a file; return how many bytes it sent.

        Fewer than asked for where the file has become shorter.
        """
        sock: Any = self._sock
        self.use_for_sending()
        if self.write is None:
            sent: int = sock.sendfile(file, offset, count)
            return sent
        total = 0
        while total < count:
            try:
                sent = sock.sendfile(file, offset + total, min(count - total, WINDOW_BYTES))
            except TimeoutError:
                sent = file.tell() - offset - total  # which is where it came to
                if self._in_windows or not sent:
                    raise
            if not sent:
                break
            total += sent
        return total

    def hurried(self, source: ByteSource) -> ByteSource:
        """Give a source whose reads wait no longer than a body may take."""
        return _Hurried(self, source)

    def count_body(self, began: float, received: int) -> None:
        """Take a wait, since a moment on the monotonic clock, off the time for the body."""
        self._body_bytes += received
        if self._body_bytes >= WINDOW_BYTES:
            self.begin_body()
        elif self._body_left is not None:
            self._body_left = max(self._body_left - (monotonic() - began), 0.001)

    @property
    def body_left(self) -> float | None:
        """Seconds that the rest of this window of the body may take."""
        return self._body_left


class _Hurried:
    """Reads from a buffered file, as long as a body may take."""

    def __init__(self, patience: Patience, source: ByteSource) -> None:
        self._patience = patience
        self._source = source

    def read1(self, size: int) -> bytes:
        source: Any = self._source  # may have only the simplest methods
        return self._read(getattr(source, "read1", None) or source.read, size)

    def readline(self, size: int) -> bytes:
        return self._read(self._source.readline, size)

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        patience = self._patience
        began = monotonic()
        with Timeout(patience.body_left, TimeoutError("the body takes too long")):
            data = read(size)
        patience.count_body(began, len(data))
        return data


def shorter(one: float | None, other: float | None) -> float | None:
    """Give the shorter of two times in seconds; None is for ever."""
    both = [seconds for seconds in (one, other) if seconds is not None]
    return min(both) if both else None
