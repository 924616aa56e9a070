"""A WSGI server that gives each connection a green thread.

    listener = eventlet.listen(("127.0.0.1", 8080))
    wsgi.server(listener, app)

`server` runs until it is killed, interrupted, or its listening socket ends; then it lets the
requests that are being served finish. A `Server` can be told to end:

    server = wsgi.Server(listener, listener.getsockname(), app)
    signal.signal(signal.SIGTERM, lambda *_: server.stop(30))
    server.serve()

`MAX_HEADER_LINE`, `MAX_TOTAL_HEADER_SIZE` and `is_accepting` are read while it runs, so programs
may set them here.
"""

from __future__ import annotations

import errno
import http.server
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from eventlet._http2.extra import load_http2
from eventlet._protocols.chunked import ChunkReadError
from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.refusals import HeaderLineTooLong, HeadersTooLarge
from eventlet._server.access_log import (
    DEFAULT_LOG_FORMAT,
    LoggerFileWrapper,
    LoggerNull,
    ServerLog,
    chain_and_peer,
    get_logger,
    make_access_log,
    peer_alone,
)
from eventlet._server.activity import Activity
from eventlet._server.answering import STATE_CLOSE, STATE_IDLE, STATE_REQUEST
from eventlet._server.environ import Environ, addr_to_host_port, server_environ, socket_repr
from eventlet._server.header_lines import HeaderLines
from eventlet._server.http_protocol import MINIMUM_CHUNK_SIZE, HttpProtocol, is_plain
from eventlet._server.limits import Limits, refuse_negative
from eventlet._server.listener import Acceptor, ConnectionPool
from eventlet._server.request_body import Input
from eventlet._server.response_head import format_date_time
from eventlet._server.takeover import Taken, TakeOver
from eventlet.greenio.adoption import make_green
from eventlet.greenpool import GreenPool
from eventlet.semaphore import Semaphore

__all__ = [
    "BAD_SOCK",
    "BROKEN_SOCK",
    "DEFAULT_LOG_FORMAT",
    "DEFAULT_MAX_SIMULTANEOUS_REQUESTS",
    "MAX_HEADER_LINE",
    "MAX_REQUEST_LINE",
    "MAX_TOTAL_HEADER_SIZE",
    "MINIMUM_CHUNK_SIZE",
    "STATE_CLOSE",
    "STATE_IDLE",
    "STATE_REQUEST",
    "WSGI_LOCAL",
    "ChunkReadError",
    "FileObjectForHeaders",
    "HeaderLineTooLong",
    "HeadersTooLarge",
    "HttpProtocol",
    "Input",
    "Limits",
    "LoggerFileWrapper",
    "LoggerNull",
    "Server",
    "addr_to_host_port",
    "format_date_time",
    "get_logger",
    "is_accepting",
    "server",
    "socket_repr",
]

DEFAULT_MAX_SIMULTANEOUS_REQUESTS = 1024
MAX_REQUEST_LINE = 8192
MAX_HEADER_LINE = 8192
MAX_TOTAL_HEADER_SIZE = 65536

# What a client that went away makes a socket raise.
BROKEN_SOCK = {errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN}
# What a socket that was closed here makes its users raise; the second is that of Windows.
BAD_SOCK = {errno.EBADF, 10053}

# Where the base of `HttpProtocol` comes from, under the name by which subclasses look for it.
BaseHTTPServer = http.server

# Turned off, every server of this process stops after the connection it accepts next.
is_accepting = True

# An application that takes a connection over sets `already_handled` here, in its green thread;
# the server then writes nothing more and closes. For the access log it may set `handled_status`
# and `handled_bytes` too.
WSGI_LOCAL = TakeOver()


class _LinesOnly(int):
    """The default of `debug`: true for log lines, not for tracebacks sent to clients."""

    def __repr__(self) -> str:
        return "True"


_DEBUG_LINES_ONLY: bool = _LinesOnly(1)  # type: ignore[assignment]  # bool has no subclasses


class FileObjectForHeaders(HeaderLines):
    """What `rfile` is while a request's header lines are read: it knows their limits.

    Args:
        fp: has `readline(size)`; at the first header line.
    """

    def __init__(self, fp: Any) -> None:
        super().__init__(fp, HeadLimits(MAX_REQUEST_LINE, MAX_HEADER_LINE, MAX_TOTAL_HEADER_SIZE))


