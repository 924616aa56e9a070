"""WebSockets under WSGI: an application whose handler gets the socket.

The handshake is answered on the connection's socket itself, past the WSGI server, which is told
with `already_handled` to keep its hands off. From then on nothing may reach the stream but
frames: what the handler raises goes on to the server, which logs it as any error of an
application and sends nothing.
"""

from __future__ import annotations

import errno
import ssl
import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from eventlet._websocket.closing_codes import INTERNAL_ERROR
from eventlet._websocket.connection import (
    DEFAULT_MAX_FRAME_LENGTH,
    FRAGMENT_LENGTH,
    RFC6455WebSocket,
)
from eventlet._websocket.errors import BadRequest
from eventlet._websocket.handshake import Handshake, check_request
from eventlet._websocket.keepalive import check_seconds
from eventlet.timeout import Timeout
from eventlet.wsgi import WSGI_LOCAL

__all__ = ["WebSocketWSGI"]

SWITCHING_PROTOCOLS: Final = 101
FAILED_SECONDS: Final = 1.0  # for closing behind a handler that failed: its error waits for that

_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN}
"""What a client that went away makes a socket raise."""

_NO_SOCKET = (
    "this WSGI server does not hand out the connection's socket, which a WebSocket needs; "
    "serve the application with eventlet.wsgi, or with eventlet's worker for gunicorn"
)

Handler = Callable[[RFC6455WebSocket], Any]


