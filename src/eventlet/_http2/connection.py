"""One connection of HTTP/2: the green thread that reads it, and what it hands out.

Theory of operation
-------------------
The reader (the green thread the listener gave us) cuts frames, has each judged by the `Guard`,
and lets `h2` make events of it. A request becomes a `Stream` with a green thread of its own;
an `Outbox` has another that writes. All of them use `h2` between two switches, never across
one, so it needs no lock.

The connection is *open*; then *leaving*, after our GOAWAY or the client's: streams that run
finish, new ones are refused; then *over*: nothing is read any more. It ends when the last
stream's green thread has: those of streams that were reset count until then, for
SETTINGS_MAX_CONCURRENT_STREAMS too, so resets buy nobody more of them. When the client breaks the
protocol, asks too much or is gone, every stream is told, and raises where it reads or sends.

`h2` is not shown the client's GOAWAY, nor asked to send ours: to it either one is the end,
and streams in flight could not finish.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from hpack import HPACKError
from hyperframe.frame import GoAwayFrame

from eventlet._core.wait_queue import interrupt, live_ticket
from eventlet._http2.engine import Engine
from eventlet._http2.frames import (
    PREFACE,
    ErrorCode,
    Flag,
    Frame,
    FrameCutter,
    Kind,
    ProtocolBroken,
)
from eventlet._http2.guard import CRUMB_BYTES, Guard
from eventlet._http2.outbox import Outbox
from eventlet._http2.request_head import MalformedRequest, RequestHead, check_trailers, read_head
from eventlet._http2.response import Fields, response_fields
from eventlet._http2.signals import Signal
from eventlet._http2.stream import Stream, StreamAborted
from eventlet._protocols.http1 import HeadParser
from eventlet._protocols.refusals import RequestRefused
from eventlet._server.activity import LAST_SECONDS
from eventlet._server.answering import (
    STATE_CLOSE,
    STATE_IDLE,
    STATE_REQUEST,
    Answering,
    set_idle,
)
from eventlet._server.connection import check_length, make_style
from eventlet._server.environ import Environ
from eventlet._server.patience import shorter
from eventlet._unpatched import monotonic
from eventlet.greenthread import getcurrent, kill, sleep, spawn
from eventlet.timeout import Timeout

__all__ = ["serve_connection"]

RECEIVE_BYTES: Final = 65536
CONNECTION_WINDOW: Final = 1048576
FIRST_WINDOW: Final = 65535  # of any connection, before anybody says more
TABLE_BYTES: Final = 4096  # of header compression, whatever the client would allow
TURN_FRAMES: Final = 32  # judged before others may run
TURN_SECONDS: Final = 0.01  # the same, where a few cost as much
CRUMB_SECONDS: Final = 0.03  # between two turns, where a body comes in too many pieces
_TOO_LARGE: Final = frozenset({414, 431})  # known only when all of it was unpacked


class _Enough(BaseException):
    """Raised in the reader when nothing more needs to be read."""


def serve_connection(answering: Answering, environ: Environ, received: bytes) -> None:
    """Serve a connection of HTTP/2 until it ends; does not close it.

    Args:
        answering: the connection.
        environ: what all its requests have in common.
        received: bytes that came already, the preface first.
    """
    _Connection(answering, environ).run(received)


class _Connection:
    def __init__(self, answering: Answering, environ: Environ) -> None:
        self._answering = answering
        self._sock = answering.socket
        self._state = answering.conn_state
        self.server = server = answering.server
        self.environ = environ
        assert server.places is not None  # wherever HTTP/2 is on
        self.places = server.places
        self.style, idle = make_style(server)
        limits, standing = server.limits, server.socket_timeout
        if idle is None:
            idle = limits.idle_timeout
        self._idle_seconds = standing if idle is None else idle
        self._head_seconds = limits.head_timeout
        self.body_seconds = shorter(limits.body_timeout, standing)
        self.write_seconds = standing if limits.write_timeout is None else limits.write_timeout

        self._head_limits = server.get_head_limits()
        self._parser = HeadParser(False, limits.header_count, limits.requires_host)
        self._max_streams = limits.http2_streams
        self._streams: dict[int, Stream] = {}
        self._last_id = 0
        self._cutter = FrameCutter()
        self._core = Engine(self._max_streams, self._head_limits.total)
        block_bytes = self._head_limits.total + self._head_limits.request_line
        self._guard = Guard(block_bytes, monotonic())
        self._outbox = Outbox(
            self._sock, self._core.data_to_send, self.write_seconds, self._tell_of_room
        )
        self._reader = getcurrent()
        self._is_receiving = False
        self._is_leaving = False
        self.is_stopping = False
        self._leaves_soon = False
        self._is_over = False
        self._is_broken = False
        self.is_deaf = False
        self._idle_since = self._partial_since = monotonic()
        self._is_partial = True
        self._silence = Signal()
        self._end = Signal()

    # --- the whole of it ------------------------------------------------------------------

    def run(self, received: bytes) -> None:
        """Serve until it ends."""
        self._sock.settimeout(None)  # each wait has a time of its own
        writer = spawn(self._write)
        try:
            self._begin()
            try:
                self._read(received)
            except _Enough:
                pass
            except ProtocolBroken as exc:
                self._break_off(exc.code, exc.detail)
            except OSError as exc:
                self._answering.may_hear_more = False
                self._lose(f"failed ({exc})")
            self._is_over = True
            self._tell_that_nothing_comes()
            self._wait_for_streams()
            self._outbox.close()
            writer.wait()
        except BaseException:
            for stream in list(self._streams.values()):
                kill(stream.thread)
            self._outbox.give_up()
            kill(writer)
            self._wait_for_streams()
            raise
        finally:
            self.server.call_on_stop(self._state, None)
            self._end.notify()

    def _begin(self) -> None:
        self._core.initiate_connection()
        self._core.increment_flow_control_window(CONNECTION_WINDOW - FIRST_WINDOW)
        # One that is refused is open for a moment.
        self._core.announce(self._max_streams + 1)
        self._core.receive_data(PREFACE)
        self._outbox.flush()
        self.server.call_on_stop(self._state, self._stop)

    def _write(self) -> None:
        try:
            self._outbox.run()
        except BaseException as exc:
            self._answering.may_hear_more = False
            self._outbox.give_up()
            self._lose(f"failed ({exc})")
            self._stop_reading()
            if not isinstance(exc, OSError):
                raise

    def _wait_for_streams(self) -> None:
        while self._streams:
            self._silence.wait()

    # --- reading ------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        while True:
            if data:
                self._cutter.feed(data)
                self._judge_all()
            if self._is_over:
                return
            self._outbox.wait_while_flooded()
            if pause := self._pause():
                sleep(pause)  # they may also come one at a time
            data = self._receive()
            if not data:
                self._answering.may_hear_more = False
                return

    def _receive(self) -> bytes:
        """Wait for bytes; nothing when the client closed.

        Raises:
            ProtocolBroken: it keeps us waiting for too long.
            OSError: the connection failed.
        """
        while not self._is_over:
            late = TimeoutError()
            seconds: float | None = 0.0
            blame: ProtocolBroken | None = None
            try:
                seconds = self._patience()
            except ProtocolBroken as exc:
                blame = exc  # unless it is we who were held up: what is there has come in time
            try:
                self._is_receiving = True
                with Timeout(seconds, late):
                    data: bytes = self._sock.recv(RECEIVE_BYTES)
                return data
            except TimeoutError as exc:
                if exc is not late:
                    raise
                if blame is not None:
                    raise blame from None
            finally:
                self._is_receiving = False
        raise _Enough

    def _patience(self) -> float | None:
        """Give the seconds until it is worth a look whether the client took too long."""
        now = monotonic()
        if self._is_partial and self._head_seconds is not None:
            left = self._partial_since + self._head_seconds - now
            if left <= 0:
                raise ProtocolBroken(ErrorCode.ENHANCE_YOUR_CALM, "a frame takes too long")
            return left
        if self._idle_seconds is None:
            return None
        since = now if self._streams else self._idle_since
        left = since + self._idle_seconds - now
        if left <= 0:
            raise ProtocolBroken(ErrorCode.NO_ERROR, "timed out")
        return left

    def _judge_all(self) -> None:
        """Work off the frames that have come, with pauses in which others run."""
        count = 0
        turn_ends = monotonic() + TURN_SECONDS
        for frame in self._cutter.frames():
            self._judge(frame)
            count += 1
            if count % TURN_FRAMES == 0 or monotonic() > turn_ends:
                self._outbox.flush()
                self._outbox.wait_while_flooded()
                sleep(self._pause())
                turn_ends = monotonic() + TURN_SECONDS
            if self._is_over:
                break
        self._outbox.flush()
        self._note_partial(count > 0)
        if self._leaves_soon:
            self.say_goodbye()

    def _pause(self) -> float:
        return CRUMB_SECONDS if self._guard.is_crumbling(monotonic()) else 0

    def _note_partial(self, has_moved: bool) -> None:
        """Remember since when a frame, or a header block, has been waiting for its rest."""
        was_partial = self._is_partial
        cutter = self._cutter
        is_body = cutter.begins_with_data and bool(self._streams)
        is_part = not cutter.is_between and not is_body
        self._is_partial = is_part or self._guard.is_in_block
        if not was_partial or (has_moved and not self._guard.is_in_block):
            self._partial_since = monotonic()

    def _judge(self, frame: Frame) -> None:
        core = self._core
        self._guard.check(frame, core.highest_inbound_stream_id, monotonic())
        if frame.kind == Kind.GOAWAY and not self._guard.is_in_block:
            self._hear_goodbye(frame)
            return
        if frame.kind > Kind.CONTINUATION and not self._guard.is_in_block:
            return  # of an extension; to `h2` an ALTSVC that is none would be an error
        if frame.kind == Kind.DATA:
            self._check_length(frame)
        self._outbox.flush()
        try:
            events = core.receive_data(frame.raw)
        except ProtocolError as exc:
            core.clear_outbound_data_buffer()  # its GOAWAY; ours says more
            code = ErrorCode(exc.error_code)
            if isinstance(exc.__cause__, HPACKError) and code == ErrorCode.PROTOCOL_ERROR:
                code = ErrorCode.COMPRESSION_ERROR
            raise ProtocolBroken(code, type(exc).__name__) from exc
        for event in events:
            self._handle(event)

    def _check_length(self, frame: Frame) -> None:
        """Reset a stream whose body is not as long as its head said."""
        stream = self._streams.get(frame.stream_id)
        if stream is None or stream.body.is_ended:
            self._guard.spend_idle(monotonic())
        elif stream.error is None and not stream.body.fits(
            frame.data_size, bool(frame.flags & Flag.END_STREAM)
        ):
            self._reset_for_fault(frame.stream_id, "a body of another length than announced")

    def _hear_goodbye(self, frame: Frame) -> None:
        if frame.stream_id:
            raise ProtocolBroken(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if frame.size < 8:
            raise ProtocolBroken(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY without its code")
        self.say_goodbye()

    # --- events -------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._handle_request(event)
        elif isinstance(event, DataReceived):
            self._handle_data(event)
        elif isinstance(event, StreamEnded):
            self._handle_end(event.stream_id)
        elif isinstance(event, StreamReset):
            self._guard.spend_reset(monotonic())
            self._abort(event.stream_id, int(event.error_code or 0), "the client reset the stream")
        elif isinstance(event, TrailersReceived):
            try:
                check_trailers(_pairs(self._core.unpacker.fields))
            except MalformedRequest as exc:
                self._reset_for_fault(event.stream_id, exc.detail)
        elif isinstance(event, WindowUpdated):
            if event.stream_id:
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.room.notify()
            else:
                self._tell_of_room()
        elif isinstance(event, RemoteSettingsChanged):
            if self._core.encoder.header_table_size > TABLE_BYTES:
                self._core.encoder.header_table_size = TABLE_BYTES
            self._tell_of_room()

    def _handle_request(self, event: RequestReceived) -> None:
        stream_id = event.stream_id
        is_whole = event.stream_ended is not None
        if self._is_leaving or len(self._streams) >= self._max_streams:
            self._guard.spend_reset(monotonic())
            self.reset(stream_id, ErrorCode.REFUSED_STREAM)
            return
        self._guard.saw_request()
        self._last_id = stream_id
        fields = _pairs(self._core.unpacker.fields)
        try:
            head = read_head(fields, self._parser, self._head_limits)
            length = head.fields.content_length
            if is_whole and length:
                raise MalformedRequest("a length, but no body")
            check_length(length or 0, self.server.limits.body_bytes)
        except MalformedRequest as exc:
            self._reset_for_fault(stream_id, exc.detail)
        except RequestRefused as exc:
            self._refuse(stream_id, fields, exc, is_whole)
        else:
            self._start(stream_id, head, is_whole)

    def _start(self, stream_id: int, head: RequestHead, is_whole: bool) -> None:
        state = self._state
        if state[2] == STATE_IDLE:
            state[2] = STATE_REQUEST
        if not self.server.keepalive:
            self._leaves_soon = True
        stream = Stream(self, stream_id, head, (state[0], self._sock))
        if is_whole:
            stream.body.end()
        self._streams[stream_id] = stream
        stream.thread = spawn(stream.run)
        stream.thread.link(self._forget, stream_id)

    def _forget(self, thread: Any, stream_id: int) -> None:
        """Take notice that a stream's green thread has ended."""
        del self._streams[stream_id]
        if not self._streams:
            set_idle(self._state)
            self._idle_since = monotonic()
            self._silence.notify()
            if self.is_stopping:
                self.say_goodbye()
        self.end_if_done()

    def _handle_data(self, event: DataReceived) -> None:
        data = event.data or b""
        stream = self._streams.get(event.stream_id)
        if stream is None:
            self.took(event.stream_id, event.flow_controlled_length or 0)
            return
        self.took(event.stream_id, (event.flow_controlled_length or 0) - len(data))  # padding
        if data:
            stream.body.feed(data)

    def _handle_end(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None or stream.error is not None or stream.body.is_ended:
            return
        if stream.body.fits(0, True):
            stream.body.end()
        else:
            self._reset_for_fault(stream_id, "a body of another length than announced")

    def _abort(self, stream_id: int, code: int | None, detail: str) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.fail(StreamAborted(code, detail))

    def _reset_for_fault(self, stream_id: int, detail: str) -> None:
        self._answering.debug(f"reset stream {stream_id} ({detail})")
        self.reset(stream_id, ErrorCode.PROTOCOL_ERROR)
        self._abort(stream_id, int(ErrorCode.PROTOCOL_ERROR), detail)
        self._guard.spend_reset(monotonic())

    def _refuse(
        self,
        stream_id: int,
        fields: list[tuple[bytes, bytes]],
        refusal: RequestRefused,
        is_whole: bool,
    ) -> None:
        """Answer a request that is none with a status.

        Raises:
            ProtocolBroken: there were too many of those that cost much to look at.
        """
        if refusal.status in _TOO_LARGE:
            self._guard.spend_reset(monotonic())
        pseudo = dict(fields)
        raw = b"%b %b HTTP/2" % (pseudo.get(b":method", b"-"), pseudo.get(b":path", b"-"))
        answering = Answering([self._state[0], self._sock, STATE_REQUEST], self.server)
        answering.complain = self._answering.complain
        answering.refuse(
            refusal, raw, lambda head: self.send_head(stream_id, response_fields(head), True)
        )
        if not is_whole:
            self.reset(stream_id, ErrorCode.NO_ERROR)

    # --- what streams ask for -----------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """So much is waiting to be sent that nobody may add to it."""
        return self._outbox.is_full

    @property
    def is_shared(self) -> bool:
        """Other streams may be waiting for the same room."""
        return len(self._streams) > 1

    def window(self, stream_id: int) -> int:
        """Give how many bytes of a body the client will take now."""
        return self._core.local_flow_control_window(stream_id)

    def send_head(self, stream_id: int, fields: Fields, is_last: bool) -> None:
        """Have a head sent."""
        self._core.send_headers(stream_id, fields, end_stream=is_last)
        self._outbox.flush()

    def send_data(self, stream_id: int, data: Any, is_last: bool) -> None:
        """Have a piece of a body sent for which there is room; never switches."""
        self._core.send_data(stream_id, data, end_stream=is_last)
        if is_last or len(data) >= CRUMB_BYTES or self.window(stream_id) > 0:
            self._guard.sent_data()  # but not where the client has it in crumbs
        self._outbox.flush()
        # Who has just had room is told last when there is room again.
        self._streams[stream_id] = self._streams.pop(stream_id)

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream, if that is of any use still."""
        if not self._is_broken:
            with suppress(StreamClosedError):  # both sides have ended it
                self._core.reset_stream(stream_id, error_code=code)
            self._outbox.flush()

    def took(self, stream_id: int, size: int) -> None:
        """Let the client send so many bytes more."""
        if size and not self._is_broken:
            self._core.acknowledge_received_data(size, stream_id)
            self._outbox.flush()

    def _tell_of_room(self) -> None:
        for stream in self._streams.values():
            stream.room.notify()

    # --- the end --------------------------------------------------------------------------------

    def _stop(self) -> None:
        """End because the server does; runs in a green thread of its own.

        Who is at work is given a moment. Best is one in which nothing runs: many clients take
        GOAWAY for the end of everything that they wait for.
        """
        if self._is_over:
            return
        self.is_stopping = True
        for stream in list(self._streams.values()):
            stream.say_stop()
        is_at_work = self._streams or self._idle_since > monotonic() - LAST_SECONDS
        if is_at_work and not self._is_leaving:
            self._end.wait(LAST_SECONDS)
        self.say_goodbye()

    def say_goodbye(self) -> None:
        """Let what runs finish, refuse what is new, then end. May be called by anybody."""
        if self._is_leaving:
            return
        self._is_leaving = True
        self._leaves_soon = False
        self._state[2] = STATE_CLOSE
        self._send_goaway(ErrorCode.NO_ERROR)
        self.end_if_done()

    def end_if_done(self) -> None:
        """Stop reading when it is leaving and nobody has to be waited for."""
        if self._is_leaving and not any(each.is_waited_for for each in self._streams.values()):
            self._stop_reading()

    def _stop_reading(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        ticket = live_ticket(self._reader) if self._is_receiving else None
        if ticket is not None:
            interrupt(ticket, _Enough())

    def _break_off(self, code: ErrorCode, detail: str) -> None:
        """End it now, and say why."""
        if not self._is_leaving or code != ErrorCode.NO_ERROR:
            self._send_goaway(code)
        self._lose(f"ended with {code.name}: {detail}")

    def _lose(self, detail: str) -> None:
        """Take notice that no stream can go on."""
        if not self._is_broken:
            self._is_broken = self._is_leaving = True
            for stream_id in list(self._streams):
                self._abort(stream_id, None, detail)
            self._answering.debug(detail)

    def _tell_that_nothing_comes(self) -> None:
        """Tell those that run on that the client's side has ended."""
        self.is_deaf = self._is_leaving = True
        gone = StreamAborted(None, "the client closed the connection")
        for stream in self._streams.values():
            if stream.is_waited_for:
                stream.body.fail(gone)
                stream.room.notify()
            else:
                stream.fail(gone)

    def _send_goaway(self, code: ErrorCode) -> None:
        frame = GoAwayFrame(0, last_stream_id=self._last_id, error_code=code)
        self._outbox.flush(frame.serialize())


def _pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in headers or ()]
