"""Connections that a subclass reads in its own way, line by line.

Theory of operation
-------------------
`HttpProtocol` has the override points of `http.server.BaseHTTPRequestHandler`, and some more.
Where none of them is overridden, a `Connection` serves, which reads whole heads at once and
calls none of them. One override is enough for the classic path, in which everything happens
through the methods below:

    setup                         the handshake, `rfile` and `wfile`
    handle                        until `close_connection`:
        handle_one_request
            _read_request_line    `raw_requestline`
            parse_request         `command path request_version requestline headers`
                handle_expect_100
            get_environ           `environ`
                formalize_key_naming
            handle_one_response   the application, the response, `close_connection`
                get_client_address
    finish                        the end, also after an error; not where `setup` failed

What an override sets is used, but never believed where it frames the message: the bytes of the
header lines, which are remembered while somebody reads them, go through the validator that the
fast path has, and only that decides where the body ends.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from greenlet import GreenletExit

from eventlet._protocols.chunked import ChunkReadError, check_beginning
from eventlet._protocols.head_collector import HeadCollector, HeadLimits, check_bytes
from eventlet._protocols.http1 import (
    LINE_BYTES,
    HeaderFields,
    HeadParser,
    RequestLine,
    parse_request_line,
    upper_case,
)
from eventlet._protocols.refusals import (
    BadRequest,
    HeadersTooLarge,
    RequestLineTooLong,
    RequestRefused,
)
from eventlet._server.access_log import escape
from eventlet._server.activity import LAST_SECONDS
from eventlet._server.answering import (
    STATE_CLOSE,
    STATE_IDLE,
    STATE_LAST,
    STATE_REQUEST,
    Answering,
    set_aside,
    set_idle,
)
from eventlet._server.connection import (
    Connection,
    InterimWriter,
    check_length,
    end_gracefully,
    make_style,
    prepare_socket,
    shake_hands,
    waits_for_continue,
)
from eventlet._server.environ import (
    HEADERS_RAW,
    Environ,
    addr_to_host_port,
    connection_environ,
    is_tls,
    request_environ,
)
from eventlet._server.header_lines import HeaderLines, check_parsed
from eventlet._server.override_points import (
    LOG_POINTS,
    OWN_SETTINGS,
    READ_POINTS,
    is_unchanged,
    makes_plain_files,
    remember,
)
from eventlet._server.patience import Patience
from eventlet._server.request_body import CONTINUE_LINE, Input
from eventlet._server.request_target import split_target
from eventlet._server.response import Response
from eventlet._server.response_head import ResponseStyle
from eventlet._unpatched import monotonic
from eventlet.timeout import Timeout

__all__ = ["MINIMUM_CHUNK_SIZE", "HttpProtocol", "is_plain"]

MINIMUM_CHUNK_SIZE = 4096

_NO_FIELDS = HeaderFields((), {}, None, False, False, False)
_PLAIN_NAMES = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})  # have no HTTP_ before them


class HttpProtocol(BaseHTTPRequestHandler):
    """Serves one connection, from its constructor; `server(protocol=...)` takes a subclass.

    A subclass that overrides one of its methods, `MessageClass`, `rbufsize` or `wbufsize` reads
    line by line, through `rfile`, which is slower. So does who gives the socket a `makefile`, or
    an instance settings of its own before this class is called. The methods that log are no
    reason: they hear of refused requests either way.

    Args:
        conn_state: the list `[address, socket, state]`.
        server: whose connection it is.

    Attributes:
        reject_bad_requests: refuse a request with both Content-Length and Transfer-Encoding,
            where chunked wins otherwise, or with bytes above 127 in the name of a header.
        wbufsize: of `wfile`, bytes.
    """

    protocol_version = "HTTP/1.1"
    minimum_chunk_size = MINIMUM_CHUNK_SIZE
    capitalize_response_headers = True
    reject_bad_requests = True
    wbufsize = 16384

    _read_points: ClassVar[dict[str, Any]]
    _log_points: ClassVar[dict[str, Any]]

    # Those of the standard library's answers look at these, also where no request was read.
    command = path = requestline = ""
    request_version = "HTTP/1.0"

    server: Any
    environ: Environ
    _told = ""  # the state, once the server stops
    _is_killed = False  # and waits for nobody any more
    _is_judged = False  # the present request has its `_fields`
    _plain_wfile: Any = None  # if it does nothing but to send
    _plain_names: frozenset[str] = frozenset()  # of its attributes, while nobody has put one there

    def __init__(self, conn_state: list[Any], server: Any) -> None:
        is_plain = OWN_SETTINGS.isdisjoint(vars(self)) and is_unchanged(
            type(self), self._read_points
        )
        self.conn_state = conn_state
        self.server = server
        self.client_address = conn_state[0]
        self.request = self.connection = conn_state[1]
        if is_plain and makes_plain_files(self.connection):
            connection = Connection(conn_state, server, not self.reject_bad_requests)
            self._hear_refusals(connection)
            connection.handle()
            return
        self._answering = Answering(conn_state, server)
        self._hear_refusals(self._answering)
        self.raw_requestline = b""
        self.close_connection = True
        is_set_up = False
        try:
            is_set_up = self._is_set_up()
            if is_set_up:
                self.handle()
        except RequestRefused as exc:  # where a subclass has a loop of its own
            self._report(exc)
        except GreenletExit:
            self._is_killed = True
            raise
        finally:
            if is_set_up:
                self.finish()
            else:  # as in `socketserver`: an override may count on what `setup` makes
                HttpProtocol.finish(self)

    def _hear_refusals(self, answering: Answering) -> None:
        if not is_unchanged(type(self), self._log_points):
            answering.complain = self.log_error

    def _is_set_up(self) -> bool:
        try:
            self.setup()
            if not hasattr(self, "_patience"):  # a subclass has done all of it by itself
                self._prepare()
        except OSError as exc:
            self._answering.debug(f"gone before the first request: {exc}")
            return False
        return True

    def _prepare(self) -> None:
        """Make what the requests of this connection have in common."""
        server, limits = self.server, self.server.limits
        self._style, self._idle = make_style(server)
        self._patience = Patience(self.connection, limits, server.socket_timeout, self._idle)
        self._parser = HeadParser(
            not self.reject_bad_requests, limits.header_count, limits.requires_host
        )

    # --- override points: the connection ------------------------------------------------------

    def setup(self) -> None:
        """Shake hands, and open `rfile` and `wfile`.

        Raises:
            OSError: the client is gone.
        """
        server, sock = self.server, self.connection
        shake_hands(sock, server.limits.head_timeout, server.socket_timeout)
        prepare_socket(sock, server)
        self.rfile = sock.makefile("rb", self.rbufsize)
        self.wfile = sock.makefile("wb", self.wbufsize)
        if not is_tls(sock) and makes_plain_files(sock):
            self._plain_wfile = self.wfile
            self._plain_names = frozenset(vars(self.wfile))
        self._prepare()

    def handle(self) -> None:
        """Serve one request after another, until `close_connection`."""
        self.close_connection = True
        self.handle_one_request()
        while not self.close_connection:
            self.handle_one_request()

    def finish(self) -> None:
        """Close the files and the connection."""
        try:
            for name in ("wfile", "rfile"):
                with suppress(OSError, ValueError):
                    file = getattr(self, name, None)
                    if self._is_killed:
                        file = getattr(file, "raw", file)  # without what it has still to write
                    if file is not None:
                        file.close()
            if hasattr(self, "rfile") and not self._is_killed:
                set_idle(self.conn_state)
                end_gracefully(self._answering)
        finally:
            self.connection.close()

    # --- override points: one request ------------------------------------------------------------

    def handle_one_request(self) -> None:
        """Read one request and answer it; sets `close_connection`."""
        self.close_connection = True
        answering = self._answering
        self._keep_state()
        if self.conn_state[2] == STATE_CLOSE:
            return
        set_idle(self.conn_state)
        answering.activity.last = monotonic()
        hurry: AbstractContextManager[Any] = nullcontext()
        if self.conn_state[2] == STATE_LAST:
            hurry = Timeout(LAST_SECONDS, TimeoutError("the server ends"))
        self.raw_requestline = b""
        try:
            with hurry:
                if not self._wait_for_request():
                    return
                self._keep_state()
                answering.activity.last = monotonic()
                if not self._read_request():
                    return
        except RequestRefused as exc:
            self._report(exc)
            return
        except ChunkReadError as exc:
            self._report(BadRequest(exc.detail))
            return
        except TimeoutError:
            answering.debug("timed out")
            return
        except OSError as exc:
            answering.debug(f"failed between requests ({exc})")
            answering.may_hear_more = False
            return
        except HTTPException as exc:  # of the parser in the standard library
            self._report(RequestRefused(431, "Request Header Fields Too Large", str(exc)))
            return
        except Exception:
            self.server.journal.traceback()
            self._refuse(RequestRefused(500, "Internal Server Error", "the protocol class failed"))
            return
        self.application = self.server.app
        self._keep_state()
        self.handle_one_response()
        self._keep_state()

    def _keep_state(self) -> None:
        """Keep what a stopping server has made of the state, whatever a subclass makes of it.

        The server says so while we wait, so this has to be called before others run.
        """
        state = self.conn_state[2]
        if state in (STATE_LAST, STATE_CLOSE):
            self._told = state
        elif self._told:
            self.conn_state[2] = self._told

    def _read_request_line(self) -> bytes:
        """Return the request line as it comes; empty when the client closed."""
        limits = self.server.get_head_limits()
        skipped = 0
        while (line := self.rfile.readline(limits.request_line)) == b"\r\n":
            skipped += len(line)
            if skipped > limits.total:
                raise HeadersTooLarge(limits.total)
        return line

    def parse_request(self) -> bool:
        """Take `raw_requestline` apart and read the header lines.

        Sets `command`, `path`, `request_version`, `requestline`, `headers`, `close_connection`.

        Returns:
            False when the request was refused; the answer has been sent then.
        """
        try:
            line = parse_request_line(self.raw_requestline.removesuffix(b"\r\n"))
            lines: Any = self.rfile
            if not isinstance(lines, HeaderLines):
                lines = self._lines = HeaderLines(lines, self.server.get_head_limits())
            if not lines.read_to_end():
                self._judge_a_part(lines.data)
                return False
            self._fields = fields = self._check_fields(lines, line.minor)
            self._is_judged = True
        except RequestRefused as exc:
            self._report(exc)
            return False
        self.requestline = line.text
        self.command = line.method
        self.path = line.target
        self.request_version = f"HTTP/1.{line.minor}"
        self.headers = self.MessageClass()
        for name, value in fields.raw:
            self.headers.set_raw(name, value)  # an item set is judged, by Python 3.14
        self.close_connection = fields.closes or not (line.minor or fields.keeps)
        return not self._expects_100(line.minor) or bool(self.handle_expect_100())

    def handle_expect_100(self) -> bool:
        """Tell whether to go on; `100 Continue` goes out when the body is read."""
        return True

    def get_environ(self) -> Environ:
        """Make the environ of the request, with its body.

        Raises:
            RequestRefused: the target has no valid form.
        """
        sock = self.connection
        minor = self._minor()
        if not self._is_judged:  # a subclass has read all of it by itself
            self._fields = fields = self._check_fields(None, minor)
            check_length(fields.content_length or 0, self.server.limits.body_bytes)
        target = split_target(self.command, self.path)
        body = self._make_body(minor)
        environ = connection_environ(
            self.server.get_environ(),
            sock,
            self.client_address,
            partial(set_aside, self.conn_state, self._answering.activity),
            self._answering.call_on_stop,
        )
        headers = self.headers.items()
        variables: Environ = {}
        for name, value in headers:
            key = self.formalize_key_naming(name)
            if not key:
                continue
            key = key if key in _PLAIN_NAMES else f"HTTP_{key}"
            if key in variables:
                value = variables[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
            variables[key] = value
        base = {**environ, **variables, HEADERS_RAW: tuple(headers)}
        line = RequestLine(self.requestline, self.command, self.path, minor)
        return request_environ(base, line, target, body)

    def formalize_key_naming(self, k: str) -> str | None:
        """Give the CGI name of a header without `HTTP_`; None leaves the header out."""
        return None if "_" in k else upper_case(k).replace("-", "_")

    def handle_one_response(self) -> None:
        """Call `application` with `environ` and send its response; sets `close_connection`."""
        body, answering = self._body, self._answering
        minor, fields = self._minor(), self._fields
        self._is_judged = False
        # What a subclass makes of Connection cannot keep what the client gives up.
        client_keeps = not fields.closes and (minor == 1 or fields.keeps)
        style = self._style if OWN_SETTINGS.isdisjoint(vars(self)) else self._own_style()
        response = Response(
            self._send_all,
            style,
            self.command,
            minor,
            client_keeps
            and not self.close_connection
            and bool(self.server.keepalive)
            and style.may_chunk
            and self.conn_state[2] != STATE_CLOSE,
            fields.closes or fields.keeps,
            body,
        )
        answering.app = self.application
        answering.minimum_chunk_size = vars(self).get("minimum_chunk_size")
        answering.sendfile = self._sendfile if self._may_pass_by_wfile() else None
        answering.name_client(*self.get_client_address())
        line = RequestLine(self.requestline, self.command, self.path, minor)
        answering.answer(line, fields, self.environ, body, response)
        self.close_connection = not answering.may_have_next(response, body)
        answering.is_silent = body.is_held_back() and not self._peek()

    def get_client_address(self) -> tuple[str, Any]:
        """Give host and port of the client, for the access log."""
        return addr_to_host_port(self.client_address)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse the request with a status; the connection closes.

        Called for every request that is refused before the application is.
        """
        phrase = message or self.responses.get(code, ("Error", ""))[0]
        phrase = "".join(c if " " <= c <= "~" else "?" for c in phrase)
        self._refuse(RequestRefused(int(code), phrase, escape(explain or phrase)))

    def log_message(self, format: str, *args: Any) -> None:
        """Write a line to the server's log."""
        self.server.journal.note(escape(format % args if args else format))

    # --- reading ------------------------------------------------------------------------------------

    def _wait_for_request(self) -> bool:
        """Wait for the first byte of a request; True as well where the file cannot tell."""
        if getattr(self.rfile, "closed", False):
            return False  # a subclass wants nothing more of this client
        self._patience.use(self._patience.idle)
        peek = getattr(self.rfile, "peek", None)
        if peek is None:
            return True
        if first := peek(1):
            self.raw_requestline = first  # for the log, until there is a line
            check_bytes(first)  # what holds no line end would be waited for
            return True
        self._answering.may_hear_more = False
        return False

    def _read_request(self) -> bool:
        """Read a head through the override points; tell whether there is a request."""
        seconds = self._patience.head
        late = TimeoutError(f"head not complete after {seconds} s")
        self._patience.use(self._patience.standing)
        with nullcontext() if seconds is None else Timeout(seconds, late):
            if not self._read_head():
                return False
        if self._fields.is_chunked:
            check_beginning(self._peek())
        elif self._fields.content_length:
            check_length(self._fields.content_length, self.server.limits.body_bytes)
        self.environ = self.get_environ()
        body = self.environ.get("eventlet.input")
        if isinstance(body, Input):  # an override may have put its own there
            self._body = body
        return True

    def _read_head(self) -> bool:
        limits: HeadLimits = self.server.get_head_limits()
        self.raw_requestline = line = self._read_request_line()
        if len(line) >= limits.request_line:
            raise RequestLineTooLong(limits.request_line)
        if not line.endswith(b"\n"):
            self._judge_a_part(b"")
            return False
        self._keep_state()
        # A subclass may have said so before us.
        is_open = self.conn_state[2] in (STATE_IDLE, STATE_REQUEST)
        self.conn_state[2] = STATE_REQUEST if is_open else STATE_CLOSE
        if not line.endswith(b"\r\n"):
            raise BadRequest("line end other than CRLF")
        if line[:-2].translate(None, LINE_BYTES):
            raise BadRequest("control character in the request line")
        original = self.rfile
        self._fields = _NO_FIELDS
        self._lines = HeaderLines(original, limits)
        self.rfile = self._lines  # type: ignore[assignment]  # while it reads the head
        try:
            if not self.parse_request():
                return False
        finally:
            self.rfile = original
        if self._fields is _NO_FIELDS:  # the subclass has parsed it by itself
            self._fields = self._check_fields(self._lines, self._minor())
        self._is_judged = True
        return True

    def _check_fields(self, lines: HeaderLines | None, minor: int) -> HeaderFields:
        """Have the header lines judged as those of the fast path are."""
        if lines is not None and (lines.data or lines.is_cut_off):
            block = lines.block()
        else:  # the subclass has its headers from elsewhere
            check_parsed(self.headers)
            fields = "".join(f"\r\n{name}: {value}" for name, value in self.headers.items())
            block = fields.encode("latin-1", "replace")
        return self._parser.parse(b"GET / HTTP/1.%d" % minor + block)[1]

    def _judge_a_part(self, lines: bytes) -> None:
        """Refuse a head that was cut off, if it could not have become one."""
        self._answering.may_hear_more = False
        HeadCollector(self.server.get_head_limits()).feed(self.raw_requestline + lines)

    def _peek(self) -> bytes:
        """Show what has come of the body, without waiting."""
        peek = getattr(self.rfile, "peek", None)
        if peek is None:
            return b""
        self._patience.use(0.0)
        try:
            data: bytes = peek(1)
        except (OSError, ValueError):
            data = b""  # whoever reads the body hears of it
        finally:
            self._patience.use(self._patience.standing)
        return data

    def _make_body(self, minor: int) -> Input:
        fields, limits = self._fields, self.server.limits
        source: Any = self.rfile
        if limits.body_timeout is not None:
            self._patience.begin_body()
            source = self._patience.hurried(source)
        waits = self._expects_100(minor)
        body = Input(
            source,
            fields.content_length,
            self.connection,
            InterimWriter(self._send_all) if waits else None,
            CONTINUE_LINE if waits else None,
            fields.is_chunked,
        )
        body.limit_bytes = limits.body_bytes
        body.lend = self._patience.release
        self._body = body
        return body

    def _expects_100(self, minor: int) -> bool:
        return waits_for_continue(self._fields, minor)

    def _minor(self) -> int:
        return 0 if self.request_version in ("HTTP/0.9", "HTTP/1.0") else 1

    # --- writing ------------------------------------------------------------------------------------

    def _send_all(self, data: bytes) -> None:
        self._patience.use_for_sending()
        self.wfile.write(data)
        self.wfile.flush()

    def _may_pass_by_wfile(self) -> bool:
        """Tell whether nobody would miss the bytes that `wfile` does not see."""
        file = self._plain_wfile
        return file is not None and self.wfile is file and vars(file).keys() == self._plain_names

    def _sendfile(self, file: Any, offset: int, count: int) -> int:
        self.wfile.flush()
        return self._patience.sendfile(file, offset, count)

    def _own_style(self) -> ResponseStyle:
        """Give the style that this instance has chosen for its connection."""
        own, server = vars(self), self.server
        return ResponseStyle(
            min(own.get("protocol_version", server.max_http_version), server.max_http_version),
            own.get("capitalize_response_headers", server.capitalize_response_headers),
            self._idle,
        )

    def _report(self, refusal: RequestRefused) -> None:
        """Have `send_error` refuse a request, which a subclass may override."""
        self.close_connection = True
        try:
            self.send_error(refusal.status, refusal.phrase, refusal.detail)
        except OSError:
            self._answering.may_hear_more = False
        except Exception:
            self.server.journal.traceback()

    def _refuse(self, refusal: RequestRefused) -> None:
        self.close_connection = True
        self._answering.refuse(refusal, self.raw_requestline, self._send_all)


def is_plain(protocol: Any) -> bool:
    """Tell whether what serves connections is a class that reads as `HttpProtocol` does."""
    return isinstance(protocol, type) and is_unchanged(protocol, HttpProtocol._read_points)


HttpProtocol._read_points = remember(HttpProtocol, READ_POINTS)
HttpProtocol._log_points = remember(HttpProtocol, LOG_POINTS)
