"""One response: `start_response`, `write`, and the body in the framing the head announced.

Theory of operation
-------------------
`start_response` checks the application's status and fields and keeps their bytes. The head goes
out with the first bytes of the body, or at the end when there are none; that is when the
framing is decided, once:

    NONE      HEAD, 1xx, 204, 304, CONNECT answered with 2xx: body bytes are dropped
    LENGTH    a length is known, named by the application or counted: cut there, and a shorter
              body closes the connection
    CHUNKED   HTTP/1.1 without a length; one terminator at the end, none after an error
    CLOSE     HTTP/1.0 without a length: the end of the connection is the end of the body

Until the head is out everything can be taken back, which is what makes a clean 500 possible;
so small pieces are gathered up to `minimum_chunk_size` bytes. `write` sends at once, as PEP 3333
has it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol

from eventlet._protocols.chunked import LAST_CHUNK, encode_chunk
from eventlet._server.file_wrapper import FilePart, find_part
from eventlet._server.response_head import AppHead, InvalidResponse, ResponseStyle, date_line
from eventlet._server.takeover import Taken

__all__ = ["DRAIN_BYTES", "Response"]

# What the length of a body means on the wire; see above.
_UNDECIDED, _NONE, _BY_LENGTH, _CHUNKED, _BY_CLOSE = range(5)

DRAIN_BYTES = 1024 * 1024  # of an unread body, to be able to use the connection again

_COPY_BYTES = 1024 * 1024  # bodies up to this size are joined of their pieces
_JOIN_BYTES = 65536  # bodies up to this size are sent together with the head
_CHARSET = re.compile(r';[\t ]*charset[\t ]*=[\t ]*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_CLOSE_LINE = b"Connection: close\r\n"

# The file system, or the kind of socket, knows nothing of sendfile(2).
_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class RequestBody(Protocol):
    """What a response has to do with the body of its request."""

    headers_sent: bool
    content_length: int | None
    position: int
    failure: Exception | None

    def is_held_back(self) -> bool: ...


class Response:
    """The answer to one request.

    Args:
        sendall: sends bytes to the client.
        style: what is the same for the whole connection.
        method: of the request.
        minor: minor version of the request.
        keep_alive: the connection shall be used again, as far as the request goes.
        echoes_keep_alive: the client sent a Connection field and expects one.
        body: of the request; told once the response has begun. If the client holds it back
            even then, it may or may not send it, and the connection closes.

    Attributes:
        is_begun: response bytes have gone out; nothing can be taken back.
        keep_alive: whether the connection can be used again; final when the response is.
        sent_bytes: everything sent for this request.
        failure: the error of the socket that ended sending, None if there was none.
        complaint: what is wrong with the application's body, None if nothing is.
    """

    # What most responses never change stays on the class.
    is_begun = False
    sent_bytes = 0
    failure: Exception | None = None
    complaint: str | None = None
    _head: AppHead | None = None
    _code_without_head = 500
    _framing = _UNDECIDED
    _is_over = False
    _left = 0

    def __init__(
        self,
        sendall: Callable[[bytes], Any],
        style: ResponseStyle,
        method: str,
        minor: int,
        keep_alive: bool,
        echoes_keep_alive: bool,
        body: RequestBody,
    ) -> None:
        self._sendall = sendall
        self._style = style
        self._method = method
        self._minor = minor
        self.keep_alive = keep_alive
        self._echoes_keep_alive = echoes_keep_alive
        self._body = body

    # --- what the application calls ---------------------------------------------------

    def start_response(
        self,
        status: str,
        response_headers: Iterable[tuple[str, Any]],
        exc_info: ExcInfo | None = None,
    ) -> Any:
        """Set status and header fields; may be called again until the response has begun.

        Raises:
            InvalidResponse: they cannot be sent.
            AssertionError: the response has begun and no `exc_info` was given; with it, that
                exception is raised again.
        """
        if self.is_begun:
            if exc_info is None:
                raise AssertionError("start_response called again after the response has begun")
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        self._head = self._style.make_head(status, response_headers)
        return self.write

    def write(self, data: bytes | str) -> None:
        """Send a piece of the body at once.

        Raises:
            AssertionError: `start_response` was not called, or the response is over.
            OSError: the client is gone.
        """
        self._started()
        if self._is_over:
            raise AssertionError("the response is over: write was called too late")
        data = self._encode(data)
        if data:
            self._send(data)

    # --- what the connection calls -----------------------------------------------------

    def send_sized(self, result: Iterable[bytes | str]) -> None:
        """Send a body that is all there, with its length.

        Raises:
            AssertionError: `start_response` was not called.
            InvalidResponse: a piece cannot be sent.
            OSError: the client is gone.
        """
        self._started()
        if type(result) is list and len(result) == 1:
            body = result[0]
            if type(body) is not bytes:
                body = self._encode(body)
        elif isinstance(result, (bytes, str)):
            body = self._encode(result)
        else:
            pieces = [piece if type(piece) is bytes else self._encode(piece) for piece in result]
            if sum(map(len, pieces)) > _COPY_BYTES:
                self._send_pieces(pieces)
                return
            body = b"".join(pieces)
        self._end(body, len(body))

    def _send_pieces(self, pieces: list[bytes]) -> None:
        """Send a body that is all there, but too much to be held a second time."""
        head = b"" if self.is_begun else self._begin_last(sum(map(len, pieces)))
        batch: list[bytes] = []
        size = 0
        for piece in pieces:
            batch.append(piece)
            size += len(piece)
            if size >= _JOIN_BYTES:
                self._transmit(head, self._frame(piece if len(batch) == 1 else b"".join(batch)))
                head = b""
                batch.clear()
                size = 0
        self._end(b"".join(batch))

    def send_streamed(self, result: Iterable[bytes | str], minimum: int) -> bytes:
        """Send a body piece by piece as it is made.

        Args:
            result: the pieces.
            minimum: bytes to gather before anything is sent; 0 or 1 sends each piece.

        Returns:
            What was gathered and not sent; `finish` takes it.

        Raises:
            AssertionError, InvalidResponse, OSError: as `send_sized` does.
        """
        gathered: list[bytes] = []
        size = 0
        for piece in result:
            data = piece if type(piece) is bytes else self._encode(piece)
            if not data:
                continue
            self._started()
            gathered.append(data)
            size += len(data)
            if size >= minimum:
                self._send(data if len(gathered) == 1 else b"".join(gathered))
                gathered.clear()
                size = 0
                if self._framing == _NONE or self.complaint is not None:
                    break  # the client gets nothing more, however long it goes on
        return b"".join(gathered)

    def send_file(self, file: Any, sendfile: Callable[[Any, int, int], int] | None) -> bool:
        """Send what is left of a file as the whole body.

        Args:
            file: as the application gave it.
            sendfile: sends `(file, offset, count)` and tells how much; None to read it.

        Returns:
            False where it is no file of a known length, or the body has begun; then nothing
            was done.

        Raises:
            AssertionError: `start_response` was not called.
            OSError: the client is gone.
        """
        part = None if self.is_begun else find_part(file)
        if part is None:
            return False
        head = self._begin_last(part.size)
        count = 0 if self._framing == _NONE else min(part.size, self._left)
        if sendfile is not None and count > _JOIN_BYTES:
            self._transmit(head, b"")
            head = b""
            count -= self._send_part(sendfile, part, count)
        while count and (data := file.read(min(count, _JOIN_BYTES))):
            self._transmit(head, self._frame(data))
            head = b""
            count -= len(data)
        if head:
            self._transmit(head, b"")
        self._finish_body()
        return True

    def _send_part(
        self, sendfile: Callable[[Any, int, int], int], part: FilePart, count: int
    ) -> int:
        """Send a part of a file without reading it; 0 where its file system cannot."""
        try:
            sent = sendfile(part.file, part.offset, count)
        except OSError as exc:
            if exc.errno in _NO_SENDFILE:
                part.file.seek(part.offset)
                return 0
            self.failure = exc
            raise
        self.sent_bytes += sent
        self._left -= sent
        return sent

    def finish(self, rest: bytes) -> None:
        """Send what is left and end the body; sends the head if there was no body at all."""
        self._started()
        self._end(rest)

    def send_error(self, status: str, body: bytes) -> None:
        """Answer with plain text instead of what the application began; closes afterwards.

        The response must not have begun.
        """
        self.keep_alive = False
        kind = "text/plain" if body.isascii() else "text/plain; charset=utf-8"
        self.start_response(status, [("Content-Type", kind)])
        self.send_sized([body])

    def leave_to_application(self, taken: Taken, is_upgrade: bool) -> None:
        """Send nothing more: the application has taken the connection over.

        Args:
            taken: what it says of its answer; where it does not, `start_response` counts.
            is_upgrade: the client asked for another protocol.
        """
        self.is_begun = True
        self.keep_alive = False
        self.sent_bytes += taken.sent_bytes
        self._code_without_head = taken.status or (101 if is_upgrade else 200)
        if taken.status is not None:
            self._head = None

    @property
    def code(self) -> int:
        """The status code; where none was given, what the log shall say."""
        return self._code_without_head if self._head is None else self._head.code

    # --- the head ------------------------------------------------------------------------

    def _started(self) -> AppHead:
        if self._head is None:
            raise AssertionError("the application sent a body before it called start_response")
        return self._head

    def _begin(self, size: int | None) -> bytes:
        """Decide the framing and give the whole head.

        Args:
            size: bytes of the whole body, None when it is not known.
        """
        head = self._started()
        code, length, data = head.code, head.length, head.data
        rest = b"" if head.has_date else date_line()
        if code < 200 or code == 204 or code == 304 or self._drops_body(code):
            self._framing = _NONE
            if code == 101:
                self.keep_alive = False  # what follows is not HTTP
        elif length is not None:
            self._framing = _BY_LENGTH
            self._left = length
        elif size is not None:
            self._framing = _BY_LENGTH
            self._left = size
            data += b"Content-Length: %d\r\n" % size
        elif self._minor >= 1 and self._style.may_chunk:
            self._framing = _CHUNKED
            rest += b"Transfer-Encoding: chunked\r\n"
        else:
            self._framing = _BY_CLOSE
            self.keep_alive = False
        if self._body.is_held_back():
            self.keep_alive = False
        if head.closes:
            self.keep_alive = False
        elif not self.keep_alive:
            rest += _CLOSE_LINE
        elif self._echoes_keep_alive and not head.names_connection:
            rest += self._style.keep_alive_lines
        return data + rest + b"\r\n"

    def _begin_last(self, size: int | None) -> bytes:
        """Give the whole head where the application has done all it will do.

        What it has left of the request decides whether the connection can be used again.
        """
        body = self._body
        if body.content_length and (
            body.failure is not None or body.content_length - body.position > DRAIN_BYTES
        ):
            self.keep_alive = False
        return self._begin(size)

    def _drops_body(self, code: int) -> bool:
        return self._method == "HEAD" or (self._method == "CONNECT" and code < 300)

    # --- the body -------------------------------------------------------------------------

    def _encode(self, piece: Any) -> bytes:
        if isinstance(piece, bytes):
            return piece
        if isinstance(piece, str):
            return piece.encode(self._find_charset())
        if isinstance(piece, (bytearray, memoryview)):
            return bytes(piece)
        raise InvalidResponse(f"a body is made of bytes, not {type(piece).__name__}")

    def _find_charset(self) -> str:
        match = _CHARSET.search(self._started().content_type)
        return (match[1] or match[2]) if match else "utf-8"

    def _frame(self, data: bytes) -> bytes:
        """Cut or wrap one piece of the body for the wire."""
        if self._framing == _BY_LENGTH:
            if len(data) > self._left:
                self.complaint = "the body is longer than its Content-Length"
                data = data[: self._left]
            self._left -= len(data)
            return data
        if self._framing == _CHUNKED:
            return encode_chunk(data)
        return b"" if self._framing == _NONE else data

    def _send(self, data: bytes) -> None:
        head = b"" if self.is_begun else self._begin(None)
        self._transmit(head, self._frame(data))

    def _end(self, rest: bytes, size: int | None = None) -> None:
        """Send the rest with the end of the body; `size` is that of the whole, if known."""
        if self.is_begun:
            head = b""
        else:
            head = self._begin_last(size) if self._body.content_length else self._begin(size)
        if self._framing == _BY_LENGTH and len(rest) == self._left:
            self._left = 0
            data = rest
        else:
            data = self._frame(rest)
            if self._framing == _CHUNKED:
                data += LAST_CHUNK
        self._transmit(head, data)
        self._finish_body()

    def _finish_body(self) -> None:
        self._is_over = True
        if self._left:
            self.complaint = f"the body is {self._left} bytes shorter than its Content-Length"
        if self.complaint is not None:
            self.keep_alive = False

    def _transmit(self, head: bytes, data: bytes) -> None:
        """Send the head, if any, and a piece of the body, in one call when they are small."""
        if not self.is_begun:
            self.is_begun = True
            self._body.headers_sent = True
        try:
            if len(data) <= _JOIN_BYTES:
                data = head + data
            elif head:
                self._sendall(head)
                self.sent_bytes += len(head)
            if data:
                self._sendall(data)
        except Exception as exc:
            self.failure = exc
            raise
        self.sent_bytes += len(data)