class Server:
    """A server that can be told to end; the arguments are those of `server`.

    Args:
        socket: a listening socket; an ordinary one is made green.
        address: where it listens.
        app: the application.
        limits: what one client may take; None for the defaults.
        max_size: connections at once, 1024 by default.
        custom_pool: runs the connections in place of a pool of `max_size`.
        http2: speak HTTP/2 as well.

    Attributes:
        pid: the process that made it.
        outstanding_requests: connections being served.

    Raises:
        AttributeError: `custom_pool` lacks a method.
        ImportError: `http2` needs a library that is not installed.
        TypeError: a TLS socket of the standard library, which does not park.
        ValueError: a time is negative, `log_format` names a field that there is none of, or
            `http2` does not go with `protocol` or `max_http_version`.
    """

    http2: Callable[[Any, Environ, bytes], None] | None = None
    places: Semaphore | None = None

    def __init__(
        self,
        socket: Any,
        address: Any,
        app: Callable[..., Iterable[Any]],
        log: Any = None,
        environ: Environ | None = None,
        max_http_version: str | None = None,
        protocol: Callable[[list[Any], Any], object] = HttpProtocol,
        minimum_chunk_size: int | None = None,
        log_x_forwarded_for: bool = True,
        keepalive: bool | float = True,
        log_output: bool = True,
        log_format: str = DEFAULT_LOG_FORMAT,
        url_length_limit: int = MAX_REQUEST_LINE,
        debug: bool = _DEBUG_LINES_ONLY,
        socket_timeout: float | None = None,
        capitalize_response_headers: bool = True,
        *,
        limits: Limits | None = None,
        max_size: int | None = None,
        custom_pool: ConnectionPool | None = None,
        http2: bool = False,
    ) -> None:
        refuse_negative("keepalive", keepalive)
        refuse_negative("socket_timeout", socket_timeout)
        self.socket = socket = make_green(socket)
        self.address = address
        self.app = app
        self.log = get_logger(log, debug) if log_output else LoggerNull()
        self.environ = environ
        settings: Any = protocol if isinstance(protocol, type) else HttpProtocol
        self.max_http_version = max_http_version or settings.protocol_version
        self.protocol = protocol
        if minimum_chunk_size is None:
            minimum_chunk_size = settings.minimum_chunk_size
        self.minimum_chunk_size = minimum_chunk_size
        self.log_x_forwarded_for = log_x_forwarded_for
        self.keepalive = keepalive
        self.log_output = log_output
        self.log_format = log_format
        self.url_length_limit = url_length_limit
        self.debug = debug
        self.shows_tracebacks = bool(debug) and debug is not _DEBUG_LINES_ONLY
        self.socket_timeout = socket_timeout
        if not capitalize_response_headers:
            warnings.warn(
                "capitalize_response_headers is disabled, which is deprecated: "
                "header names have no case, and no client may rely on it",
                DeprecationWarning,
                stacklevel=3,
            )
        self.capitalize_response_headers = (
            capitalize_response_headers and settings.capitalize_response_headers
        )
        self.access_log = (
            make_access_log(
                self.log.info, log_format, chain_and_peer if log_x_forwarded_for else peer_alone
            )
            if log_output
            else None
        )
        self.limits = Limits() if limits is None else limits
        self.pid = os.getpid()
        self.journal = self._make_journal()
        self.outstanding_requests = 0
        if max_size is None:
            max_size = DEFAULT_MAX_SIMULTANEOUS_REQUESTS
        pool = GreenPool(max_size) if custom_pool is None else custom_pool
        for method in ("spawn", "waitall"):
            if not callable(getattr(pool, method, None)):
                raise AttributeError(f"custom_pool needs a method {method}, {pool!r} has none")
        if http2:
            self._turn_http2_on(getattr(pool, "size", max_size))
        self._acceptor = Acceptor(
            socket,
            self.process_request,
            pool,
            is_accepting=lambda: is_accepting,
            socket_timeout=socket_timeout,
            journal=self.journal,
        )

    def _make_journal(self) -> ServerLog:
        """Make what the server says things to about itself; called once."""
        return ServerLog(self.log, self.pid)

    def _turn_http2_on(self, places: int) -> None:
        if not is_plain(self.protocol):
            raise ValueError(f"http2 is read by nobody's methods, {self.protocol!r} has its own")
        if self.max_http_version != "HTTP/1.1":
            raise ValueError(f"http2 needs HTTP/1.1 beside it, not {self.max_http_version}")
        self.http2 = load_http2()
        # Who has one connection may have many requests; so many are answered at once.
        self.places = Semaphore(places)
        context = getattr(self.socket, "context", None)
        if context is not None:
            context.set_alpn_protocols(["h2", "http/1.1"])

    def serve(self) -> None:
        """Serve until told to end, let what is being served finish, and close the socket.

        It ends when `stop` is called, when its green thread is killed or interrupted, and with
        the listening socket. May be called once.

        Raises:
            OSError: the listening socket failed.
        """
        self.journal.milestone(f"wsgi starting up on {socket_repr(self.socket)}")
        self._acceptor.run()

    def stop(self, grace: float | None = None) -> None:
        """Have `serve` end, and return at once: `serve` is who waits.

        Who has connected by now is still accepted, and nobody else. Connections that serve a
        request finish it with `Connection: close`. Those that wait for one are closed at once
        if they were idle for a second; the others may have one more request within a second.
        Who was marked idle is not waited for. May be called by any green thread or OS thread,
        by a signal handler, and before `serve`. Called again, it can only shorten the grace.

        Args:
            grace: seconds until what is still being served is killed; None never.
        """
        self._acceptor.stop(grace)

    def get_environ(self) -> Environ:
        """Make the part of the WSGI environ that is the same for all requests."""
        return server_environ(self.environ)

    def get_head_limits(self) -> HeadLimits:
        """Give the limits for request heads as they are set now."""
        limits = self.limits
        line, header, total = (
            limits.request_line_bytes,
            limits.header_line_bytes,
            limits.headers_bytes,
        )
        return HeadLimits(
            self.url_length_limit if line is None else line,
            MAX_HEADER_LINE if header is None else header,
            MAX_TOTAL_HEADER_SIZE if total is None else total,
        )

    def took_over(self) -> Taken | None:
        """Tell, once, whether the application has taken the current connection over."""
        return WSGI_LOCAL.take()

    def call_on_stop(self, conn_state: list[Any], callback: Callable[[], object] | None) -> None:
        """Have `callback` end a connection that was taken over when the server is to end.

        It is called once, in a green thread of its own, in place of shutting the socket down;
        the connection is waited for, and killed when the grace is over. None takes it back.
        Applications find this in their environ, as `eventlet.on_stop`.
        """
        self._acceptor.call_on_stop(conn_state, callback)

    def find_activity(self, conn_state: list[Any]) -> Activity:
        """Give what is noted of a connection's client for the case of a stop."""
        return self._acceptor.find_activity(conn_state)

    def process_request(self, conn_state: list[Any]) -> None:
        """Serve one whole connection `[address, socket, state]` and close it."""
        self.outstanding_requests += 1
        try:
            self.protocol(conn_state, self)
        except TimeoutError:
            self.journal.detail(f"timed out {conn_state[0]!r}")
        except OSError as exc:
            if exc.errno not in BROKEN_SOCK:
                raise
        finally:
            self.outstanding_requests -= 1


