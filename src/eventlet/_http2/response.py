"""A response as frames: the head that HTTP/1.1 would send, in HTTP/2's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from eventlet._http2.request_head import CONNECTION_FIELDS
from eventlet._server.response import ExcInfo, Response
from eventlet._server.response_head import InvalidResponse, ResponseStyle

__all__ = ["InterimFields", "StreamResponse", "response_fields"]

Fields = list[tuple[bytes, bytes]]

_LOWEST_FINAL: Final = 200


class Sink(Protocol):
    """What takes the frames of one stream."""

    def send_head(self, fields: Fields, is_last: bool) -> None: ...

    def send_data(self, data: bytes, is_last: bool) -> None: ...


class StreamResponse(Response):
    """The answer to one request of HTTP/2.

    The framing is that of a connection that closes: bytes as they are, cut where a length says
    so. The stream's end takes the place of the connection's.

    Attributes:
        is_ended: the client has the whole response.
    """

    is_ended = False

    def __init__(self, sink: Sink, style: ResponseStyle, method: str, body: Any) -> None:
        super().__init__(_no_bytes, style, method, 0, True, False, body)
        self._sink = sink

    def start_response(
        self,
        status: str,
        headers: Iterable[tuple[str, Any]],
        exc_info: ExcInfo | None = None,
    ) -> Any:
        """Set status and header fields; may be called again until the response has begun."""
        write = super().start_response(status, headers, exc_info)
        if self.code < _LOWEST_FINAL:
            raise InvalidResponse(f"status {status!r} is not the last one, and HTTP/2 has no 101")
        assert self._head is not None
        for name, _ in response_fields(self._head.data):
            if not name.isascii():  # RFC 9113 section 8.2.1
                raise InvalidResponse(f"HTTP/2 has no header named {name.decode('latin-1')!r}")
        return write

    def _end(self, rest: bytes, size: int | None = None) -> None:
        head = b"" if self.is_begun else self._begin(size)
        data = self._frame(rest)
        self._transmit(head, data, not self._left)
        self._finish_body()

    def _finish_body(self) -> None:
        super()._finish_body()
        if not self.is_ended and not self._left:
            self._transmit(b"", b"", True)

    def _transmit(self, head: bytes, data: bytes, is_last: bool = False) -> None:
        if not self.is_begun:
            self.is_begun = True
            self._body.headers_sent = True
        try:
            if head:
                self._sink.send_head(response_fields(head), is_last and not data)
                self.sent_bytes += len(head)
            if data or (is_last and not head):
                self._sink.send_data(data, is_last)
                self.sent_bytes += len(data)
        except Exception as exc:
            self.failure = exc
            raise
        self.is_ended = is_last


class InterimFields:
    """Let the body send `100 Continue`."""

    def __init__(self, send: Callable[[Fields, bool], object]) -> None:
        self._send = send

    def write(self, data: bytes) -> None:
        """Send an interim response, given as the bytes of HTTP/1.1."""
        self._send(response_fields(data), False)


def response_fields(head: bytes) -> Fields:
    """Turn a head of HTTP/1.1 into the fields of HTTP/2, without those of the connection.

    Source: RFC 9113 section 8.2.2, RFC 9110 section 7.6.1.
    """
    first, *lines = head.split(b"\r\n")
    status = (b":status", first.split(b" ", 2)[1])
    fields: Fields = []
    hops: set[bytes] = set()
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"connection":
            hops.update(option.strip(b" \t") for option in value.lower().split(b","))
        elif name and name not in CONNECTION_FIELDS and name != b"te":
            fields.append((name, value.strip(b" \t")))
    return [status, *(field for field in fields if field[0] not in hops)]


def _no_bytes(data: bytes) -> None:
    raise AssertionError("a stream sends frames")
