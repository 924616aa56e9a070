"""The two ends of permessage-deflate: compress what goes out, inflate what comes in, bounded.

Source: RFC 7692, section 7.2.
"""

from __future__ import annotations

import zlib
from typing import Any

from eventlet._websocket.closing_codes import INVALID_DATA
from eventlet._websocket.errors import FailedConnectionError
from eventlet._websocket.extensions import MAX_BITS, UNUSABLE_BITS, DeflateParameters

__all__ = ["Deflater", "Inflater", "make_deflater", "make_inflater"]

_TAIL = b"\x00\x00\xff\xff"
_EMPTY_BLOCK = b"\x00" + _TAIL
_SMALLEST_BITS = 9
# A message may consist of several deflate streams, but each costs an inflater, for two bytes.
_MAX_STREAMS = 16


def make_deflater(parameters: DeflateParameters | None, client: bool) -> Deflater | None:
    """Make what compresses our messages; None when they must go out as they are."""
    if parameters is None:
        return None
    if client:
        bits = parameters.client_max_window_bits
        forgets = parameters.client_no_context_takeover
    else:
        bits = parameters.server_max_window_bits
        forgets = parameters.server_no_context_takeover
    if bits == UNUSABLE_BITS:
        return None  # messages that are not compressed are always right
    return Deflater(bits or MAX_BITS, forgets)


def make_inflater(parameters: DeflateParameters | None, client: bool) -> Inflater | None:
    """Make what inflates the peer's messages; None when none may be compressed."""
    if parameters is None:
        return None
    if client:
        bits = parameters.server_max_window_bits
        forgets = parameters.server_no_context_takeover
    else:
        bits = parameters.client_max_window_bits
        forgets = parameters.client_no_context_takeover
    return Inflater(max(bits or MAX_BITS, _SMALLEST_BITS), forgets)


class Deflater:
    """Compress the pieces of message after message.

    Args:
        bits: logarithm of the window, 9 to 15.
        forgets: start each message anew.
    """

    def __init__(self, bits: int, forgets: bool) -> None:
        self._bits = bits
        self._forgets = forgets
        self._stream: Any = None

    def compress(self, data: bytes, final: bool) -> bytes:
        """Compress one piece; `final` ends the message."""
        if self._stream is None:
            self._stream = zlib.compressobj(wbits=-self._bits)
        packed: bytes = self._stream.compress(data)
        if final:
            # zlib says nothing when it has nothing new to say; an empty block has to be said.
            end = self._stream.flush(zlib.Z_SYNC_FLUSH) or _EMPTY_BLOCK
            packed += end.removesuffix(_TAIL)
            if self._forgets:
                self._stream = None
        return packed


class Inflater:
    """Inflate the pieces of message after message, no further than asked.

    Args:
        bits: logarithm of the peer's window, 9 to 15.
        forgets: the peer starts each message anew.
    """

    def __init__(self, bits: int, forgets: bool) -> None:
        self._bits = bits
        self._forgets = forgets
        self._stream: Any = None
        self._streams = 0

    def inflate(self, data: bytes, limit_bytes: int) -> bytes:
        """Inflate one piece, up to `limit_bytes`, which must be more than none.

        Raises:
            FailedConnectionError: it is no deflate stream.
        """
        parts: list[bytes] = []
        while True:
            if self._stream is None:
                self._streams += 1
                if self._streams > _MAX_STREAMS:
                    raise FailedConnectionError(INVALID_DATA, "Too many deflate streams.")
                self._stream = zlib.decompressobj(wbits=-self._bits)
            try:
                part = self._stream.decompress(data, limit_bytes)
            except zlib.error as exc:
                raise FailedConnectionError(INVALID_DATA, "Bad compressed data.") from exc
            parts.append(part)
            limit_bytes -= len(part)
            if not self._stream.eof:
                break
            # The peer ended its stream in the middle (BFINAL); another one may follow.
            data, self._stream = self._stream.unused_data, None
            if not data or limit_bytes <= 0:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self, limit_bytes: int) -> bytes:
        """Give the rest of the message, as `inflate` does."""
        rest = b"" if self._stream is None else self.inflate(_TAIL, limit_bytes)
        self._streams = 0
        if self._forgets:
            self._stream = None
        return rest