def server(
    sock: Any,
    site: Callable[..., Iterable[Any]],
    log: Any = None,
    environ: Environ | None = None,
    max_size: int | None = None,
    max_http_version: str = "HTTP/1.1",
    protocol: Callable[[list[Any], Any], object] = HttpProtocol,
    server_event: Any = None,
    minimum_chunk_size: int | None = None,
    log_x_forwarded_for: bool = True,
    custom_pool: ConnectionPool | None = None,
    keepalive: bool | float = True,
    log_output: bool = True,
    log_format: str = DEFAULT_LOG_FORMAT,
    url_length_limit: int = MAX_REQUEST_LINE,
    debug: bool = _DEBUG_LINES_ONLY,
    socket_timeout: float | None = None,
    capitalize_response_headers: bool = True,
    *,
    limits: Limits | None = None,
    http2: bool = False,
) -> None:
    """Serve a WSGI application until stopped, then let what is being served finish.

    Args:
        sock: a listening socket: TCP, unix, or wrapped in TLS by `wrap_ssl`. An ordinary one is
            made green. Closed at the end.
        site: the application.
        log: an object with `info` and `debug`, or anything with `write(str)`; None means the
            standard error.
        environ: added to the environ of every request.
        max_size: connections at once, 1024 by default.
        max_http_version: version to answer with; `"HTTP/1.0"` also turns keep-alive off.
        protocol: serves a connection: a subclass of `HttpProtocol`, or what makes one.
        server_event: deprecated; its `send` is called with the `Server`.
        minimum_chunk_size: bytes to gather before sending, where the length is not known.
        log_x_forwarded_for: log the addresses of X-Forwarded-For too.
        custom_pool: runs the connections in place of a pool of `max_size`; needs `spawn` and
            `waitall`.
        keepalive: False closes after each response; a number is also the seconds to wait for
            a request.
        log_output: False logs nothing at all.
        log_format: %-format of the line for each request, or `"json"`.
        url_length_limit: bytes that a request line may not reach.
        debug: log more; set to True by the caller it also sends tracebacks to clients.
        socket_timeout: seconds that one operation of a client may take; None for ever.
        capitalize_response_headers: deprecated to turn off.
        limits: what one client may take, in time and bytes.
        http2: speak HTTP/2 as well: over TLS with clients that choose it, whose context is told
            so, and without TLS with those that begin with it. Needs the extra `http2`.

    Raises:
        AttributeError: `custom_pool` lacks a method.
        ImportError: `http2` needs a library that is not installed.
        TypeError: a TLS socket of the standard library, which does not park.
        ValueError: a time is negative, `log_format` names a field that there is none of, or
            `http2` does not go with `protocol` or `max_http_version`.
        OSError: the listening socket failed.
    """
    settings = Server(
        sock,
        sock.getsockname(),
        site,
        log,
        environ,
        max_http_version,
        protocol,
        minimum_chunk_size,
        log_x_forwarded_for,
        keepalive,
        log_output,
        log_format,
        url_length_limit,
        debug,
        socket_timeout,
        capitalize_response_headers,
        limits=limits,
        max_size=max_size,
        custom_pool=custom_pool,
        http2=http2,
    )
    if server_event is not None:
        warnings.warn(
            "server_event is deprecated: make a Server to look at one",
            DeprecationWarning,
            stacklevel=2,
        )
        server_event.send(settings)
    settings.serve()
