"""Serve one connection: request after request, until one side has had enough.

Theory of operation
-------------------
A connection is *idle* while it waits for a request (and while it gets rid of what a request
left behind), *request* while one is served, and *close* once the server wants it to end; *last*
is idle with the right to one more request. The state lives in the list `[address, socket, state]`
that the listener shares with us: on stop the listener sets *close*, or *last* where the client
has only just come or been answered, and shuts down the sockets that were idle for longer; we look
at it whenever we would wait for another request. Where the stop came when a response had already
promised to keep the connection, *close* becomes *last*: the promise is good for one request.

This is the fast path: it reads whole heads. `classic` reads line by line, where a subclass of
`HttpProtocol` wants to. Both come to one verdict over one head, and answer alike (`answering`).
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
from collections.abc import Callable
from functools import partial
from typing import Any

from eventlet._protocols.chunked import ChunkReadError, check_beginning
from eventlet._protocols.http1 import HeaderFields, HeadParser, RequestLine, split_list
from eventlet._protocols.refusals import BadRequest, ContentTooLarge, RequestRefused
from eventlet._server.activity import LAST_SECONDS
from eventlet._server.answering import (
    STATE_CLOSE,
    STATE_IDLE,
    STATE_LAST,
    STATE_REQUEST,
    Answering,
    ServerSettings,
    set_aside,
    set_idle,
)
from eventlet._server.closing import end_tls, linger
from eventlet._server.environ import (
    Environ,
    connection_environ,
    fields_environ,
    is_tls,
    request_environ,
)
from eventlet._server.patience import WINDOW_BYTES, Patience, shorter
from eventlet._server.request_body import CONTINUE_LINE, Input
from eventlet._server.request_stream import RequestStream
from eventlet._server.request_target import RequestTarget, split_target
from eventlet._server.response import Response
from eventlet._server.response_head import ResponseStyle
from eventlet._unpatched import monotonic
from eventlet.timeout import Timeout

__all__ = [
    "STATE_CLOSE",
    "STATE_IDLE",
    "STATE_LAST",
    "STATE_REQUEST",
    "Connection",
    "ServerSettings",
    "end_gracefully",
    "prepare_socket",
    "shake_hands",
    "waits_for_continue",
]

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# A response goes out as it is written, a request is acknowledged as it comes. What the client is
# not ready for stays with us: the kernel would copy megabytes at once, and keep them.
_TCP_OPTIONS = [
    (getattr(stdlib_socket, name), value)
    for name, value in (
        ("TCP_NODELAY", 1),
        ("TCP_QUICKACK", 1),
        ("TCP_NOTSENT_LOWAT", 1024 * 1024),
    )
    if hasattr(stdlib_socket, name)
]
# The kernel asks for more when half of this is gone. Where each window has a deadline, it is two
# of them, so who takes one in time is never taken for one who does not. Large responses then cost
# more turns, about 50 microseconds for a megabyte.
_WINDOW_OPTIONS = [(option, min(value, 2 * WINDOW_BYTES)) for option, value in _TCP_OPTIONS]


class Connection(Answering):
    """One client's connection.

    Args:
        conn_state: the list `[address, socket, state]` shared with the listener.
        server: whose connection it is.
        is_lenient: as for `HeadParser`.
    """

    def __init__(
        self, conn_state: list[Any], server: ServerSettings, is_lenient: bool = False
    ) -> None:
        super().__init__(conn_state, server)
        self._is_lenient = is_lenient

    def handle(self) -> None:
        """Serve the connection until it ends, and close it."""
        try:
            if self._set_up():
                if self.server.http2 is None or not self._serve_http2():
                    while self._serve_next():
                        pass
                set_idle(self.conn_state)
                end_gracefully(self)
        finally:
            self.socket.close()

    def _set_up(self) -> bool:
        server, sock = self.server, self.socket
        limits = server.limits
        try:
            shake_hands(sock, limits.head_timeout, server.socket_timeout)
            prepare_socket(sock, server)
            self._environ = connection_environ(
                server.get_environ(),
                sock,
                self.client_address,
                partial(set_aside, self.conn_state, self.activity),
                self.call_on_stop,
            )
        except OSError as exc:
            self.debug(f"gone before the first request: {exc}")
            return False
        self._style, idle = make_style(server)
        self._keeps_alive = bool(server.keepalive) and self._style.may_chunk
        self._parser = HeadParser(self._is_lenient, limits.header_count, limits.requires_host)
        self._fields: HeaderFields | None = None
        self._fields_environ: Environ = {}
        self._patience = Patience(sock, limits, server.socket_timeout, idle)
        self._sendall = self._patience.sendall
        if not is_tls(sock) and hasattr(sock, "sendfile"):
            self.sendfile = self._patience.sendfile
        self._is_plain = self._patience.is_plain and limits.body_bytes is None
        self._stream = RequestStream(sock, server.get_head_limits(), self._patience, self.activity)
        return True

    def _serve_http2(self) -> bool:
        """Serve the whole connection if the client speaks HTTP/2; else tell so."""
        assert self.server.http2 is not None
        if self.conn_state[2] == STATE_CLOSE:
            return False
        try:
            if is_tls(self.socket):
                if self.socket.selected_alpn_protocol() != "h2":
                    return False
            elif not self._stream.begins_with(HTTP2_PREFACE):
                return False
        except TimeoutError:
            self.debug("timed out")
            return True
        except OSError as exc:
            self.debug(f"failed before the first request ({exc})")
            self.may_hear_more = False
            return True
        self.server.http2(self, self._environ, self._stream.peek())
        return True

    # --- one request ------------------------------------------------------------------------

    def _serve_next(self) -> bool:
        """Wait for one request and answer it; tell whether there may be another."""
        state = self.conn_state[2]
        if state == STATE_REQUEST:
            self.conn_state[2] = STATE_IDLE
        elif state == STATE_CLOSE:
            return False
        self.activity.last = monotonic()
        request = self._read_request() if state != STATE_LAST else self._read_last_request()
        if request is None:
            return False
        line, fields, target = request
        body = self._make_body(line, fields)
        client_keeps = not fields.closes and (line.minor == 1 or fields.keeps)
        response = Response(
            self._sendall,
            self._style,
            line.method,
            line.minor,
            client_keeps and self._keeps_alive,
            fields.closes or fields.keeps,
            body,
        )
        if fields is not self._fields:
            self._fields = fields
            self._fields_environ = fields_environ(self._environ, fields)
        environ = request_environ(self._fields_environ, line, target, body)
        self.answer(line, fields, environ, body, response)
        if response.keep_alive:
            return self.may_have_next(response, body)
        if self._stream.peek():
            return False
        if body.is_held_back():
            self.is_silent = True
        elif not client_keeps and body.is_at_end():
            self.may_hear_more = False
        return False

    def _read_request(self) -> tuple[RequestLine, HeaderFields, RequestTarget] | None:
        raw = b""
        try:
            raw = self._stream.read_head()
            if not raw:
                self.may_hear_more = False
                return None
            if self.conn_state[2] == STATE_IDLE:
                self.conn_state[2] = STATE_REQUEST
            else:
                self.conn_state[2] = STATE_CLOSE
                self._keeps_alive = False
            line, fields = self._parser.parse(raw)
            target = split_target(line.method, line.target)
            if fields.is_chunked:
                check_beginning(self._stream.peek())
            elif fields.content_length and not self._is_plain:
                check_length(fields.content_length, self.server.limits.body_bytes)
            return line, fields, target
        except RequestRefused as exc:
            self.refuse(exc, raw or self._stream.peek(), self._sendall)
        except ChunkReadError as exc:
            self.refuse(BadRequest(exc.detail), raw, self._sendall)
        except TimeoutError:
            self.debug("timed out")
        except OSError as exc:
            self.debug(f"failed between requests ({exc})")
            self.may_hear_more = False
        return None

    def _read_last_request(self) -> tuple[RequestLine, HeaderFields, RequestTarget] | None:
        with Timeout(LAST_SECONDS, TimeoutError("the server ends")):
            return self._read_request()

    def _make_body(self, line: RequestLine, fields: HeaderFields) -> Input:
        if "HTTP_EXPECT" in fields.variables and waits_for_continue(fields, line.minor):
            body = Input(
                self._stream,
                fields.content_length,
                self.socket,
                InterimWriter(self._sendall),
                CONTINUE_LINE,
                fields.is_chunked,
            )
        else:
            body = Input(
                self._stream, fields.content_length, self.socket, None, None, fields.is_chunked
            )
        if not self._is_plain:
            body.limit_bytes = self.server.limits.body_bytes
            body.lend = self._patience.release
            self._patience.begin_body()
        return body


class InterimWriter:
    """Let the body send `100 Continue`."""

    def __init__(self, sendall: Callable[[bytes], Any]) -> None:
        self.write = sendall


def make_style(server: ServerSettings) -> tuple[ResponseStyle, float | None]:
    """Give the style of a connection's responses, and what `keepalive` says of its idle time."""
    keepalive = server.keepalive
    is_number = keepalive and not isinstance(keepalive, bool)
    idle = float(keepalive) if is_number else None
    style = ResponseStyle(server.max_http_version, server.capitalize_response_headers, idle)
    return style, idle


