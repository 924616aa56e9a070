"""Header lines read one by one, within limits, and remembered."""

from __future__ import annotations

from email import errors as email_errors
from typing import Any

from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.refusals import BadRequest, HeaderLineTooLong, HeadersTooLarge

__all__ = ["HeaderLines", "check_parsed"]

# How the standard library's parser says that it has left out header lines.
_LEFT_OUT = (
    email_errors.FirstHeaderLineIsContinuationDefect,
    email_errors.InvalidHeaderDefect,
    email_errors.MisplacedEnvelopeHeaderDefect,
    email_errors.MissingHeaderBodySeparatorDefect,
)


class HeaderLines:
    """What a line-by-line reader of a head is given instead of the connection's file.

    Args:
        fp: has `readline(size)`; at the first header line.
        limits: how long one line, and all together, may be.

    Attributes:
        data: the lines read, as they came.
        is_cut_off: the peer closed where a line was due.
    """

    def __init__(self, fp: Any, limits: HeadLimits) -> None:
        self._fp = fp
        self._limits = limits
        self.data = b""
        self.is_cut_off = False

    def readline(self, size: int | None = -1) -> bytes:
        """Return the next line, or at most `size` bytes of it.

        Raises:
            HeaderLineTooLong, HeadersTooLarge: a limit is broken.
        """
        limit = self._limits.header_line
        asked = limit if size is None or size < 0 else min(size, limit)
        line: bytes = self._fp.readline(asked)
        if len(line) >= limit:
            raise HeaderLineTooLong(limit)
        self.data += line
        self.is_cut_off = not line and asked > 0
        if len(self.data) > self._limits.total and line != b"\r\n":
            raise HeadersTooLarge(self._limits.total)
        return line

    def read_to_end(self) -> bool:
        """Read lines up to the empty one; False where the peer closed before it."""
        while (line := self.readline()) not in (b"\r\n", b"\n"):
            if not line.endswith(b"\n"):
                return False
        return True

    def block(self) -> bytes:
        """Give the lines, each with the line end *before* it, without the empty one.

        Raises:
            BadRequest: they do not end with an empty line.
        """
        whole = b"\r\n" + self.data
        if not whole.endswith(b"\r\n\r\n"):
            raise BadRequest("header lines without an end")
        return whole[:-4]


def check_parsed(headers: Any) -> None:
    """Refuse headers of which the standard library's parser has left some out.

    Raises:
        BadRequest: it has.
    """
    if any(isinstance(each, _LEFT_OUT) for each in getattr(headers, "defects", ())):
        raise BadRequest("header line without a name and a colon")
