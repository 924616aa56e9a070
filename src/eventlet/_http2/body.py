"""The body of one request, between the reader of the connection and the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eventlet._http2.signals import Signal
from eventlet._protocols.refusals import ContentTooLarge
from eventlet._server.request_body import Input
from eventlet._unpatched import monotonic

__all__ = ["BodyBuffer", "StreamInput"]

PIECE_BYTES: Final = 65536  # each has the whole time again


class BodyBuffer:
    """What has come of a body and was not read yet; never more than the stream's window.

    Args:
        took: told how many bytes were read, so that the client may send as many more.
        seconds: to wait for each 64 KiB, None for ever.
        limit_bytes: the body may be as long, None for any length.
        expected: bytes that the head announced, None if it did not.

    Attributes:
        is_ended: nothing more will come.
        failure: why the rest will not come, None while it may.
        keeps_lines: a line whose rest did not come in time can be read again.
    """

    keeps_lines = True

    def __init__(
        self,
        took: Callable[[int], object],
        seconds: float | None,
        limit_bytes: int | None,
        expected: int | None,
    ) -> None:
        self._took = took
        self._seconds = self._left = seconds
        self._limit_bytes = limit_bytes
        self._expected = expected
        self._data = bytearray()
        self._received = 0
        self._since_wait = 0
        self._arrival = Signal()
        self._is_dropped = False
        self.is_ended = False
        self.failure: Exception | None = None

    # --- the reader's side ----------------------------------------------------------------

    def fits(self, size: int, is_last: bool) -> bool:
        """Tell whether so many bytes more agree with the length that was announced."""
        if self._expected is None:
            return True
        total = self._received + size
        return total == self._expected if is_last else total <= self._expected

    def feed(self, data: bytes) -> None:
        """Add what has come."""
        self._received += len(data)
        if self._is_dropped or self.failure is not None:
            self._took(len(data))
            self._arrival.notify()
            return
        if self._limit_bytes is not None and self._received > self._limit_bytes:
            self._took(len(data))
            self.fail(ContentTooLarge(self._limit_bytes))
            return
        self._data += data
        self._arrival.notify()

    def end(self) -> None:
        """Take notice that all has come."""
        self.is_ended = True
        self._arrival.notify()

    def fail(self, exc: Exception) -> None:
        """Take notice that the rest will not come; a whole body is left as it is."""
        if not self.is_ended and self.failure is None:
            self.failure = exc
            self._drop_rest()
            self._arrival.notify()

    def drop(self) -> None:
        """Take what comes from here on, and drop it: nobody will read it."""
        self._is_dropped = True
        self._drop_rest()

    def drop_to_end(self, limit_bytes: int, seconds: float) -> bool:
        """Drop what comes, so much and for so long; tell whether that was all."""
        self.drop()
        deadline = monotonic() + seconds
        most = self._received + limit_bytes
        while not self.is_ended and self.failure is None:
            left = deadline - monotonic()
            if left <= 0 or self._received > most:
                return False
            self._arrival.wait(left)
        return self.is_ended

    def _drop_rest(self) -> None:
        size = len(self._data)
        self._data.clear()
        if size:
            self._took(size)

    # --- the application's side ----------------------------------------------------------------

    @property
    def is_at_end(self) -> bool:
        """Everything has come and was read."""
        return self.is_ended and not self._data

    def wait(self) -> int:
        """Wait for something to read; return how many bytes there are, 0 at the end.

        Raises:
            TimeoutError: it took too long.
            Exception: `failure`.
        """
        while not self._data:
            if self.failure is not None:
                raise self.failure
            if self.is_ended:
                return 0
            began = monotonic()
            if not self._arrival.wait(self._left):
                raise TimeoutError("the body takes too long")
            if self._left is not None:
                self._left = max(self._left - (monotonic() - began), 0.001)
        return len(self._data)

    def read1(self, size: int) -> bytes:
        """Return from one to `size` bytes of what is there."""
        return self._take(size)

    def readline(self, size: int) -> bytes:
        """Return bytes up to and with the next LF, at most `size`, of what is there."""
        end = self._data.find(b"\n", 0, size) + 1
        return self._take(end or size)

    def _take(self, size: int) -> bytes:
        data = bytes(self._data[:size])
        del self._data[:size]
        self._since_wait += len(data)
        if self._since_wait >= PIECE_BYTES:
            self._since_wait = 0
            self._left = self._seconds
        self._took(len(data))
        return data


class StreamInput(Input):
    """`wsgi.input` of a stream: it ends where the stream's body ends.

    Args:
        rfile: where the bytes come from.
        content_length: as announced, None if it was not.
        sock: what `get_socket` gives.
        wfile: where `100 Continue` goes; None when the client does not wait for it.
        wfile_line: its status line.
    """

    rfile: BodyBuffer

    def is_at_end(self) -> bool:
        """Tell, without waiting, whether the whole body was read."""
        return self.rfile.is_at_end

    def _has_body(self) -> bool:
        return not self.rfile.is_at_end

    def _open_run(self) -> int:
        if self.failure is not None:
            raise self.failure
        if self.should_send_hundred_continue and self._has_body() and not self.headers_sent:
            self.send_hundred_continue_response()
        left = None if self.content_length is None else self.content_length - self.position
        if left is not None and left <= 0:
            return 0
        try:
            there = self.rfile.wait()
        except Exception as exc:
            self.failure = exc
            raise
        return there if left is None else min(there, left)
