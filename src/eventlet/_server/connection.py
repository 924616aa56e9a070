"""Serve one connection: request after request, until one side has had enough.

Theory of operation
-------------------
A connection is *idle* while it waits for a request (and while it gets rid of what a request
left behind), *request* while one is served, and *close* once the server wants it to end; *last*
is idle with the right to one more request. The state lives in the list `[address, socket, state]`
that the listener shares with us: on stop the listener sets *close*, or *last* where the client
has only just come, and shuts down the sockets that were idle; we look at it whenever we would
wait for another request.

Whose fault an error is decides what happens to it. The refusal of a head, and an error of
reading the body or of sending (both leave a mark on the body or the response), are the client's:
an answer of the 4xx kind if nothing was sent yet, a debug line, no traceback. Everything else
that leaves the application is the application's: a traceback in the log, and 500 if nothing was
sent yet. Either way the connection closes. `GreenletExit`, KeyboardInterrupt and SystemExit go
on upwards once the clean-up is done.
"""

from __future__ import annotations

import socket as stdlib_socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from eventlet._protocols.chunked import ChunkReadError, check_beginning
from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.http1 import HeaderFields, HeadParser, RequestLine
from eventlet._protocols.refusals import BadRequest, RequestRefused
from eventlet._server.access_log import AccessLog, ServerLog
from eventlet._server.closing import end_tls, linger
from eventlet._server.environ import (
    Environ,
    addr_to_host_port,
    connection_environ,
    fields_environ,
    is_tls,
    request_environ,
)
from eventlet._server.request_body import CONTINUE_LINE, Input
from eventlet._server.request_stream import RequestStream
from eventlet._server.request_target import RequestTarget, split_target
from eventlet._server.response import Response
from eventlet._server.response_head import ResponseStyle
from eventlet._server.takeover import TakeOver
from eventlet._unpatched import monotonic
from eventlet.timeout import Timeout

__all__ = [
    "STATE_CLOSE",
    "STATE_IDLE",
    "STATE_LAST",
    "STATE_REQUEST",
    "Connection",
    "ServerSettings",
]

STATE_IDLE = "idle"
STATE_LAST = "last"
STATE_REQUEST = "request"
STATE_CLOSE = "close"

HEAD_SECONDS = 60.0  # from the first byte of a head, or of a TLS handshake, to the last
DRAIN_BYTES = 1024 * 1024  # of an unread body, to be able to use the connection again

# A response goes out as it is written, a request is acknowledged as it comes.
_TCP_OPTIONS = [
    getattr(stdlib_socket, name)
    for name in ("TCP_NODELAY", "TCP_QUICKACK")
    if hasattr(stdlib_socket, name)
]
_LOGGED_LINE = 1024  # characters of a request line that was refused


class ServerSettings(Protocol):
    """What a connection needs to know of its server."""

    app: Callable[..., Any]
    journal: ServerLog
    access_log: AccessLog | None
    keepalive: bool | float
    socket_timeout: float | None
    max_http_version: str
    minimum_chunk_size: int
    capitalize_response_headers: bool
    shows_tracebacks: bool

    def get_environ(self) -> Environ: ...

    def get_head_limits(self) -> HeadLimits: ...

    def took_over(self) -> bool: ...


