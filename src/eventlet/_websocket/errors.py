"""What can go wrong with a WebSocket, and whose fault it is."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from eventlet._errors import EventletError

__all__ = [
    "BadRequest",
    "ConnectionClosedError",
    "FailedConnectionError",
    "HandshakeFailed",
    "ProtocolError",
]


class ProtocolError(EventletError, ValueError):
    """The caller wants to send what the protocol does not allow; nothing was sent."""


class ConnectionClosedError(EventletError, BrokenPipeError):
    """The WebSocket is closed, or closing: nothing more can be sent (EPIPE).

    Attributes:
        code: the close code of the connection, 1006 when it ended without one, None while
            the closing goes on.
        reason: what came with the code.
    """

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        said = "" if code is None else f" (code {code}{', ' if reason else ''}{reason})"
        OSError.__init__(self, errno.EPIPE, f"the WebSocket is closed{said}")


class FailedConnectionError(EventletError):
    """The peer broke the protocol, or a limit; the connection has to end.

    Attributes:
        status: the close code that tells the peer.
        message: what is wrong, in words for the peer.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


class BadRequest(EventletError):
    """A request that cannot become a WebSocket; answered with its status.

    Attributes:
        status: status line, code and phrase.
        body: of the answer; None means an empty one.
        headers: more header fields for the answer, pairs (name, value).
    """

    def __init__(
        self,
        status: str = "400 Bad Request",
        body: bytes | str | None = None,
        headers: Iterable[tuple[str, str]] | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        super().__init__(status)


class HandshakeFailed(EventletError, ConnectionError):
    """The server, or the proxy before it, did not open the WebSocket.

    Attributes:
        what: what is wrong.
        status: HTTP status of the answer, None when there was none that could be read.
        headers: header fields of the answer, pairs (name, value) in their order.
    """

    def __init__(
        self,
        what: str,
        status: int | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.what = what
        self.status = status
        self.headers = list(headers)
        super().__init__(f"the WebSocket was not opened: {what}")
