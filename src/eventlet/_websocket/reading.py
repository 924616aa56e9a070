"""Bytes of a peer in, events out; bounded in memory, and strict.

The frames are taken apart by wsproto, a piece of payload at a time. What it leaves open is
decided by an extension in its sense, which sees each header before any payload: the length
limit, reserved bits, the order of fragments, and how far compressed data may be inflated.
Close frames are read here, for their codes.

Source: RFC 6455, sections 5 and 7; RFC 7692, section 6.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import NamedTuple

from wsproto.extensions import Extension
from wsproto.frame_protocol import (
    Frame,
    FrameDecoder,
    FrameProtocol,
    MessageDecoder,
    Opcode,
    ParseFailed,
    RsvBits,
)

from eventlet._websocket.closing_codes import (
    INVALID_DATA,
    PROTOCOL_ERROR,
    TOO_BIG,
    parse_close_payload,
)
from eventlet._websocket.compression import Inflater
from eventlet._websocket.errors import FailedConnectionError

__all__ = ["Event", "FrameReader", "Message", "PeerClose", "Ping", "Pong"]


_BYTES = (bytes, bytearray)  # wsproto gives one or the other, before release 1.3 the second


@dataclass(slots=True)
class Message:
    """A whole message.

    Attributes:
        data: text or bytes.
        decompressor: what inflated it, None if it came as it is; set it to None to see that.
        packed: as it came, where that was compressed and kept.
    """

    data: str | bytes
    decompressor: Inflater | None
    packed: bytes | None = None

    def getvalue(self) -> str | bytes:
        """Return text or bytes."""
        if self.packed is None or self.decompressor is not None:
            return self.data
        return self.packed if isinstance(self.data, bytes) else self.packed.decode()


class Ping(NamedTuple):
    """The peer wants this payload back."""

    payload: bytes


class Pong(NamedTuple):
    """The peer is there."""

    payload: bytes


class PeerClose(NamedTuple):
    """The peer's close frame: its payload, and what that says."""

    payload: bytes
    code: int
    reason: str


Event = Message | Ping | Pong | PeerClose


class FrameReader:
    """Reads one side of a connection.

    Args:
        client: we are the client, so frames must not be masked.
        limit_bytes: of a frame, and of a whole message before and after inflating.
        inflater: for compressed messages; None refuses them.
    """

    def __init__(self, client: bool, limit_bytes: int, inflater: Inflater | None) -> None:
        self._guard = _Guard(limit_bytes, inflater)
        self._frames = FrameDecoder(client, [self._guard])
        self._messages = MessageDecoder()
        # Grown in place: a peer may send its message byte by byte.
        self._text: io.StringIO | None = None
        self._bytes: bytearray | None = None

    def feed(self, data: bytes) -> None:
        """Take what was received; `next_event` says what it means."""
        self._frames.receive_bytes(data)

    def keep_packed(self) -> None:
        """Keep compressed messages as they came, too, from here on."""
        if self._guard.packed is None:
            self._guard.packed = bytearray()

    def next_event(self) -> Event | None:
        """Return the next event; None when it needs more bytes.

        Raises:
            FailedConnectionError: the peer broke the protocol; nothing more can be read.
        """
        try:
            while (frame := self._frames.process_buffer()) is not None:
                event = self._take(frame)
                if event is not None:
                    return event
        except ParseFailed as exc:
            code = int(exc.code)
            text = "Invalid UTF-8 in a text message." if code == INVALID_DATA else str(exc)
            raise FailedConnectionError(code, text) from exc
        return None

    def _take(self, frame: Frame) -> Event | None:
        if not frame.opcode.iscontrol():
            return self._take_piece(self._messages.process_frame(frame))
        assert isinstance(frame.payload, _BYTES)
        payload = bytes(frame.payload)
        if frame.opcode is Opcode.PING:
            return Ping(payload)
        if frame.opcode is Opcode.PONG:
            return Pong(payload)
        return PeerClose(payload, *parse_close_payload(payload))

    def _take_piece(self, piece: Frame) -> Message | None:
        data: str | bytes
        if isinstance(piece.payload, str):
            if self._text is None and piece.message_finished:
                data = piece.payload
            else:
                self._text = self._text or io.StringIO(newline="")
                self._text.write(piece.payload)
                data = self._text.getvalue() if piece.message_finished else ""
        else:
            assert isinstance(piece.payload, _BYTES)
            if self._bytes is None and piece.message_finished:
                data = bytes(piece.payload)
            else:
                self._bytes = bytearray() if self._bytes is None else self._bytes
                self._bytes += piece.payload
                data = bytes(self._bytes) if piece.message_finished else b""
        if not piece.message_finished:
            return None
        self._text = self._bytes = None
        return Message(data, self._guard.last_inflater, self._guard.take_packed())


