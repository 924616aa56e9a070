"""The chunked transfer coding: its size lines, its trailer, and the frame of our own chunks.

A chunked body is `size CRLF data CRLF`, repeated, then `0 CRLF`, trailer lines, an empty line.
Whoever moves the bytes reads line by line and exactly `size` bytes between the lines; the
functions here say what a line means. Source: RFC 9112 section 7.1.
"""

from __future__ import annotations

import re

from eventlet._errors import EventletError
from eventlet._protocols.http1 import cgi_name
from eventlet._protocols.refusals import BadRequest

__all__ = [
    "LAST_CHUNK",
    "MAX_OVERHEAD",
    "MAX_SIZE_LINE",
    "MAX_TRAILER",
    "ChunkReadError",
    "check_beginning",
    "check_trailer_line",
    "encode_chunk",
    "parse_size_line",
]

MAX_SIZE_LINE = 4096  # bytes, extensions and line end included
MAX_OVERHEAD = 16384  # bytes of size lines beyond what the data is worth
MAX_TRAILER = 16384  # bytes of all trailer lines together

LAST_CHUNK = b"0\r\n\r\n"

_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_EXTENSION = (
    rb"[\t ]*;[\t ]*" + _TOKEN + rb"(?:[\t ]*=[\t ]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
)
# At most sixteen digits: a size that fits 64 bits, as every other reader has it.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:" + _EXTENSION + rb")*\r\n")
# Fields that frame or route a message mean nothing after its end.
_FORBIDDEN = frozenset(
    {"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_HOST", "HTTP_TRAILER", "HTTP_TE"}
)
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")


class ChunkReadError(EventletError, ValueError):
    """The peer broke the chunked coding, or closed in the middle of it."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"bad chunked body: {detail}")


def parse_size_line(line: bytes) -> int:
    """Read the line before a chunk; extensions are checked and ignored.

    Args:
        line: with its line end; shorter or without one where the peer closed.

    Returns:
        Bytes of data that follow, 0 for the last chunk.

    Raises:
        ChunkReadError: it is no size line.
    """
    match = _SIZE_LINE.fullmatch(line)
    if match is None:
        raise ChunkReadError("no valid size line" if line else "closed where a size was due")
    return int(match[1], 16)


def check_trailer_line(line: bytes) -> bool:
    """Check one line behind the last chunk.

    Returns:
        True for the empty line that ends the body.

    Raises:
        ChunkReadError: it is no header line, or a field that may not stand there.
    """
    if line == b"\r\n":
        return True
    name, colon, value = line.partition(b":")
    if not (colon and value.endswith(b"\r\n") and _VALUE.fullmatch(value, 0, len(value) - 2)):
        raise ChunkReadError("no valid trailer line" if line else "closed in the trailer")
    try:
        variable = cgi_name(name.decode("latin-1"))
    except BadRequest as exc:
        raise ChunkReadError("trailer name is not a token") from exc
    if variable in _FORBIDDEN:
        raise ChunkReadError("a framing or routing field in the trailer")
    return False


def check_beginning(data: bytes) -> None:
    """Refuse a body for what has come of it, before anybody begins to read it.

    Args:
        data: from the first byte of the body; may end anywhere, also behind the body.

    Raises:
        ChunkReadError: whatever follows, this is no chunked body.
    """
    pos = 0
    size = -1
    while size != 0:
        end = data.find(b"\n", pos, pos + MAX_SIZE_LINE) + 1
        if not end:
            return
        size = parse_size_line(data[pos:end])
        pos = end + size
        if pos >= len(data):
            return
        if size and not b"\r\n".startswith(data[pos : pos + 2]):
            raise ChunkReadError("no line end behind the data")
        pos += 2 if size else 0
    while (end := data.find(b"\n", pos) + 1) and not check_trailer_line(data[pos:end]):
        pos = end


def encode_chunk(data: bytes) -> bytes:
    """Frame one piece of a body; an empty piece would end the body and gives nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