def waits_for_continue(fields: HeaderFields, minor: int) -> bool:
    """Tell whether the client expects `100 Continue`; what else it expects is ignored."""
    expects = fields.variables.get("HTTP_EXPECT")
    return expects is not None and minor == 1 and "100-continue" in split_list(expects)


def check_length(length: int, limit_bytes: int | None) -> None:
    """Refuse a body for its announced length.

    Raises:
        ContentTooLarge: it is over the limit.
    """
    if limit_bytes is not None and length > limit_bytes:
        raise ContentTooLarge(limit_bytes)


# --- beginning and end ----------------------------------------------------------------------


def shake_hands(sock: Any, timeout: float | None, standing: float | None) -> None:
    """Do the TLS handshake, if any, here: a silent client holds up nobody else.

    Args:
        sock: the connection's.
        timeout: seconds for all of it, None for ever.
        standing: the time-out that the socket has otherwise.

    Raises:
        OSError: it failed, or took too long.
    """
    if not is_tls(sock):
        return
    sock.settimeout(shorter(timeout, standing))
    try:
        sock.do_handshake()
    except ValueError as exc:  # a server that stops has shut the socket down: that ends its TLS
        raise ConnectionResetError(
            errno.ECONNRESET, f"shut down while shaking hands: {exc}"
        ) from exc
    sock.settimeout(standing)


def prepare_socket(sock: Any, server: ServerSettings) -> None:
    """Set what makes small packets go out at once, and large responses piece by piece.

    Raises:
        OSError: the client is gone.
    """
    if isinstance(sock.getpeername(), tuple):
        has_deadline = server.limits.write_timeout is not None or server.socket_timeout is not None
        for option, value in _WINDOW_OPTIONS if has_deadline else _TCP_OPTIONS:
            sock.setsockopt(stdlib_socket.IPPROTO_TCP, option, value)


def end_gracefully(answering: Answering) -> None:
    """End a connection so that the client gets all that was sent; does not close it."""
    if answering.socket.fileno() == -1:
        return  # closed by an application that has taken it over
    try:
        if is_tls(answering.socket):
            end_tls(answering.socket)
        if answering.may_hear_more:
            linger(answering.socket, answering.is_silent)
    except (OSError, ValueError, TypeError) as exc:  # TypeError: of a mock in a socket's place
        answering.debug(f"ended without ceremony ({exc})")
