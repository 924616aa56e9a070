"""Cut what a client sends into frames, before anybody looks into them.

What is too long is refused by its first nine bytes, not when it has come; so no more than one
frame of the allowed size is ever held here.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from eventlet._errors import EventletError

__all__ = ["PREFACE", "ErrorCode", "Flag", "Frame", "FrameCutter", "Kind", "ProtocolBroken"]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_HEADER_BYTES = 9
MAX_PAYLOAD = 16384  # SETTINGS_MAX_FRAME_SIZE, which we leave as it is


class Kind(IntEnum):
    """The types of frames. Source: RFC 9113 section 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntEnum):
    """The flags of frames that we look at."""

    ACK = 1
    END_STREAM = 1
    END_HEADERS = 4
    PADDED = 8


class ErrorCode(IntEnum):
    """Why a stream or a connection ends. Source: RFC 9113 section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ProtocolBroken(EventletError, ConnectionError):
    """The client broke HTTP/2, or asks too much; the connection ends.

    Attributes:
        code: what GOAWAY says.
        detail: what is wrong, for the log; never contains the client's bytes.
    """

    def __init__(self, code: ErrorCode, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code.name}: {detail}")


class Frame(NamedTuple):
    """One whole frame.

    Attributes:
        kind: a `Kind`, or a number that nobody has heard of.
        stream_id: 0 for the connection.
        raw: all of it, the header too.
    """

    kind: int
    flags: int
    stream_id: int
    raw: bytes

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.raw) - _HEADER_BYTES

    @property
    def data_size(self) -> int:
        """Bytes of the payload without padding; negative where that is nonsense."""
        if self.flags & Flag.PADDED and self.size:
            return self.size - 1 - self.raw[_HEADER_BYTES]
        return self.size


class FrameCutter:
    """Make frames of bytes that come in pieces, after the preface."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._is_begun = False

    @property
    def is_between(self) -> bool:
        """No part of a frame is waiting for the rest of it; False before the preface."""
        return self._is_begun and not self._data

    @property
    def begins_with_data(self) -> bool:
        """What waits for its rest is known to be a DATA frame."""
        return self._is_begun and len(self._data) > 3 and self._data[3] == Kind.DATA

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        self._data += data

    def frames(self) -> Iterator[Frame]:
        """Give the frames that are complete.

        Raises:
            ProtocolBroken: no preface, or a frame that is too long.
        """
        if not self._is_begun and not self._skip_preface():
            return
        data = self._data
        while len(data) >= _HEADER_BYTES:
            size = int.from_bytes(data[:3], "big")
            if size > MAX_PAYLOAD:
                raise ProtocolBroken(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            end = _HEADER_BYTES + size
            if len(data) < end:
                return
            raw = bytes(data[:end])
            del data[:end]
            stream_id = int.from_bytes(raw[5:9], "big") & 0x7FFFFFFF
            yield Frame(raw[3], raw[4], stream_id, raw)

    def _skip_preface(self) -> bool:
        if not PREFACE.startswith(self._data[: len(PREFACE)]):
            raise ProtocolBroken(ErrorCode.PROTOCOL_ERROR, "no preface")
        if len(self._data) < len(PREFACE):
            return False
        del self._data[: len(PREFACE)]
        self._is_begun = True
        return True