class _Guard(Extension):
    """Looks at each header, and at each piece of payload, on its way through wsproto.

    A header whose bytes come one by one is shown several times: looking changes nothing.

    Attributes:
        last_inflater: what inflated the last whole message; None if it came as it is.
        packed: what came of the present message if it is compressed; None to keep nothing.
    """

    name = "eventlet"
    last_inflater: Inflater | None = None
    packed: bytearray | None = None

    def __init__(self, limit_bytes: int, inflater: Inflater | None) -> None:
        self._limit = limit_bytes
        self._inflater = inflater
        self._is_control = False
        self._in_message = False
        self._is_compressed = False
        self._size = 0  # bytes of the present message, inflated

    def offer(self) -> bool:
        """Say that this is negotiated by nobody."""
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> RsvBits:
        """Judge a frame by its header."""
        self._is_control = opcode.iscontrol()
        is_first = not self._is_control and opcode is not Opcode.CONTINUATION
        if rsv.rsv2 or rsv.rsv3 or (rsv.rsv1 and not (is_first and self._inflater is not None)):
            raise FailedConnectionError(PROTOCOL_ERROR, "A reserved bit is set.")
        if self._is_control:
            return rsv
        if is_first and self._in_message:
            raise FailedConnectionError(PROTOCOL_ERROR, "A message begins within another.")
        if is_first:
            self._is_compressed = rsv.rsv1
        elif not self._in_message:
            raise FailedConnectionError(PROTOCOL_ERROR, "There is nothing to continue.")
        if payload_length > self._limit:
            raise FailedConnectionError(
                TOO_BIG,
                f"Incoming frame of {payload_length} bytes is above length limit of "
                f"{self._limit} bytes.",
            )
        if not self._is_compressed:
            self._check_size(payload_length)
        return rsv

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes:
        """Inflate a piece of a compressed message, and count."""
        if self._is_control:
            return data
        if self._is_compressed:
            assert self._inflater is not None
            if self.packed is not None:
                self.packed += data
            data = self._inflater.inflate(data, self._limit + 1 - self._size)
            self._check_size(len(data))
        self._size += len(data)
        return data

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | None:
        """Note the end of a frame, and inflate what was held back at the end of a message."""
        if self._is_control:
            return None
        self._in_message = not fin
        if not fin:
            return None
        self.last_inflater = self._inflater if self._is_compressed else None
        rest = None
        if self.last_inflater is not None:
            rest = self.last_inflater.finish(self._limit + 1 - self._size)
            self._check_size(len(rest))
        self._size = 0
        return rest

    def take_packed(self) -> bytes | None:
        """Give what was kept of the last whole message."""
        if self.packed is None or self.last_inflater is None:
            return None
        packed, self.packed = bytes(self.packed), bytearray()
        return packed

    def _check_size(self, more: int) -> None:
        if self._size + more > self._limit:
            what = "compressed frame exceeds" if self._is_compressed else "message is above"
            raise FailedConnectionError(
                TOO_BIG, f"Incoming {what} length limit of {self._limit} bytes."
            )
