"""One stream: a green thread that answers one request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from eventlet._errors import EventletError
from eventlet._http2.body import BodyBuffer, StreamInput
from eventlet._http2.frames import ErrorCode
from eventlet._http2.request_head import RequestHead
from eventlet._http2.response import Fields, InterimFields, StreamResponse
from eventlet._http2.signals import Signal
from eventlet._http2.socket_view import SocketView
from eventlet._server.answering import STATE_IDLE, STATE_REQUEST, Answering, set_idle
from eventlet._server.connection import waits_for_continue
from eventlet._server.environ import Environ, fields_environ, request_environ
from eventlet._server.request_body import CONTINUE_LINE
from eventlet._server.response import DRAIN_BYTES
from eventlet._server.response_head import ResponseStyle
from eventlet._server.takeover import say_stop
from eventlet._unpatched import monotonic
from eventlet.greenthread import sleep
from eventlet.semaphore import Semaphore

__all__ = ["Stream", "StreamAborted", "Wire"]

PIECE_BYTES: Final = 65536  # of a response; each has the whole time again
FRAME_BYTES: Final = 16384  # so that streams take turns
TURN_PIECES: Final = 32  # sent before others may run, however small
DRAIN_SECONDS: Final = 1.0  # for the rest of a body that nobody has read


class StreamAborted(EventletError, ConnectionResetError):
    """The client reset the stream, or its connection broke.

    Attributes:
        code: as RST_STREAM or GOAWAY said, None where neither did.
    """

    def __init__(self, code: int | None, detail: str) -> None:
        self.code = code
        super().__init__(detail)


class Wire(Protocol):
    """What a stream needs of its connection."""

    server: Any
    environ: Environ
    style: ResponseStyle
    places: Semaphore
    body_seconds: float | None
    write_seconds: float | None
    is_stopping: bool

    @property
    def is_full(self) -> bool: ...

    @property
    def is_deaf(self) -> bool: ...

    @property
    def is_shared(self) -> bool: ...

    def window(self, stream_id: int) -> int: ...

    def send_head(self, stream_id: int, fields: Fields, is_last: bool) -> None: ...

    def send_data(self, stream_id: int, data: Any, is_last: bool) -> None: ...

    def reset(self, stream_id: int, code: ErrorCode) -> None: ...

    def took(self, stream_id: int, size: int) -> None: ...

    def end_if_done(self) -> None: ...


class Stream(Answering):
    """Answers one request, in `run`.

    Args:
        wire: the connection.
        stream_id: its number.
        head: the request.
        client: pair (address, socket) of the connection.

    Attributes:
        body: of the request.
        room: told when there may be room to send.
        error: why nothing can be sent any more, None while it can.
        thread: the green thread that runs it.
        on_stop: called if the server stops, None for nothing.
    """

    def __init__(
        self, wire: Wire, stream_id: int, head: RequestHead, client: tuple[Any, Any]
    ) -> None:
        super().__init__([*client, STATE_REQUEST], wire.server)
        self.stream_id = stream_id
        self.room = Signal()
        self.error: Exception | None = None
        self._pieces = 0
        self.thread: Any = None
        self.on_stop: Callable[[], object] | None = None
        self._wire = wire
        self._head = head
        self.body = BodyBuffer(
            self._took,
            wire.body_seconds,
            wire.server.limits.body_bytes,
            head.fields.content_length,
        )

    @property
    def is_waited_for(self) -> bool:
        """A connection that shall end waits for it."""
        return bool(self.conn_state[2] != STATE_IDLE)

    def fail(self, exc: Exception) -> None:
        """Have reading and sending raise `exc`; never switches."""
        if self.error is None:
            self.error = exc
        self.body.fail(exc)
        self.room.notify()

    def run(self) -> None:
        """Answer the request once there is a place for it."""
        wire = self._wire
        code: ErrorCode | None = ErrorCode.INTERNAL_ERROR
        try:
            with wire.places:
                is_whole = self.error is None and self._serve()
            if is_whole:
                code = None if self._is_request_over() else ErrorCode.NO_ERROR
        finally:
            self.body.drop()
            if code is not None and self.error is None:
                wire.reset(self.stream_id, code)
            # For whom the application has left behind, with the body or `write` in its hands.
            self.fail(StreamAborted(None, "the request is over"))

    def _serve(self) -> bool:
        """Answer; False where the client did not get a whole response."""
        line, fields, target = self._head
        body = self._make_input()
        response = StreamResponse(self, self._wire.style, line.method, body)
        environ = request_environ(fields_environ(self._wire.environ, fields), line, target, body)
        environ["SERVER_PROTOCOL"] = "HTTP/2"
        environ["eventlet.set_idle"] = self._set_idle
        environ["eventlet.on_stop"] = self.call_on_stop
        self.answer(line, fields, environ, body, response)
        return response.is_ended

    def _make_input(self) -> StreamInput:
        fields = self._head.fields
        waits = waits_for_continue(fields, 1)
        return StreamInput(
            self.body,
            fields.content_length,
            SocketView(self.socket),
            InterimFields(self.send_head) if waits else None,
            CONTINUE_LINE if waits else None,
        )

    def _is_request_over(self) -> bool:
        """Give a client that still sends a moment to hear the answer; tell whether it has."""
        if self.body.is_ended:
            return True
        self._set_idle()
        return self.body.drop_to_end(DRAIN_BYTES, DRAIN_SECONDS)

    def call_on_stop(self, callback: Callable[[], object] | None) -> None:
        """Have `callback` called if the server stops during this request."""
        self._has_callback = callback is not None
        self.on_stop = callback
        if self._wire.is_stopping:
            self.say_stop()

    def say_stop(self) -> None:
        """Call what was left for the case that the server stops; does not wait."""
        callback, self.on_stop = self.on_stop, None
        if callback is not None:
            say_stop(callback, self.server.journal)

    def _set_idle(self) -> None:
        set_idle(self.conn_state)
        self._wire.end_if_done()

    def _took(self, size: int) -> None:
        self._wire.took(self.stream_id, size)

    # --- sending ------------------------------------------------------------------------------

    def send_head(self, fields: Fields, is_last: bool) -> None:
        """Send the head of the response, or an interim one.

        Raises:
            OSError: the client is gone.
        """
        self._check()
        self._wire.send_head(self.stream_id, fields, is_last)

    def send_data(self, data: bytes, is_last: bool) -> None:
        """Send a piece of the body as the client gives room for it.

        Raises:
            OSError: the client is gone, or takes too long.
        """
        self._check()
        if not data:
            self._wire.send_data(self.stream_id, data, is_last)
            return
        try:
            self._send_pieces(data, is_last)
        except OSError:
            raise
        except BaseException:
            # An application that goes on after a Timeout would leave a hole that nobody sees.
            self._wire.reset(self.stream_id, ErrorCode.INTERNAL_ERROR)
            self.fail(StreamAborted(None, "sending was interrupted"))
            raise

    def _send_pieces(self, data: bytes, is_last: bool) -> None:
        wire, stream_id = self._wire, self.stream_id
        left = wire.write_seconds
        since = 0
        rest = memoryview(data)
        while rest:
            room = 0 if wire.is_full else min(wire.window(stream_id), FRAME_BYTES)
            if room <= 0:
                left = self._wait_for_room(left)
                continue
            piece, rest = rest[:room], rest[room:]
            is_whole = is_last and not rest
            wire.send_data(stream_id, piece, is_whole)
            self._pieces += 1
            since += len(piece)
            if since >= PIECE_BYTES:
                since, left = 0, wire.write_seconds
            if (rest and wire.is_shared) or (self._pieces % TURN_PIECES == 0 and not is_whole):
                sleep(0)  # take turns
                if rest:
                    self._check()

    def _wait_for_room(self, seconds: float | None) -> float | None:
        """Wait for the client to read; give what is left of the time."""
        if self._wire.is_deaf and not self._wire.is_full:
            self.fail(StreamAborted(None, "the client will not make room for the rest"))
            self._check()
        began = monotonic()
        if not self.room.wait(seconds):
            late = TimeoutError("the client takes too long")
            self._wire.reset(self.stream_id, ErrorCode.CANCEL)
            self.fail(late)
            raise late
        self._check()
        return None if seconds is None else max(seconds - (monotonic() - began), 0.001)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error
