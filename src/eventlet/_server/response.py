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

import re
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Protocol

from eventlet._protocols.chunked import LAST_CHUNK, encode_chunk
from eventlet._server.response_head import (
    CODING,
    CONNECTION,
    DATE,
    LENGTH,
    PLAIN,
    TYPE,
    InvalidResponse,
    check_head,
    date_line,
    field_label,
    field_value,
    status_line,
)

__all__ = ["Response", "ResponseStyle", "SendingSocket"]

# What the length of a body means on the wire; see above.
_UNDECIDED, _NONE, _BY_LENGTH, _CHUNKED, _BY_CLOSE = range(5)

_JOIN_BYTES = 65536  # bodies up to this size are sent together with the head
_CHARSET = re.compile(r';[\t ]*charset[\t ]*=[\t ]*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_CLOSE_LINE = b"Connection: close\r\n"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class SendingSocket(Protocol):
    """What a connection's socket must do to be written to."""

    def sendall(self, data: bytes, /) -> Any: ...


class BeginNotice(Protocol):
    """Who wants to know that response bytes have gone out."""

    headers_sent: bool


class ResponseStyle:
    """What all responses of one connection have in common.

    Attributes:
        version: of the status line, such as `HTTP/1.1`.
        may_chunk: that version knows chunked bodies.
        capitalize: capitalise header names.
        keep_alive_lines: what to say to a client that asked to keep the connection.
    """

    __slots__ = ("capitalize", "keep_alive_lines", "may_chunk", "version")

    def __init__(self, version: str, capitalize: bool, keep_alive_seconds: float | None) -> None:
        self.version = version
        self.may_chunk = version != "HTTP/1.0"
        self.capitalize = capitalize
        self.keep_alive_lines = b"Connection: keep-alive\r\n"
        if keep_alive_seconds is not None and keep_alive_seconds >= 1:
            self.keep_alive_lines += b"Keep-Alive: timeout=%d\r\n" % keep_alive_seconds


class Response:
    """The answer to one request.

    Args:
        sock: where it goes.
        style: what is the same for the whole connection.
        method: of the request.
        minor: minor version of the request.
        keep_alive: the connection shall be used again, as far as the request goes.
        echoes_keep_alive: the client sent a Connection field and expects one.
        notice: told once the response has begun.

    Attributes:
        code: the status code, 0 before `start_response`.
        is_begun: response bytes have gone out; nothing can be taken back.
        keep_alive: whether the connection can be used again; final when the response is.
        sent_bytes: everything sent for this request.
        failure: the error of the socket that ended sending, None if there was none.
        complaint: what is wrong with the application's body, None if nothing is.
    """

    # What most responses never change stays on the class.
    code = 0
    is_begun = False
    sent_bytes = 0
    failure: Exception | None = None
    complaint: str | None = None
    _app_head: bytes | None = None
    _framing = _UNDECIDED
    _left = 0
    _charset: str | None = None

    def __init__(
        self,
        sock: SendingSocket,
        style: ResponseStyle,
        method: str,
        minor: int,
        keep_alive: bool,
        echoes_keep_alive: bool,
        notice: BeginNotice,
    ) -> None:
        self._sendall = sock.sendall
        self._style = style
        self._method = method
        self._minor = minor
        self.keep_alive = keep_alive
        self._echoes_keep_alive = echoes_keep_alive
        self._notice = notice

    # --- what the application calls ---------------------------------------------------

    def start_response(
        self,
        status: str,
        headers: Iterable[tuple[str, Any]],
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
        self._content_type = ""
        self._charset = None
        self._length: int | None = None
        self._has_date = self._closes = self._names_connection = False
        line, self.code = status_line(self._style.version, status)
        lines = [line]
        capitalize = self._style.capitalize
        for name, value in headers:
            label, kind = field_label(name, capitalize)
            if type(value) is not str:
                value = field_value(name, value)
            if kind == TYPE:
                self._content_type = value
            elif kind != PLAIN and not self._keep_field(kind, value):
                continue
            lines.append(f"{label}: {value}")
        self._app_head = check_head(lines)
        return self.write

    def write(self, data: bytes | str) -> None:
        """Send a piece of the body at once.

        Raises:
            AssertionError: `start_response` was not called.
            OSError: the client is gone.
        """
        self._require_start()
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
        if isinstance(result, (bytes, str)):
            result = (result,)
        pieces = [piece if type(piece) is bytes else self._encode(piece) for piece in result]
        self._require_start()
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._end(body, len(body))

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
            self._require_start()
            gathered.append(data)
            size += len(data)
            if size >= minimum:
                self._send(data if len(gathered) == 1 else b"".join(gathered))
                gathered.clear()
                size = 0
        return b"".join(gathered)

    def finish(self, rest: bytes) -> None:
        """Send what is left and end the body; sends the head if there was no body at all."""
        self._require_start()
        self._end(rest)

    def send_error(self, status: str, body: bytes) -> None:
        """Answer with plain text instead of what the application began; closes afterwards.

        The response must not have begun.
        """
        self.keep_alive = False
        self._framing = _UNDECIDED
        self.start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        self.send_sized([body])

    # --- the head ------------------------------------------------------------------------

    def _keep_field(self, kind: int, value: str) -> bool:
        """Take note of a field that concerns us; tell whether to send it as it is."""
        if kind == DATE:
            self._has_date = True
        elif kind == LENGTH:
            return self._note_length(value)
        elif kind == CONNECTION:
            options = {option.strip(" \t").lower() for option in value.split(",")}
            self._closes = self._closes or "close" in options
            self._names_connection = True
        elif kind == CODING:
            if value.strip().lower() not in ("chunked", "identity"):
                raise InvalidResponse(
                    f"Transfer-Encoding {value!r}: that is the server's to choose"
                )
            return False
        return True

    def _note_length(self, value: str) -> bool:
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise InvalidResponse(f"Content-Length {value!r} is not a number of bytes")
        length = int(value)
        if self._length is not None and self._length != length:
            raise InvalidResponse(f"Content-Length {value!r} differs from the one before it")
        is_first = self._length is None
        self._length = length
        # A response without a body by its status may not have one (RFC 9110 8.6).
        return is_first and self.code >= 200 and self.code != 204

    def _require_start(self) -> None:
        if self._app_head is None:
            raise AssertionError("the application sent a body before it called start_response")

    def _begin(self, size: int | None) -> bytes:
        """Decide the framing and give the whole head.

        Args:
            size: bytes of the whole body, None when it is not known.
        """
        head = self._app_head
        assert head is not None
        code = self.code
        date = b"" if self._has_date else date_line()
        if code < 200 or code == 204 or code == 304 or self._drops_body(code):
            self._framing = _NONE
            if code == 101:
                self.keep_alive = False  # what follows is not HTTP
        elif self._length is not None:
            self._framing = _BY_LENGTH
            self._left = self._length
        elif size is not None:
            self._framing = _BY_LENGTH
            self._left = size
            head += b"Content-Length: %d\r\n" % size
        elif self._minor >= 1 and self._style.may_chunk:
            self._framing = _CHUNKED
            date += b"Transfer-Encoding: chunked\r\n"
        else:
            self._framing = _BY_CLOSE
            self.keep_alive = False
        if self._closes:
            self.keep_alive = False
        elif not self.keep_alive:
            date += _CLOSE_LINE
        elif self._echoes_keep_alive and not self._names_connection:
            date += self._style.keep_alive_lines
        return head + date + b"\r\n"

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
        self._require_start()
        if self._charset is None:
            match = _CHARSET.search(self._content_type)
            self._charset = (match[1] or match[2]) if match else "utf-8"
        return self._charset

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
        head = b"" if self.is_begun else self._begin(size)
        data = self._frame(rest)
        if self._framing == _CHUNKED:
            data += LAST_CHUNK
        self._transmit(head, data)
        if self._framing == _BY_LENGTH and self._left:
            self.complaint = f"the body is {self._left} bytes shorter than its Content-Length"
        if self.complaint is not None:
            self.keep_alive = False

    def _transmit(self, head: bytes, data: bytes) -> None:
        """Send the head, if any, and a piece of the body, in one call when they are small."""
        if not self.is_begun:
            self.is_begun = True
            self._notice.headers_sent = True
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
