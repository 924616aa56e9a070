"""Find the end of a request head in bytes that come in pieces, within limits."""

from __future__ import annotations

import re
from typing import NamedTuple

from eventlet._protocols.http1 import HEAD_BYTES, parse_request_line
from eventlet._protocols.refusals import (
    BadRequest,
    HeaderLineTooLong,
    HeadersTooLarge,
    RequestLineTooLong,
)

__all__ = ["HeadCollector", "HeadLimits", "check_bytes"]

_LONE_LINE_END = re.compile(rb"\r(?!\n|\Z)|(?<!\r)\n")


class HeadLimits(NamedTuple):
    """How long the parts of a head may be, in bytes, line ends included.

    A line that *reaches* its limit is refused, the total only when it *exceeds* its own; the
    request line does not count towards the total.
    """

    request_line: int = 8192
    header_line: int = 8192
    total: int = 65536

    def check(self, head: bytes) -> None:
        """Refuse a whole head (without its empty line) that breaks a limit."""
        lines = head.split(b"\r\n")
        if len(lines[0]) + 2 >= self.request_line:
            raise RequestLineTooLong(self.request_line)
        for line in lines[1:]:
            if len(line) + 2 >= self.header_line:
                raise HeaderLineTooLong(self.header_line)
        if len(head) - len(lines[0]) > self.total:
            raise HeadersTooLarge(self.total)


class HeadCollector:
    """Gather one head from bytes that come in pieces, and refuse early.

    Empty lines before the request line are skipped; they count towards the total, so that
    they have an end. What is plainly not HTTP (a TLS greeting, lines that end in LF alone) is
    refused as soon as it shows, rather than when an empty line follows.
    """

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._data = bytearray()
        self._skipped = 0
        self._line_start = 0  # of the line that is not complete yet

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes.

        Returns:
            The head without its empty line and what came behind it, or None when more is
            needed.

        Raises:
            RequestRefused: this cannot become a request.
        """
        whole = self._data
        if len(whole) <= 1:  # nothing yet, or half of an empty line
            data = self._skip_empty_lines(bytes(whole) + data)
            whole.clear()
        whole += data
        if whole == b"\r":
            return None
        searched = max(0, len(whole) - len(data) - 3)
        end = whole.find(b"\r\n\r\n", searched)
        if end < 0:
            self._check_part(data)
            return None
        head = bytes(whole[:end])
        self._limits.check(head)
        return head, bytes(whole[end + 4 :])

    @property
    def begun(self) -> bytes:
        """What has come of the head, and perhaps more, for the log."""
        return bytes(self._data)

    def _skip_empty_lines(self, data: bytes) -> bytes:
        start = 0
        while data.startswith(b"\r\n", start):
            start += 2
        self._skipped += start
        if self._skipped > self._limits.total:
            raise HeadersTooLarge(self._limits.total)
        return data[start:]

    def _check_part(self, data: bytes) -> None:
        """Refuse a head that is not complete yet for what it has already."""
        if data.translate(None, HEAD_BYTES):
            raise BadRequest("control character in the head")
        whole, limits = self._data, self._limits
        while (line_end := whole.find(b"\n", self._line_start)) >= 0:
            line = whole[self._line_start : line_end + 1]
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                raise BadRequest("line end other than CRLF")
            self._check_line(len(line))
            if self._line_start == 0:
                parse_request_line(bytes(line[:-2]))
            self._line_start = line_end + 1
        if 0 <= whole.find(b"\r", self._line_start) < len(whole) - 1:
            raise BadRequest("line end other than CRLF")
        self._check_line(len(whole) - self._line_start)
        request_line_end = whole.find(b"\n") + 1
        size = len(whole) - request_line_end - whole.endswith(b"\n\r")  # half of the empty line
        if request_line_end and size > limits.total:
            raise HeadersTooLarge(limits.total)

    def _check_line(self, length: int) -> None:
        if self._line_start == 0:
            if length >= self._limits.request_line:
                raise RequestLineTooLong(self._limits.request_line)
        elif length >= self._limits.header_line:
            raise HeaderLineTooLong(self._limits.header_line)


def check_bytes(data: bytes) -> None:
    """Refuse what is no head for the bytes in it, whatever its lines may say.

    Args:
        data: from the first byte of a head, or of empty lines before it; may end anywhere,
            also behind the head.

    Raises:
        BadRequest: there is a control character in it, or a line end other than CRLF.
    """
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    if head.translate(None, HEAD_BYTES):
        raise BadRequest("control character in the head")
    if _LONE_LINE_END.search(head):
        raise BadRequest("line end other than CRLF")