class Connection:
    """One client's connection.

    Args:
        conn_state: the list `[address, socket, state]` shared with the listener.
        server: whose connection it is.

    Attributes:
        reject_bad_requests: refuse a request with both Content-Length and Transfer-Encoding;
            chunked wins otherwise.
    """

    reject_bad_requests = True

    def __init__(self, conn_state: list[Any], server: ServerSettings) -> None:
        self.conn_state = conn_state
        self.server = server
        self.client_address = conn_state[0]
        self.socket = conn_state[1]
        self._may_hear_more = True

    def handle(self) -> None:
        """Serve the connection until it ends, and close it."""
        try:
            if self._set_up():
                while self._serve_next():
                    pass
                self._end()
        finally:
            self.socket.close()

    # --- beginning and end --------------------------------------------------------------

    def _set_up(self) -> bool:
        server, sock = self.server, self.socket
        try:
            if is_tls(sock):
                self._shake_hands()
            if isinstance(sock.getpeername(), tuple):
                for option in _TCP_OPTIONS:
                    sock.setsockopt(stdlib_socket.IPPROTO_TCP, option, 1)
            self._environ = connection_environ(
                server.get_environ(), sock, self.client_address, partial(set_idle, self.conn_state)
            )
        except OSError as exc:
            self._debug(f"gone before the first request: {exc}")
            return False
        host, port = addr_to_host_port(self.client_address)
        self._client_ip, self._client_port = host, str(port)
        keepalive = server.keepalive
        is_number = keepalive and not isinstance(keepalive, bool)
        self._idle_seconds = float(keepalive) if is_number else None
        self._style = ResponseStyle(
            server.max_http_version, server.capitalize_response_headers, self._idle_seconds
        )
        self._keeps_alive = bool(keepalive) and self._style.may_chunk
        self._parser = HeadParser(chunked_wins=not self.reject_bad_requests)
        self._fields: HeaderFields | None = None
        self._fields_environ: Environ = {}
        self._stream = RequestStream(
            sock, server.get_head_limits(), server.socket_timeout, HEAD_SECONDS
        )
        return True

    def _shake_hands(self) -> None:
        """Do the TLS handshake here, where a silent client holds up nobody else."""
        timeout = self.server.socket_timeout
        self.socket.settimeout(HEAD_SECONDS if timeout is None else min(timeout, HEAD_SECONDS))
        self.socket.do_handshake()
        self.socket.settimeout(timeout)

    def _end(self) -> None:
        self._leave_request()
        try:
            if is_tls(self.socket):
                end_tls(self.socket)
            if self._may_hear_more:
                linger(self.socket)
        except (OSError, ValueError) as exc:
            self._debug(f"ended without ceremony ({exc})")

    def _leave_request(self) -> None:
        set_idle(self.conn_state)

    def _debug(self, what: str) -> None:
        self.server.journal.detail(f"{what} {self.client_address!r}")

    # --- one request ------------------------------------------------------------------------

    def _serve_next(self) -> bool:
        """Wait for one request and answer it; tell whether there may be another."""
        if self.conn_state[2] == STATE_CLOSE:
            return False
        set_idle(self.conn_state)
        request = self._read_request()
        if request is None:
            return False
        line, fields, target = request
        body = self._make_body(line, fields)
        client_keeps = not fields.closes and (line.minor == 1 or fields.keeps)
        response = Response(
            self.socket,
            self._style,
            line.method,
            line.minor,
            client_keeps and self._keeps_alive,
            fields.closes or fields.keeps,
            body,
        )
        self._answer(line, fields, target, body, response)
        if response.keep_alive and self.conn_state[2] != STATE_CLOSE:
            return body.is_at_end() or self._drain(body)
        if not client_keeps and body.is_at_end() and not self._stream.peek():
            self._may_hear_more = False
        return False

    def _read_request(self) -> tuple[RequestLine, HeaderFields, RequestTarget] | None:
        raw = b""
        try:
            raw = self._stream.read_head(self._idle_seconds)
            if not raw:
                self._may_hear_more = False
                return None
            state = self.conn_state[2]
            self.conn_state[2] = STATE_REQUEST if state == STATE_IDLE else STATE_CLOSE
            line, fields = self._parser.parse(raw)
            target = split_target(line.method, line.target)
            if fields.is_chunked:
                check_beginning(self._stream.peek())
            return line, fields, target
        except RequestRefused as exc:
            self._refuse(exc, raw)
        except ChunkReadError as exc:
            self._refuse(BadRequest(exc.detail), raw)
        except TimeoutError:
            self._debug("timed out")
        except OSError as exc:
            self._debug(f"failed between requests ({exc})")
            self._may_hear_more = False
        return None

    def _answer(
        self,
        line: RequestLine,
        fields: HeaderFields,
        target: RequestTarget,
        body: Input,
        response: Response,
    ) -> None:
        access_log = self.server.access_log
        began = 0.0 if access_log is None else monotonic()
        if fields is not self._fields:
            self._fields = fields
            self._fields_environ = fields_environ(self._environ, fields)
        environ = request_environ(self._fields_environ, line, target, body)
        hooks = environ["eventlet.posthooks"]
        try:
            self._run(environ, response, body)
        finally:
            if access_log is not None:
                self._log_request(access_log, line, fields, response, began)
            # The application may have put another list there, or emptied its environ.
            hooks = environ.get("eventlet.posthooks", hooks)
            if hooks:
                self._run_hooks(hooks, environ)

    def _make_body(self, line: RequestLine, fields: HeaderFields) -> Input:
        expects = fields.variables.get("HTTP_EXPECT")
        if expects is not None and expects.lower() == "100-continue" and line.minor == 1:
            return Input(
                self._stream,
                fields.content_length,
                self.socket,
                _InterimWriter(self.socket.sendall),
                CONTINUE_LINE,
                fields.is_chunked,
            )
        return Input(
            self._stream, fields.content_length, self.socket, None, None, fields.is_chunked
        )

    def _run(self, environ: Environ, response: Response, body: Input) -> None:
        """Call the application and send what it returns."""
        try:
            result = self.server.app(environ, response.start_response)
            try:
                self._send(result, environ, response, body)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except (Exception, Timeout) as exc:
            if exc is response.failure or (body.failure is not None and exc is body.failure):
                self._fail_client(exc, response)
            else:
                self._fail_application(response)
        except BaseException:
            response.keep_alive = False
            raise
        if response.complaint is not None:
            self.server.journal.note(f"application error: {response.complaint}")

    def _send(self, result: Any, environ: Environ, response: Response, body: Input) -> None:
        if self.conn_state[2] == STATE_CLOSE:
            response.keep_alive = False
        if hasattr(result, "__len__"):
            if not (TakeOver.was_ever_used and self.server.took_over()):
                response.send_sized(result)
                return
        else:
            minimum = environ.get("eventlet.minimum_write_chunk_size")
            if minimum is None:
                minimum = self.server.minimum_chunk_size
            rest = response.send_streamed(result, minimum)
            if not (TakeOver.was_ever_used and self.server.took_over()):
                response.finish(rest)
                return
        response.leave_to_application()

    # --- what can go wrong --------------------------------------------------------------------

    def _refuse(self, refusal: RequestRefused, raw: bytes) -> None:
        """Answer a head that is none; nobody knows its method, so there is no body either."""
        if self.conn_state[2] != STATE_CLOSE:
            self.conn_state[2] = STATE_REQUEST
        self._debug(f"refused ({refusal.detail})")
        status = f"{refusal.status} {refusal.phrase}"
        answer = f"HTTP/1.0 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
        try:
            self.socket.sendall(answer)
        except OSError:
            self._may_hear_more = False
        if self.server.access_log is not None:
            line = raw.partition(b"\r\n")[0].decode("latin-1")[:_LOGGED_LINE] or "-"
            self.server.access_log.request(
                self._client_ip, self._client_port, line, refusal.status, len(answer), 0.0
            )

    def _fail_client(self, exc: BaseException, response: Response) -> None:
        response.keep_alive = False
        timed_out = isinstance(exc, TimeoutError)
        self._debug("timed out" if timed_out else f"failed ({exc})")
        if exc is response.failure:
            self._may_hear_more = False
        elif not response.is_begun:
            status = "408 Request Timeout" if timed_out else "400 Bad Request"
            self._send_error(response, status, status.partition(" ")[2].encode())

    def _fail_application(self, response: Response) -> None:
        text = self.server.journal.traceback()
        response.keep_alive = False
        if not response.is_begun:
            body = text if self.server.shows_tracebacks else "Internal Server Error\n"
            self._send_error(response, "500 Internal Server Error", body.encode("utf-8", "replace"))

    def _send_error(self, response: Response, status: str, body: bytes) -> None:
        try:
            response.send_error(status, body)
        except OSError:
            self._may_hear_more = False

    def _drain(self, body: Input) -> bool:
        """Get rid of an unread body; tell whether the connection can be used again."""
        self._leave_request()
        try:
            return body.drain(DRAIN_BYTES)
        except (OSError, ValueError) as exc:
            self._debug(f"failed after the response ({exc})")
            return False

    # --- afterwards -------------------------------------------------------------------------------

    def _log_request(
        self,
        log: AccessLog,
        line: RequestLine,
        fields: HeaderFields,
        response: Response,
        began: float,
    ) -> None:
        log.request(
            log.client_ip(self._client_ip, fields.variables.get("HTTP_X_FORWARDED_FOR")),
            self._client_port,
            line.text,
            response.code,
            response.sent_bytes,
            monotonic() - began,
        )

    def _run_hooks(self, hooks: Any, environ: Environ) -> None:
        """Call what the application left to do; one failing hook does not stop the next."""
        for hook in hooks:
            try:
                func, args, kwargs = hook
                func(environ, *args, **kwargs)
            except (Exception, Timeout):
                self.server.journal.traceback()


def set_idle(conn_state: list[Any]) -> None:
    """Mark a connection as one that a stopping server need not wait for."""
    if conn_state[2] == STATE_REQUEST:
        conn_state[2] = STATE_IDLE


class _InterimWriter:
    """Let the body send `100 Continue`."""

    def __init__(self, sendall: Callable[[bytes], Any]) -> None:
        self.write = sendall
