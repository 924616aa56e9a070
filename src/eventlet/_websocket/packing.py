"""Pack messages into frames.

Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

import os
import struct

from eventlet._websocket.closing_codes import MAX_CONTROL_PAYLOAD
from eventlet._websocket.compression import Deflater
from eventlet._websocket.errors import ProtocolError

__all__ = ["CLOSE", "PING", "PONG", "FramePacker"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

_FIN, _RSV1, _MASK = 0x80, 0x40, 0x80
_SHORT, _MEDIUM = 125, 0xFFFF
_TWO_BYTES, _EIGHT_BYTES = 126, 127


class FramePacker:
    """Packs what one side sends.

    Args:
        masks: mask every frame, as clients must.
        deflater: compresses messages; None leaves them as they are.
    """

    def __init__(self, masks: bool, deflater: Deflater | None) -> None:
        self._masks = masks
        self._deflater = deflater
        self._is_compressing = False

    def pack_data(
        self,
        message: str | bytes,
        continuation: bool = False,
        final: bool = True,
        masked: bool | None = None,
    ) -> bytes:
        """Pack a message, or one fragment of it.

        Args:
            message: text or bytes.
            continuation: it goes on with the message of the frame before.
            final: the message ends with it.
            masked: mask this frame; by default as the side we are on does.
        """
        opcode = TEXT if isinstance(message, str) else BINARY
        payload = message.encode() if isinstance(message, str) else message
        if not continuation:
            # Whether the whole message is compressed; an empty one has nothing to gain.
            self._is_compressing = self._deflater is not None and bool(payload or not final)
        first = (_FIN if final else 0) | (CONTINUATION if continuation else opcode)
        if self._is_compressing:
            assert self._deflater is not None
            payload = self._deflater.compress(payload, final)
            if not continuation:
                first |= _RSV1
        return self._pack(first, payload, masked)

    def pack_control(self, opcode: int, payload: bytes, masked: bool | None = None) -> bytes:
        """Pack a close frame, a ping or a pong.

        Raises:
            ProtocolError: there is no such opcode, or the payload is over 125 bytes.
        """
        if opcode not in {CLOSE, PING, PONG}:
            raise ProtocolError(f"unknown control opcode {opcode!r}")
        if len(payload) > MAX_CONTROL_PAYLOAD:
            raise ProtocolError(
                f"a control frame has at most {MAX_CONTROL_PAYLOAD} bytes, not {len(payload)}"
            )
        return self._pack(_FIN | opcode, payload, masked)

    def _pack(self, first: int, payload: bytes, masked: bool | None) -> bytes:
        length = len(payload)
        mask = _MASK if (self._masks if masked is None else masked) else 0
        if length <= _SHORT:
            head = struct.pack("!BB", first, mask | length)
        elif length <= _MEDIUM:
            head = struct.pack("!BBH", first, mask | _TWO_BYTES, length)
        else:
            head = struct.pack("!BBQ", first, mask | _EIGHT_BYTES, length)
        if not mask:
            return head + payload
        key = os.urandom(4)
        return b"".join((head, key, _apply_mask(key, payload)))


def _apply_mask(key: bytes, payload: bytes) -> bytes:
    """XOR the payload with the key, over and over, in one operation on big numbers."""
    length = len(payload)
    mask = (key * (length // 4 + 1))[:length]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")
    return mixed.to_bytes(length, "little")