class WebSocketWSGI:
    """A WSGI application, or the decorator that makes one of a handler of WebSockets.

        @websocket.WebSocketWSGI
        def echo(ws):
            for message in ws:
                ws.send(message)

    The WebSocket is closed when the handler returns. When it raises, the peer is told (close
    code 1011) and the server logs the traceback; that the client has gone is no error. When the
    server stops, the peer gets code 1001, and the handler comes to the end of its messages.

    Args:
        handler: gets one WebSocket for each request.
        max_frame_length: bytes that a frame or message may have, inflated too.

    Attributes:
        handler, max_frame_length: as given.
        protocol_version: None; kept for programs that read it.
        support_legacy_versions: False.
        supported_protocols: sub-protocols that may be chosen.
        origin_checker: called with (host, origin), tells whether a request is welcome.
        ping_interval: seconds of silence after which the peer is pinged; None never.
        ping_timeout: seconds that it has to answer.
        max_queue: messages that `send` may leave behind for a peer that reads slowly.
    """

    def __init__(
        self, handler: Handler | None, max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH
    ) -> None:
        self.handler = handler
        self.protocol_version: int | None = None
        self.support_legacy_versions = False
        self.supported_protocols: Collection[str] = []
        self.origin_checker: Callable[[str | None, str], Any] | None = None
        self.max_frame_length = max_frame_length
        self.ping_interval: float | None = None
        self.ping_timeout = 20.0
        self.max_queue = 0

    @classmethod
    def configured(
        cls,
        handler: Handler | None = None,
        supported_protocols: Collection[str] | None = None,
        origin_checker: Callable[[str | None, str], Any] | None = None,
        support_legacy_versions: bool = False,
        max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
        *,
        ping_interval: float | None = None,
        ping_timeout: float = 20.0,
        max_queue: int = 0,
    ) -> Any:
        """Make the application with options; without a handler, make the decorator.

        Args:
            handler: gets the WebSockets.
            supported_protocols: sub-protocols that may be chosen; the client's order counts.
            origin_checker: called with the fields Host and Origin, the latter empty where the
                client does not send it, as those that are no browsers; a request that it finds
                false is answered with 403.
            support_legacy_versions: deprecated and without effect: those drafts are gone.
            max_frame_length: bytes that a frame or message may have.
            ping_interval: seconds of silence after which the peer is pinged; None never.
            ping_timeout: seconds that it has to answer; then the connection ends.
            max_queue: messages that `send` may leave behind for a peer that reads slowly.

        Raises:
            ValueError: seconds that are not positive.
        """
        check_seconds(ping_interval, ping_timeout)
        if support_legacy_versions:
            warnings.warn(
                "support_legacy_versions has no effect: the WebSocket drafts from before "
                "RFC 6455 are gone, and every browser since 2012 speaks version 13",
                DeprecationWarning,
                stacklevel=2,
            )

        def decorate(handler: Handler) -> WebSocketWSGI:
            app = cls(handler, max_frame_length)
            app.supported_protocols = supported_protocols or []
            app.origin_checker = origin_checker
            app.ping_interval = ping_interval
            app.ping_timeout = ping_timeout
            app.max_queue = max_queue
            return app

        return decorate if handler is None else decorate(handler)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes | str]:
        """Answer one request, and serve its WebSocket until it is closed.

        Raises:
            Exception, Timeout: what the handler has raised; the stream has ended.
        """
        try:
            handshake = check_request(environ, self.supported_protocols, self.origin_checker)
        except BadRequest as exc:
            start_response(exc.status, [("Connection", "close"), *(exc.headers or ())])
            return [exc.body or b""]
        sock, received = _take_socket(environ)
        # From here on the server must not write, whatever happens.
        WSGI_LOCAL.already_handled = True
        ws = self._make(sock, environ, handshake, received)
        answer = handshake.to_response()
        try:
            _send_answer(sock, answer, environ)
            if "eventlet.on_stop" in environ:
                environ["eventlet.on_stop"](ws.go_away)
            if "eventlet.set_idle" in environ:
                environ["eventlet.set_idle"]()
            ws.keep_alive(self.ping_interval, self.ping_timeout)
            self._serve(ws, environ)
        except OSError as exc:
            if exc.errno not in _GONE:
                raise
        finally:
            ws.abandon()
            # A handler may have served other requests in this green thread.
            WSGI_LOCAL.already_handled = True
            WSGI_LOCAL.handled_status = SWITCHING_PROTOCOLS
            WSGI_LOCAL.handled_bytes = len(answer) + ws.sent_bytes
        return []

    def _make(
        self, sock: Any, environ: dict[str, Any], handshake: Handshake, received: bytes
    ) -> RFC6455WebSocket:
        deflate = handshake.deflate
        ws = RFC6455WebSocket(
            sock,
            environ,
            handshake.version,
            handshake.protocol,
            extensions=None if deflate is None else deflate.to_extensions(),
            max_frame_length=self.max_frame_length,
            max_queue=self.max_queue,
            received=received,
        )
        ws.fragment_length = FRAGMENT_LENGTH
        return ws

    def _serve(self, ws: RFC6455WebSocket, environ: dict[str, Any]) -> None:
        """Call the handler and close behind it."""
        assert self.handler is not None, "WebSocketWSGI was made without a handler"
        try:
            self.handler(ws)
        except (Exception, Timeout) as exc:
            if exc is ws.failure:
                _blame_client(exc, environ)
            ws.close_timeout = min(ws.close_timeout, FAILED_SECONDS)
            ws.close((INTERNAL_ERROR, ""))
            raise
        ws.close()


def _send_answer(sock: Any, answer: bytes, environ: dict[str, Any]) -> None:
    try:
        sock.sendall(answer)
    except OSError as exc:
        _blame_client(exc, environ)
        raise


def _blame_client(exc: BaseException, environ: dict[str, Any]) -> None:
    """Have the server treat an error of the connection as it does while it reads a body."""
    body: Any = environ.get("eventlet.input")
    if hasattr(body, "failure"):
        body.failure = exc


def _take_socket(environ: dict[str, Any]) -> tuple[Any, bytes]:
    """Find the socket of a request, and what was received of it beyond the head."""
    body = environ.get("eventlet.input")
    if body is None:
        if "gunicorn.socket" not in environ:
            raise RuntimeError(_NO_SOCKET)
        return environ["gunicorn.socket"], b""
    sock = body.get_socket()
    file = getattr(body, "rfile", None)
    peek = getattr(file, "peek", None)
    if file is None or peek is None:
        return sock, b""  # nothing is buffered
    # Buffered files read when they are asked to show what they have: they must not wait.
    timeout = sock.gettimeout()
    sock.settimeout(0.0)
    try:
        received = bytes(peek())
        if received:
            file.read1(len(received))
    except (BlockingIOError, ssl.SSLWantReadError):
        received = b""
    finally:
        sock.settimeout(timeout)
    return sock, received
