"""One WebSocket, after the handshake, on either side.

Theory of operation
-------------------
Whoever calls `wait` reads the socket; there is no green thread behind it. Control frames are
dealt with on the way: a ping is answered through the outbox, which never holds the reader up.

The connection is *open*, then *closing* (`_is_closing`: one green thread is at `_finish`), then
closed. Who closes hears the peer out itself, unless somebody is at `wait`, who then does; who
comes to `wait` or `close` later waits until the first has done. There are four ways to the end:

    close()                send a close frame, wait for the peer's, hang up
    the peer's close frame send the answer, hang up; `wait` returns None
    the peer is wrong      send a close frame that says so, hang up; `wait` returns None
    the end of the stream  `wait` returns None; `close` hangs up

The server ends its stream first, right behind its close frame (with TLS, which cannot be ended in
one direction, when it has heard the peer's), and then still reads for a while: bytes that come
after a close are answered with a reset, which would destroy the close frame on its way. All of
this together takes at most `close_timeout`, and it always ends with the socket closed.
"""

from __future__ import annotations

import errno
import socket as stdlib_socket
import ssl
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from eventlet._server.closing import end_tls
from eventlet._server.environ import is_tls
from eventlet._unpatched import base_socket, monotonic
from eventlet._websocket.closing_codes import (
    ABNORMAL,
    GOING_AWAY,
    INTERNAL_ERROR,
    NO_CODE,
    NORMAL,
    pack_close_data,
    pack_failure,
    parse_close_payload,
)
from eventlet._websocket.compression import make_deflater, make_inflater
from eventlet._websocket.errors import (
    ConnectionClosedError,
    FailedConnectionError,
    ProtocolError,
)
from eventlet._websocket.extensions import DeflateParameters
from eventlet._websocket.keepalive import KeepAlive
from eventlet._websocket.outbox import Outbox
from eventlet._websocket.packing import CLOSE, PING, PONG, FramePacker
from eventlet._websocket.reading import Event, FrameReader, Message, PeerClose, Ping
from eventlet.event import Event as Moment

__all__ = ["DEFAULT_MAX_FRAME_LENGTH", "FRAGMENT_LENGTH", "RFC6455WebSocket", "WebSocket"]

DEFAULT_MAX_FRAME_LENGTH: Final = 8 << 20
FRAGMENT_LENGTH: Final = 1 << 20
CLOSE_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 1.0  # for the end of the stream, once all is said
POLITE_LINGER_SECONDS: Final = 0.25  # behind a client's close frame: it may send nothing more
RECEIVE_BYTES: Final = 65536

