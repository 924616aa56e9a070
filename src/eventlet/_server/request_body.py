"""`wsgi.input`: the body of one request, and nothing behind it.

A body is a row of *runs*: one of `content_length` bytes, or one for each chunk. Every read is
cut at the end of a run, so no way of reading can touch the next request on the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from eventlet._errors import EventletError
from eventlet._protocols.chunked import (
    MAX_OVERHEAD,
    MAX_SIZE_LINE,
    MAX_TRAILER,
    ChunkReadError,
    check_trailer_line,
    parse_size_line,
)
from eventlet._protocols.refusals import ContentTooLarge
from eventlet._server.patience import ByteSource
from eventlet._server.response_head import format_fields

__all__ = ["BodyInterrupted", "BodyTruncated", "Input"]

CONTINUE_LINE = b"HTTP/1.1 100 Continue\r\n"
# Extensions cost the reader as much as data, which is what limits are about.
_FREE_OVERHEAD = 16  # bytes of a size line that are nothing unusual
_PIECE_BYTES = 65536  # asked for at once: what is announced need not come, and takes no memory


class ByteSink(Protocol):
    """Where an interim response is written to."""

    def write(self, data: bytes, /) -> Any: ...


class BodyTruncated(EventletError, ConnectionError):
    """The peer closed before the body was whole.

    Attributes:
        missing: bytes that never came, as far as they were announced.
    """

    def __init__(self, missing: int) -> None:
        self.missing = missing
        super().__init__(f"the client closed with {missing} bytes of the body to come")


class BodyInterrupted(EventletError, ConnectionError):
    """Reading was interrupted in the middle of a line, and what had come of it is lost."""

    def __init__(self) -> None:
        super().__init__("reading a line of the body was interrupted; its beginning is lost")


class Input:
    """The body of one request as a binary file that ends where the body ends.

    With neither a length nor chunks it is empty at once. Where the client waits for
    `100 Continue`, that goes out with the first read, unless the response has begun.

    Args:
        rfile: the connection's bytes, at the first byte of the body.
        content_length: bytes, None when the head named none.
        sock: the connection's socket, for `get_socket`.
        wfile: where the interim response goes; None when the client waits for none.
        wfile_line: its status line.
        chunked_input: the body is chunked; `content_length` is ignored.

    Attributes:
        content_length: as announced; an application that sets it to less sees no more, and to
            more, all there is.
        position: bytes read of the body, or of the current chunk.
        chunk_length: bytes of the current chunk; -1 before the first, 0 behind the last.
        headers_sent: the response has begun.
        should_send_hundred_continue: the client waits for an interim response.
        failure: the error that ended reading because of the client, None if there was none.
        limit_bytes: a chunked body may be as long; None for any length.
        lend: called before the socket is given away; None for nothing to do.
    """

    # What most requests never change stays on the class.
    position = 0
    chunk_length = -1
    headers_sent = False
    failure: Exception | None = None
    limit_bytes: int | None = None
    lend: Callable[[], object] | None = None
    _continue_fields = b""
    _announced = 0
    _overhead = 0
    _is_in_trailer = False

    def __init__(
        self,
        rfile: ByteSource,
        content_length: int | str | None,
        sock: Any,
        wfile: ByteSink | None = None,
        wfile_line: bytes | None = None,
        chunked_input: bool = False,
    ) -> None:
        self.rfile = rfile
        length = content_length if content_length is None else int(content_length)
        self.content_length = self._length = length
        self._sock = sock
        self.wfile = wfile
        self.wfile_line = wfile_line
        self.chunked_input = chunked_input
        self.should_send_hundred_continue = wfile is not None

    # --- reading --------------------------------------------------------------------

    def read(self, length: int | None = None) -> bytes:
        """Return `length` bytes, or fewer at the end of the body; all of them by default.

        Raises:
            ChunkReadError: the client broke the chunked coding.
            ContentTooLarge: it sends more chunks than it may.
            OSError: it closed too early, or its connection failed.
        """
        if length is None or length < 0:
            length = -1
        parts: list[bytes] = []
        while length != 0 and (run := self._open_run()):
            part = self._pull(run if length < 0 else min(run, length))
            parts.append(part)
            if length > 0:
                length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readline(self, size: int | None = None) -> bytes:
        """Return the next line with its line end, at most `size` bytes of it.

        Raises:
            ChunkReadError, OSError: as `read` does.
        """
        if size is None or size < 0:
            size = -1
        parts: list[bytes] = []
        while size != 0 and (run := self._open_run()):
            part = self._pull_line(run if size < 0 else min(run, size))
            parts.append(part)
            if part.endswith(b"\n"):
                break
            if size > 0:
                size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return the lines up to the end of the body, or until they exceed `hint` bytes."""
        lines: list[bytes] = []
        total = 0
        while line := self.readline():
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def discard(self, buffer_size: int = 16384) -> None:
        """Read the rest of the body and drop it, `buffer_size` bytes at a time."""
        while self.read(buffer_size):
            pass

    def drain(self, limit_bytes: int) -> bool:
        """Drop the rest of the body if it is not too long.

        Returns:
            True when the body is read to its end, so that the connection can be used again.
            False when more than `limit_bytes` are left, when reading failed before, or when
            the client still waits for `100 Continue`: it may send the body or leave it out.

        Raises:
            ChunkReadError, OSError: as `read` does.
        """
        if self.is_at_end():
            return True
        if self.failure is not None:
            return False
        if self.is_held_back():
            return False
        self.content_length = self._length
        if self._length is not None and self._length - self.position > limit_bytes:
            return False
        while run := self._open_run():
            if run > limit_bytes:
                return False
            limit_bytes -= len(self._pull(run))
        return True

    def is_at_end(self) -> bool:
        """Tell, without waiting, whether the whole body was read."""
        if self.chunked_input:
            return self.chunk_length == 0
        return self._length is None or self.position == self._length

    # --- 100 Continue -----------------------------------------------------------------

    def set_hundred_continue_response_headers(
        self, headers: Iterable[tuple[str, str]], capitalize_response_headers: bool = True
    ) -> None:
        """Choose header fields for the interim responses from here on, pairs (name, value)."""
        self._continue_fields = format_fields(headers, capitalize_response_headers)

    def send_hundred_continue_response(self) -> None:
        """Send an interim response now, once more if need be; none once the response has begun.

        A chunked body that was read to its end can be followed by a second one then.
        """
        if self.wfile is None:
            raise ValueError("the client does not wait for 100 Continue")
        if self.headers_sent:
            return
        self.should_send_hundred_continue = False
        if self.chunk_length == 0:
            self.chunk_length = -1
            self.position = 0
        line = self.wfile_line or CONTINUE_LINE
        try:
            self.wfile.write(line + self._continue_fields + b"\r\n")
            # A protocol of somebody else's, such as Swift's, puts the connection's file here.
            if hasattr(self.wfile, "flush"):
                self.wfile.flush()
        except OSError as exc:
            self.failure = exc
            raise

    def is_held_back(self) -> bool:
        """Tell whether the client announced a body that it sends after `100 Continue` only."""
        return self.should_send_hundred_continue and self._has_body()

    # --- the connection -----------------------------------------------------------------

    def get_socket(self) -> Any:
        """Return the connection's socket, for protocols that take it over."""
        if self.lend is not None:
            self.lend()
        return self._sock

    # --- runs -----------------------------------------------------------------------------

    def _has_body(self) -> bool:
        return self.chunked_input or bool(self.content_length)

    def _open_run(self) -> int:
        """Say how many bytes of the current run are left; 0 at the end of the body."""
        if self.failure is not None:
            raise self.failure
        if self.should_send_hundred_continue and self._has_body() and not self.headers_sent:
            self.send_hundred_continue_response()
        if self.chunked_input:
            return self._open_chunk()
        if self.content_length is None or self._length is None:
            return 0
        if self.content_length == self._length:
            return self._length - self.position
        return max(0, min(self.content_length, self._length) - self.position)

    def _open_chunk(self) -> int:
        left = self.chunk_length - self.position
        if self.chunk_length > 0 and left > 0:
            return left
        if self.chunk_length == 0:
            return 0
        try:
            if self.chunk_length > 0:
                if self.rfile.readline(2) != b"\r\n":
                    raise ChunkReadError("no line end behind the data")
                self.chunk_length, self.position = -1, 0
            size = 0 if self._is_in_trailer else self._read_size()
            if size == 0:
                self._is_in_trailer = True
                self._read_trailer()
                self._is_in_trailer = False
        except (ChunkReadError, ContentTooLarge, OSError) as exc:
            self.failure = exc
            raise
        except BaseException:
            self._lose_line()
            raise
        self.chunk_length = size
        self.position = 0
        return size

    def _read_size(self) -> int:
        line = self.rfile.readline(MAX_SIZE_LINE)
        size = parse_size_line(line)
        self._overhead = max(0, self._overhead + len(line) - _FREE_OVERHEAD - 2 * size)
        if self._overhead > MAX_OVERHEAD:
            raise ChunkReadError("extensions outweigh the data")
        self._announced += size
        if self.limit_bytes is not None and self._announced > self.limit_bytes:
            raise ContentTooLarge(self.limit_bytes)
        return size

    def _lose_line(self) -> None:
        """Take note that a line may have been lost when a wait for the rest was interrupted.

        Buffered files drop what they have of a line then; read on from there, half of a chunk's
        size would be another size.
        """
        if not getattr(self.rfile, "keeps_lines", False):
            self.failure = BodyInterrupted()

    def _read_trailer(self) -> None:
        left = MAX_TRAILER
        while not check_trailer_line(line := self.rfile.readline(left)):
            left -= len(line)
            if left <= 0:
                raise ChunkReadError(f"trailer over {MAX_TRAILER} bytes")

    def _pull(self, size: int) -> bytes:
        # A file of somebody else's may have no read1; nothing behind the run is asked of it.
        source: Any = self.rfile
        read = getattr(source, "read1", None) or source.read
        try:
            data = read(min(size, _PIECE_BYTES))
        except OSError as exc:
            self.failure = exc
            raise
        return self._count(data)

    def _pull_line(self, size: int) -> bytes:
        try:
            data = self.rfile.readline(min(size, _PIECE_BYTES))
        except OSError as exc:
            self.failure = exc
            raise
        except BaseException:
            self._lose_line()
            raise
        return self._count(data)

    def _count(self, data: bytes) -> bytes:
        self.position += len(data)
        if not data:
            end = self.chunk_length if self.chunked_input else self._length or 0
            self.failure = BodyTruncated(end - self.position)
            raise self.failure
        return data
