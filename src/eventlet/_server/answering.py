"""Answer requests: call the application, send what it returns, and account for it.

Whose fault an error is decides what happens to it. An error of reading the body or of sending
(both leave a mark on the body or the response) is the client's: an answer of the 4xx kind if
nothing was sent yet, a debug line, no traceback. Everything else that leaves the application is
the application's: a traceback in the log, and 500 if nothing was sent yet. Either way the
connection closes. `GreenletExit`, KeyboardInterrupt and SystemExit go on upwards once the
clean-up is done. Once the application has taken the connection over, nothing is sent at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.http1 import HeaderFields, RequestLine
from eventlet._protocols.refusals import RequestRefused
from eventlet._server.access_log import AccessLog, ServerLog
from eventlet._server.activity import Activity
from eventlet._server.environ import Environ, addr_to_host_port
from eventlet._server.file_wrapper import FileWrapper
from eventlet._server.limits import Limits
from eventlet._server.request_body import Input
from eventlet._server.response import DRAIN_BYTES, Response
from eventlet._server.takeover import Taken, TakeOver
from eventlet._unpatched import monotonic
from eventlet.semaphore import Semaphore
from eventlet.timeout import Timeout

__all__ = [
    "STATE_CLOSE",
    "STATE_IDLE",
    "STATE_LAST",
    "STATE_REQUEST",
    "Answering",
    "ServerSettings",
    "set_aside",
    "set_idle",
]

STATE_IDLE = "idle"
STATE_LAST = "last"
STATE_REQUEST = "request"
STATE_CLOSE = "close"

_LOGGED_LINE = 1024  # characters of a request line that was refused


class ServerSettings(Protocol):
    """What a connection needs to know of its server.

    Attributes:
        http2: serves a connection of HTTP/2, given its `Answering`, its environ, and what was
            received of it; None where that is off.
        places: for requests of HTTP/2 that are answered at once; None where that is off.
    """

    app: Callable[..., Any]
    journal: ServerLog
    access_log: AccessLog | None
    limits: Limits
    keepalive: bool | float
    socket_timeout: float | None
    max_http_version: str
    minimum_chunk_size: int
    capitalize_response_headers: bool
    shows_tracebacks: bool
    http2: Callable[[Any, Environ, bytes], None] | None
    places: Semaphore | None

    def get_environ(self) -> Environ: ...

    def get_head_limits(self) -> HeadLimits: ...

    def took_over(self) -> Taken | None: ...

    def call_on_stop(
        self, conn_state: list[Any], callback: Callable[[], object] | None
    ) -> None: ...

    def find_activity(self, conn_state: list[Any]) -> Activity: ...


class Answering:
    """What answering needs of one connection.

    Args:
        conn_state: the list `[address, socket, state]` shared with the listener.
        server: whose connection it is.

    Attributes:
        activity: of the client; what a stop goes by.
        may_hear_more: the client may still send what nobody will read.
        is_silent: it has sent nothing after a head that says that it waits for `100 Continue`.
        app: the application, None for the server's.
        sendfile: sends a part of a file, `sendfile(file, offset, count)`; None if nothing does.
        minimum_chunk_size: bytes to gather, None for the server's.
        complain: called with a %-format, a status and its phrase when a request is refused.
    """

    app: Callable[..., Any] | None = None
    _has_callback = False  # for the end of the server
    sendfile: Callable[[Any, int, int], int] | None = None
    minimum_chunk_size: int | None = None
    complain: Callable[..., Any] | None = None

    def __init__(self, conn_state: list[Any], server: ServerSettings) -> None:
        self.conn_state = conn_state
        self.server = server
        self.activity = server.find_activity(conn_state)
        self.client_address = conn_state[0]
        self.socket = conn_state[1]
        self.may_hear_more = True
        self.is_silent = False
        self.name_client(*addr_to_host_port(conn_state[0]))

    def name_client(self, host: str, port: Any) -> None:
        """Set what the access log says of the client."""
        self.client_ip, self.client_port = str(host), str(port)

    def debug(self, what: str) -> None:
        """Say what helps to find a fault, and whose connection it is."""
        self.server.journal.detail(f"{what} {self.client_address!r}")

    def call_on_stop(self, callback: Callable[[], object] | None) -> None:
        """Have `callback` end the connection if the server stops during this request."""
        self._has_callback = callback is not None
        self.server.call_on_stop(self.conn_state, callback)

    def answer(
        self,
        line: RequestLine,
        fields: HeaderFields,
        environ: Environ,
        body: Input,
        response: Response,
    ) -> None:
        """Answer one request, log it, and call what the application left to do."""
        access_log = self.server.access_log
        began = 0.0 if access_log is None else monotonic()
        hooks = environ["eventlet.posthooks"]
        try:
            self._run(environ, response, body)
        finally:
            if self._has_callback:
                self.call_on_stop(None)
            if access_log is not None:
                access_log.request(
                    access_log.client_ip(
                        self.client_ip, fields.variables.get("HTTP_X_FORWARDED_FOR")
                    ),
                    self.client_port,
                    line.text,
                    response.code,
                    response.sent_bytes,
                    monotonic() - began,
                )
            # The application may have put another list there, or emptied its environ.
            hooks = environ.get("eventlet.posthooks", hooks)
            if hooks:
                self._run_hooks(hooks, environ)

    def _run(self, environ: Environ, response: Response, body: Input) -> None:
        """Call the application and send what it returns."""
        try:
            app = self.server.app if self.app is None else self.app
            result = app(environ, response.start_response)
            try:
                self._send(result, environ, response)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except (Exception, Timeout) as exc:
            self._is_taken(environ, response)
            if exc is response.failure or (body.failure is not None and exc is body.failure):
                self._fail_client(exc, response)
            else:
                self._fail_application(response)
        except BaseException:
            self._is_taken(environ, response)
            response.keep_alive = False
            raise
        if response.complaint is not None:
            self.server.journal.note(f"application error: {response.complaint}")

    def _send(self, result: Any, environ: Environ, response: Response) -> None:
        if self.conn_state[2] == STATE_CLOSE and not response.is_begun:
            response.keep_alive = False
        if hasattr(result, "__len__"):
            if not (TakeOver.was_ever_used and self._is_taken(environ, response)):
                response.send_sized(result)
        elif type(result) is FileWrapper and response.send_file(result.filelike, self.sendfile):
            pass
        else:
            minimum = environ.get("eventlet.minimum_write_chunk_size")
            if minimum is None:
                minimum = self.minimum_chunk_size
            if minimum is None:
                minimum = self.server.minimum_chunk_size
            rest = response.send_streamed(result, minimum)
            if not (TakeOver.was_ever_used and self._is_taken(environ, response)):
                response.finish(rest)

    def _is_taken(self, environ: Environ, response: Response) -> bool:
        """See whether the application has taken the connection over: then nothing is sent."""
        taken = self.server.took_over() if TakeOver.was_ever_used else None
        if taken is None:
            return False
        response.leave_to_application(taken, is_upgrade="HTTP_UPGRADE" in environ)
        return True

    # --- what can go wrong -------------------------------------------------------------------

    def refuse(self, refusal: RequestRefused, raw: bytes, send: Callable[[bytes], Any]) -> None:
        """Answer a head that is none; nobody knows its method, so there is no body either."""
        if self.conn_state[2] != STATE_CLOSE:
            self.conn_state[2] = STATE_REQUEST
        self.debug(f"refused ({refusal.detail})")
        if self.complain is not None:
            try:
                self.complain("code %d, message %s", refusal.status, refusal.phrase)
            except Exception:
                self.server.journal.traceback()
        status = f"{refusal.status} {refusal.phrase}"
        answer = f"HTTP/1.0 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
        try:
            send(answer)
        except OSError:
            self.may_hear_more = False
        if self.server.access_log is not None:
            line = raw.partition(b"\r\n")[0].decode("latin-1")[:_LOGGED_LINE] or "-"
            self.server.access_log.request(
                self.client_ip, self.client_port, line, refusal.status, len(answer), 0.0
            )

    def _fail_client(self, exc: BaseException, response: Response) -> None:
        response.keep_alive = False
        timed_out = isinstance(exc, TimeoutError)
        self.debug("timed out" if timed_out else f"failed ({exc})")
        if exc is response.failure:
            self.may_hear_more = False
        elif not response.is_begun:
            status = "408 Request Timeout" if timed_out else "400 Bad Request"
            if isinstance(exc, RequestRefused):
                status = f"{exc.status} {exc.phrase}"
            self._send_error(response, status, status.partition(" ")[2].encode())

    def _fail_application(self, response: Response) -> None:
        text = self.server.journal.traceback()
        response.keep_alive = False
        if not response.is_begun:
            body = text if self.server.shows_tracebacks else ""
            self._send_error(response, "500 Internal Server Error", body.encode("utf-8", "replace"))

    def _send_error(self, response: Response, status: str, body: bytes) -> None:
        try:
            response.send_error(status, body)
        except OSError:
            self.may_hear_more = False

    # --- afterwards -----------------------------------------------------------------------------

    def may_have_next(self, response: Response, body: Input) -> bool:
        """Tell whether another request may come, and get rid of what is left of this one.

        Who was told so before the stop came has the right to a last one.
        """
        if not response.keep_alive:
            return False
        if self.conn_state[2] == STATE_CLOSE:
            self.conn_state[2] = STATE_LAST
        return body.is_at_end() or self.drain(body)

    def drain(self, body: Input) -> bool:
        """Get rid of an unread body; tell whether the connection can be used again."""
        set_idle(self.conn_state)
        try:
            return body.drain(DRAIN_BYTES)
        except (OSError, ValueError) as exc:
            self.debug(f"failed after the response ({exc})")
            return False

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


def set_aside(conn_state: list[Any], activity: Activity) -> None:
    """Mark a connection as idle for good: a stopping server need not even expect a request."""
    set_idle(conn_state)
    activity.disclaim()
