"""Close codes, and the payload of close frames.

Source: RFC 6455, sections 5.5.1 and 7.4, and the registry of close codes at IANA.
"""

from __future__ import annotations

import struct
from typing import Any

from eventlet._websocket.errors import FailedConnectionError, ProtocolError

__all__ = [
    "ABNORMAL",
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "INVALID_DATA",
    "MAX_CONTROL_PAYLOAD",
    "NORMAL",
    "NO_CODE",
    "PROTOCOL_ERROR",
    "TOO_BIG",
    "VALID_CODES",
    "pack_close_data",
    "pack_failure",
    "parse_close_payload",
]

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_CODE = 1005  # never sent: the close frame had none
ABNORMAL = 1006  # never sent: there was no close frame
INVALID_DATA = 1007
TOO_BIG = 1009
INTERNAL_ERROR = 1011

VALID_CODES = frozenset([*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)])
"""Codes that a close frame may hold: registered ones, those of libraries, private ones."""

MAX_CONTROL_PAYLOAD = 125


def parse_close_payload(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a peer's close frame; `NO_CODE` for an empty one.

    Raises:
        FailedConnectionError: there is half a code, one that nobody may send, or a reason
            that is not UTF-8.
    """
    if not payload:
        return NO_CODE, ""
    if len(payload) == 1:
        raise FailedConnectionError(PROTOCOL_ERROR, "A close code has two bytes.")
    (code,) = struct.unpack_from("!H", payload)
    if code not in VALID_CODES:
        raise FailedConnectionError(PROTOCOL_ERROR, f"Close code {code} must not be sent.")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as exc:
        raise FailedConnectionError(INVALID_DATA, "The close reason is not UTF-8.") from exc


def pack_close_data(close_data: Any) -> bytes:
    """Make the payload of a close frame from what the user gave: None, or (code, reason).

    Raises:
        ProtocolError: nobody may send this code, or the reason is over 123 bytes.
        TypeError, ValueError: it is something else.
    """
    if close_data is None:
        return b""
    code, reason = close_data
    if code not in VALID_CODES:
        raise ProtocolError(f"close code {code!r} must not be sent")
    data = reason if isinstance(reason, bytes) else str(reason or "").encode()
    if len(data) > MAX_CONTROL_PAYLOAD - 2:
        raise ProtocolError(
            f"a close reason has at most {MAX_CONTROL_PAYLOAD - 2} bytes, not {len(data)}"
        )
    return struct.pack("!H", code) + data


def pack_failure(code: int, message: str) -> bytes:
    """Make the payload that tells the peer what is wrong, as much of it as there is room for."""
    data = message.encode()[: MAX_CONTROL_PAYLOAD - 2]
    return struct.pack("!H", code) + data.decode(errors="ignore").encode()