_NOTHING_YET = (TimeoutError, BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class WebSocket:
    """What every WebSocket is; the drafts that had this class are gone.

    Attributes:
        socket: the socket below.
        environ: of the request that it began with; empty at a client.
        path: of that request.
        origin: the web site that the client belongs to, if it says so.
        protocol: the sub-protocol that was agreed on, None for none.
        version: of the protocol, 13 or 8.
        websocket_closed: it is closed, or closing.
    """

    socket: Any
    environ: dict[str, Any]
    path: str | None
    origin: str | None
    protocol: str | None
    version: int
    websocket_closed: bool

    def __init__(self, sock: Any, environ: dict[str, Any], version: int = 76) -> None:
        raise TypeError(
            f"the WebSocket drafts from before RFC 6455 are gone (version {version}); "
            "use RFC6455WebSocket"
        )


class RFC6455WebSocket(WebSocket):
    """A WebSocket: messages go out with `send` and come in with `wait`, or by iteration.

    Args:
        sock: a green socket behind the handshake.
        environ: of the request.
        version: 13, or 8, which is the same on the wire.
        protocol: the sub-protocol that was agreed on.
        client: we are the client.
        extensions: what was negotiated: name -> parameters by name.
        max_frame_length: bytes that a frame or message of the peer may have.
        max_queue: messages that `send` may leave behind for a peer that reads slowly, before
            it waits; with 0 it waits until the kernel has its message.
        received: bytes that came behind the handshake already.

    Attributes:
        close_code: how it ended: the code of the peer's close frame (1005 for none in it),
            else of ours; 1006 when there was no close frame. None before.
        close_reason: the text that came with it.
        close_timeout: seconds that ending may take.
        failure: the error of the socket that was raised last, None for none.
        fragment_length: characters or bytes of a message that go into one frame at most; None
            means all of them. Pings and pongs can go out between frames.
    """

    def __init__(
        self,
        sock: Any,
        environ: dict[str, Any],
        version: int = 13,
        protocol: str | None = None,
        client: bool = False,
        extensions: Mapping[str, Any] | None = None,
        max_frame_length: int = DEFAULT_MAX_FRAME_LENGTH,
        *,
        max_queue: int = 0,
        received: bytes = b"",
    ) -> None:
        self.socket = sock
        self.environ = environ
        self.path = environ.get("PATH_INFO")
        self.origin = environ.get("HTTP_ORIGIN")
        self.version = version
        self.protocol = protocol
        self.client = client
        self.max_frame_length = max_frame_length
        self.websocket_closed = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.close_timeout = CLOSE_SECONDS
        self.failure: OSError | None = None
        self._remote_close_data: bytes | None = None
        self._is_closing = False
        self._reading_ended = Moment()
        self._closed = Moment()
        self._readers = 0
        self._reader_leaves = Moment()
        self._keepalive: KeepAlive | None = None
        self._received_count = 0
        self._sent_bytes = 0
        self._unread_bytes = 0  # that `_look` has taken for a reader to come
        self._outbox = Outbox(
            self._write, FramePacker(client, None), max_queue, self._refusal, self._torn
        )
        self.extensions = extensions
        self._reader.feed(received)

    # --- what users do ----------------------------------------------------------------

    def wait(self) -> str | bytes | None:
        """Return the next message, text as `str`; None once the WebSocket is closed.

        It is closed by the peer, by `close`, or because the peer broke the protocol:
        `close_code` tells. Interrupted, it loses no message.

        Raises:
            TimeoutError: the socket has a time-out, and nothing came; may be called again.
            OSError: the connection failed.
        """
        message = self._next_message()
        return None if message is None else message.data

    def __iter__(self) -> Iterator[str | bytes]:
        while (message := self.wait()) is not None:
            yield message

    def send(
        self,
        message: str | bytes,
        continuation: bool = False,
        final: bool = True,
        control_code: int | None = None,
    ) -> None:
        """Send a message: `str` as text, anything of bytes as binary.

        Waits while others send, and while the peer does not read. Interrupted or failing once
        it has begun to write, it ends the connection, because half a message is on its way;
        interrupted before, it changes nothing.

        Args:
            message: text or bytes.
            continuation: goes on with a message that was sent with `final=False`.
            final: the message ends here.
            control_code: send a control frame with this opcode instead: 8, 9 or 10.

        Raises:
            ProtocolError: it would break the protocol; nothing was sent.
            ConnectionClosedError: the WebSocket is closed.
            OSError: the connection failed.
            TypeError: it is no message.
        """
        if control_code is not None:
            self._send_control(control_code, _as_message(message), final and not continuation)
        else:
            self._outbox.send(_as_message(message), continuation, final)

    def close(self, close_data: tuple[int, str] | None = None) -> None:
        """Close the WebSocket: tell the peer, wait for its answer, at most `close_timeout`.

        What it sends meanwhile is dropped. Closed already, nothing happens; while somebody else
        closes it, wait until that is done.

        Args:
            close_data: pair (code, reason); the reason has at most 123 bytes.

        Raises:
            ProtocolError: nobody may send this code, or the reason is too long.
        """
        payload = pack_close_data(close_data)
        if self._is_closing:
            self._closed.wait(self.close_timeout)
            return
        if not payload:
            self._finish(payload, NO_CODE, "")
        else:
            self._finish(payload, *parse_close_payload(payload))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self.close((NORMAL, ""))
        elif isinstance(exc, Exception):
            self.close((INTERNAL_ERROR, ""))
        else:
            self.abandon()

    # --- what else the package does -----------------------------------------------------

    @property
    def extensions(self) -> dict[str, Any]:
        """What was negotiated; settable before the first message."""
        return self._extensions

    @extensions.setter
    def extensions(self, extensions: Mapping[str, Any] | None) -> None:
        parameters = DeflateParameters.from_extensions(extensions)
        self._extensions = dict(extensions or {})
        self._outbox.packer = FramePacker(self.client, make_deflater(parameters, self.client))
        self._reader = FrameReader(
            self.client, self.max_frame_length, make_inflater(parameters, self.client)
        )

    @property
    def fragment_length(self) -> int | None:
        """How much of a message goes into one frame."""
        return self._outbox.fragment_length

    @fragment_length.setter
    def fragment_length(self, length: int | None) -> None:
        self._outbox.fragment_length = length

    def abandon(self) -> None:
        """Close the socket at once, without a word; never waits."""
        self._is_closing = True
        self.failure = None
        self._outbox.tear()
        self._end_reading(ABNORMAL, "")
        self._close_socket()

    def go_away(self) -> None:
        """Close the WebSocket because what it belongs to comes to an end."""
        self.close((GOING_AWAY, ""))

    @property
    def sent_bytes(self) -> int:
        """How much was sent since the handshake."""
        return self._sent_bytes

    def keep_alive(self, interval: float | None, timeout: float) -> None:
        """Ping the peer after `interval` seconds of silence; end it after `timeout` more.

        Raises:
            ValueError: the seconds are not positive.
        """
        self._stop_pings()
        self._keepalive = KeepAlive(self, interval, timeout)
        self._keepalive.start()

    def ping(self) -> None:
        """Send a ping as soon as the frame is out that is being sent; never waits."""
        self._outbox.post(self._outbox.packer.pack_control(PING, b""))

    def has_heard_since(self, count: int) -> bool:
        """Tell whether anything came after `heard` was `count`; looks now if nobody reads."""
        if self._received_count == count and not self._readers and not self._is_closing:
            self._look()
        return self._received_count != count

    @property
    def heard(self) -> int:
        """How often anything was received."""
        return self._received_count

    def give_up(self, reason: str) -> None:
        """End a connection whose peer is silent: no more is read or written."""
        self._outbox.tear()
        self._end_reading(ABNORMAL, reason)
        self._end_stream()

    # --- reading --------------------------------------------------------------------------

    def _recv_frame(self, message: None = None) -> Message | None:
        """Return the next message, which also knows how it came; None at the end."""
        self._reader.keep_packed()
        return self._next_message()

    def _next_message(self) -> Message | None:
        while not self._reading_ended.ready():
            try:
                event = self._reader.next_event()
            except FailedConnectionError as exc:
                self._fail(exc.status, exc.message)
                return None
            except Exception:
                self._fail(INTERNAL_ERROR, "")
                raise
            if event is None:
                self._unread_bytes = 0
                self._receive_as_user()
            elif isinstance(event, Message):
                return event
            else:
                self._obey(event)
        return None

    def _receive_as_user(self) -> None:
        """Receive; while another green thread closes, it is that one whose time counts."""
        if not (self._is_closing and self._readers):
            try:
                self._receive()
            except _NOTHING_YET:
                if not self._is_closing:
                    raise
            else:
                return
        self._reading_ended.wait(self.close_timeout)

    def _receive(self) -> None:
        self._readers += 1
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except OSError as exc:
            self.failure = exc
            if isinstance(exc, _NOTHING_YET) and exc.errno != errno.ETIMEDOUT:
                raise
            if self._is_closing:
                data = b""  # closed under us, by us
            else:
                self._end_reading(ABNORMAL, str(exc))
                raise
        finally:
            self._readers -= 1
            if not self._reader_leaves.ready():
                self._reader_leaves.send()
        if data:
            self._received_count += 1
            self._unread_bytes += len(data)
            self._reader.feed(data)
        else:
            self._end_reading(ABNORMAL, "")

    def _obey(self, event: Event) -> None:
        """Do what a control frame wants."""
        if isinstance(event, Ping):
            self._outbox.post(self._outbox.packer.pack_control(PONG, event.payload))
        elif isinstance(event, PeerClose):
            self._note_close(event)
            if not self._is_closing:
                code = NORMAL if event.code == NO_CODE else event.code
                self._finish(pack_failure(code, ""), event.code, event.reason)

    def _note_close(self, event: PeerClose) -> None:
        self._remote_close_data = event.payload
        self.close_code, self.close_reason = event.code, event.reason
        self._end_reading(event.code, event.reason)

    def _end_reading(self, code: int, reason: str) -> None:
        """Let nobody read any more."""
        self.websocket_closed = True
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        if not self._reading_ended.ready():
            self._reading_ended.send()
        self._stop_pings()

    def _stop_pings(self) -> None:
        if self._keepalive is not None:
            self._keepalive.stop()

    def _look(self) -> None:
        """Take what is there for a reader to come, within limits."""
        if self._unread_bytes > self.max_frame_length:
            self._received_count += 1  # it is we who do not listen
            return
        timeout = self.socket.gettimeout()
        self.socket.settimeout(0.0)
        try:
            self._receive()
        except OSError:
            return  # nothing came, or the connection failed: then reading has ended
        finally:
            if not self._is_closing:
                self.socket.settimeout(timeout)

    # --- sending --------------------------------------------------------------------------

    def _write(self, frame: bytes) -> None:
        try:
            self.socket.sendall(frame)
        except OSError as exc:
            self.failure = exc
            raise
        self._sent_bytes += len(frame)

    def _send(self, frame: bytes) -> None:
        """Send the bytes of a frame as they are."""
        self._outbox.send_control(frame)

    def _pack_message(
        self,
        message: str | bytes,
        masked: bool = False,
        continuation: bool = False,
        final: bool = True,
        control_code: int | None = None,
    ) -> bytes:
        """Make a frame, masked or not, whichever side we are on."""
        packer = self._outbox.packer
        data = _as_message(message)
        if control_code is not None:
            whole = final and not continuation
            return packer.pack_control(control_code, _check_control(data, whole), masked)
        return packer.pack_data(data, continuation, final, masked)

    def _send_control(self, opcode: int, data: str | bytes, whole: bool) -> None:
        payload = _check_control(data, whole)
        if opcode == CLOSE:
            try:
                parse_close_payload(payload)
            except FailedConnectionError as exc:
                raise ProtocolError(exc.message) from exc
        frame = self._outbox.packer.pack_control(opcode, payload)
        if opcode == CLOSE:
            self._outbox.end(frame, self.close_timeout)
        else:
            self._outbox.send_control(frame)

    def _refusal(self) -> ConnectionClosedError:
        return ConnectionClosedError(self.close_code, self.close_reason)

    def _torn(self) -> None:
        """End both directions: what the peer has of a frame will never be whole."""
        if not self._is_closing:
            self.websocket_closed = True
            self._end_stream()

    def _end_stream(self) -> None:
        """Shut both directions down, under those who read and write."""
        sock = self.socket
        try:
            if is_tls(sock):
                # Its own `shutdown` would have them go on in plain text.
                base_socket.shutdown(sock, stdlib_socket.SHUT_RDWR)
            else:
                sock.shutdown(stdlib_socket.SHUT_RDWR)
        except OSError:
            pass  # it is down already

    # --- the end ----------------------------------------------------------------------------

    def _fail(self, status: int, message: str) -> None:
        """End the connection because of what the peer did, and tell it."""
        self._end_reading(status, message)
        if not self._is_closing:
            self._finish(pack_failure(status, message), status, message)

    def _finish(self, payload: bytes, code: int, reason: str) -> None:
        """Send the close frame, hear the peer's, hang up; bounded in time.

        A peer that is gone, or too slow, is no error here: all is over anyway.
        """
        self._is_closing = True
        self.websocket_closed = True
        deadline = monotonic() + self.close_timeout
        try:
            self._limit(deadline)
            frame = self._outbox.packer.pack_control(CLOSE, payload)
            self._outbox.end(frame, deadline - monotonic())
            if not self.client and not is_tls(self.socket):
                self.socket.shutdown(stdlib_socket.SHUT_WR)
            self._hear_out(deadline)
            is_polite = self._remote_close_data is not None and not self.client
            seconds = POLITE_LINGER_SECONDS if is_polite else LINGER_SECONDS
            self._hang_up(min(deadline, monotonic() + seconds))
        except (OSError, ValueError, FailedConnectionError):
            pass
        finally:
            self._end_reading(code, reason)
            self._outbox.tear()
            self._close_socket()

    def _close_socket(self) -> None:
        self.socket.close()
        if not self._closed.ready():
            self._closed.send()

    def _limit(self, deadline: float) -> None:
        """Bound the next call on the socket.

        Raises:
            TimeoutError: it is too late for one.
        """
        seconds = deadline - monotonic()
        if seconds <= 0:
            raise TimeoutError("closing took too long")
        self.socket.settimeout(seconds)

    def _hear_out(self, deadline: float) -> None:
        """Wait for the peer's close frame; messages that come before it are dropped."""
        while not self._reading_ended.ready():
            self._limit(deadline)
            if self._readers:
                self._reader_leaves = Moment()
                self._reader_leaves.wait(max(deadline - monotonic(), 0.0))
                continue
            event = self._reader.next_event()
            if event is None:
                self._receive()
            elif isinstance(event, PeerClose):
                self._note_close(event)

    def _hang_up(self, deadline: float) -> None:
        """End the stream; the server first, as RFC 6455 (section 7.1.1) wants it."""
        if self._readers:
            return
        has_failed = self._remote_close_data is None
        if is_tls(self.socket) and (has_failed or not self.client):
            end_tls(self.socket)
            self.socket.shutdown(stdlib_socket.SHUT_WR)
        elif has_failed and self.client:
            self.socket.shutdown(stdlib_socket.SHUT_WR)
        self._limit(deadline)
        while self.socket.recv(RECEIVE_BYTES):
            self._limit(deadline)


def _as_message(message: Any) -> str | bytes:
    if isinstance(message, (str, bytes)):
        return message
    if isinstance(message, (bytearray, memoryview)):
        return bytes(message)
    raise TypeError(f"a message is str or bytes, not {type(message).__name__}")


def _check_control(data: str | bytes, whole: bool) -> bytes:
    if not whole:
        raise ProtocolError("a control frame cannot be a fragment")
    return data.encode() if isinstance(data, str) else data
