"""Write response heads: the application's status and fields, checked, in their final bytes.

Nothing leaves here that a reader of HTTP could take for more or less than it is: names are
tokens, or at least bytes that split nothing; values hold no line end and no other control
character; there is one Content-Length at most; and the transfer coding is left to the server.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from eventlet._errors import EventletError

__all__ = [
    "AppHead",
    "InvalidResponse",
    "PerSecond",
    "ResponseStyle",
    "capitalized_label",
    "check_head",
    "date_line",
    "field_value",
    "format_date_time",
    "format_fields",
    "label_as_given",
    "status_code",
]

T = TypeVar("T")

# What a field is to us; all others are PLAIN.
PLAIN, TYPE, LENGTH, DATE, CODING, CONNECTION = range(6)
_KINDS = {
    "content-type": TYPE,
    "content-length": LENGTH,
    "date": DATE,
    "transfer-encoding": CODING,
    "connection": CONNECTION,
}
# A token, or what latin-1 has beyond ASCII: Swift names metadata in UTF-8. It can split nothing.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z\x80-\xff]+")
_STATUS = re.compile(r"([1-9][0-9]{2})(?: .*)?")
_MAX_LENGTH_DIGITS = 18
_TEXT_BYTES = bytes(c for c in range(256) if (c >= 32 and c != 127) or c == 9)


class InvalidResponse(EventletError, ValueError):
    """The application gave a status, header or body that cannot be sent."""


@lru_cache(maxsize=128)
def status_code(status: Any) -> int:
    """Check a status such as `"200 OK"`; return its code."""
    match = _STATUS.fullmatch(status) if isinstance(status, str) else None
    if match is None:
        raise InvalidResponse(f"status must be a str like '200 OK', not {status!r}")
    return int(match[1])


@lru_cache(maxsize=512)
def label_as_given(name: Any) -> tuple[str, int]:
    """Check a header name; return it and its kind."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise InvalidResponse(f"header name must be a token, not {name!r}")
    return name, _KINDS.get(name.lower(), PLAIN)


@lru_cache(maxsize=512)
def capitalized_label(name: Any) -> tuple[str, int]:
    """Check a header name; return it capitalised, and its kind.

    Only ASCII letters change, in each part between dashes by itself.
    """
    name, kind = label_as_given(name)
    return b"-".join(part.capitalize() for part in name.encode("latin-1").split(b"-")).decode(
        "latin-1"
    ), kind


def field_value(name: str, value: Any) -> str:
    """Give the text of a header value that is no str; numbers are taken as they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    raise InvalidResponse(f"value of header {name!r} must be a str, not {value!r}")


def check_head(lines: list[str]) -> bytes:
    """Join the lines of a head, each with a line end, and make sure they are as many as before.

    Raises:
        InvalidResponse: a value contains a line end, another control character, or something
            that latin-1 cannot say.
    """
    try:
        head = ("\r\n".join(lines) + "\r\n").encode("latin-1")
    except UnicodeEncodeError:
        raise _complaint(lines) from None
    # What is left without the printable bytes must be the line ends that we put there.
    if head.translate(None, _TEXT_BYTES) != b"\r\n" * len(lines):
        raise _complaint(lines)
    return head


def _complaint(lines: list[str]) -> InvalidResponse:
    """Find the line to blame."""
    for line in lines:
        if not _is_text(line):
            return InvalidResponse(
                f"header line {line!r} holds a control character or one outside latin-1; "
                "encode it or leave it out"
            )
    raise AssertionError("no line to blame")


def _is_text(line: str) -> bool:
    return all((" " <= c != "\x7f" and c <= "\xff") or c == "\t" for c in line)


def format_fields(fields: Iterable[tuple[str, Any]], capitalize: bool) -> bytes:
    """Give the bytes of plain header fields, pairs (name, value), each with its line end."""
    label = capitalized_label if capitalize else label_as_given
    lines = [f"{label(name)[0]}: {field_value(name, value)}" for name, value in fields]
    return check_head(lines) if lines else b""


class AppHead(NamedTuple):
    """The part of a response head that the application decides.

    Attributes:
        code: the status code.
        data: status line and fields, each with its line end; no Transfer-Encoding, and no
            Content-Length where the status forbids one.
        content_type: its value, empty where there is none.
        length: the Content-Length the application named, None if none.
        has_date: there is a Date among the fields.
        closes: there is a Connection field that says `close`.
        names_connection: there is a Connection field.
    """

    code: int
    data: bytes
    content_type: str
    length: int | None
    has_date: bool
    closes: bool
    names_connection: bool


class ResponseStyle:
    """What all responses of one connection have in common.

    The last head is remembered: most applications give the same status and fields to one
    request after another, and comparing is ten times cheaper than checking.

    Attributes:
        version: of the status line, such as `HTTP/1.1`.
        may_chunk: that version knows chunked bodies.
        keep_alive_lines: what to say to a client that asked to keep the connection.
    """

    __slots__ = (
        "_fields",
        "_head",
        "_label",
        "_status",
        "keep_alive_lines",
        "may_chunk",
        "version",
    )

    def __init__(self, version: str, capitalize: bool, keep_alive_seconds: float | None) -> None:
        self.version = version
        self.may_chunk = version != "HTTP/1.0"
        self.keep_alive_lines = b"Connection: keep-alive\r\n"
        if keep_alive_seconds is not None and keep_alive_seconds >= 1:
            self.keep_alive_lines += b"Keep-Alive: timeout=%d\r\n" % keep_alive_seconds
        self._label = capitalized_label if capitalize else label_as_given
        self._status: str | None = None
        self._fields: list[tuple[str, Any]] = []
        self._head: AppHead

    def make_head(self, status: str, fields: Iterable[tuple[str, Any]]) -> AppHead:
        """Check what an application passed to `start_response`, and write it down.

        Raises:
            InvalidResponse: it cannot be sent.
        """
        if status == self._status and fields == self._fields:
            return self._head
        # A copy: the list is the application's, and may change.
        own = list(fields)
        head = self._write_head(status, own)
        if all(type(field) is tuple and type(field[1]) is str for field in own):
            self._status, self._fields, self._head = status, own, head
        return head

    def _write_head(self, status: str, fields: list[tuple[str, Any]]) -> AppHead:
        code = status_code(status)
        # The space is sent even where no reason follows (RFC 9112 section 4).
        lines = [f"{self.version} {status if len(status) > 3 else status + ' '}"]
        content_type, length = "", None
        has_date = closes = names_connection = False
        for name, value in fields:
            label, kind = self._label(name)
            if type(value) is not str:
                value = field_value(name, value)
            if kind == TYPE:
                content_type = value
            elif kind == DATE:
                has_date = True
            elif kind == LENGTH:
                is_repeated = length is not None
                length = _same_length(value, length)
                # A status without a body may not have one (RFC 9110 section 8.6).
                if is_repeated or code < 200 or code == 204:
                    continue
            elif kind == CONNECTION:
                names_connection = True
                closes = closes or _says_close(value)
            elif kind == CODING:
                _check_coding(value)
                continue
            lines.append(f"{label}: {value}")
        return AppHead(
            code, check_head(lines), content_type, length, has_date, closes, names_connection
        )


def _same_length(value: str, before: int | None) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS):
        raise InvalidResponse(f"Content-Length {value!r} is not a number of bytes")
    length = int(value)
    if before is not None and before != length:
        raise InvalidResponse(f"Content-Length {value!r} differs from the one before it, {before}")
    return length


def _says_close(value: str) -> bool:
    return any(option.strip(" \t").lower() == "close" for option in value.split(","))


def _check_coding(value: str) -> None:
    if value.strip(" \t").lower() not in ("chunked", "identity"):
        raise InvalidResponse(f"Transfer-Encoding {value!r}: that is the server's to choose")


def format_date_time(timestamp: float) -> str:
    """Give the HTTP date of a moment, in seconds since the epoch."""
    return formatdate(timestamp, usegmt=True)


class PerSecond(Generic[T]):
    """A value that depends on the current second, made once in each."""

    def __init__(self, make: Callable[[float], T]) -> None:
        self._make = make
        self._second = -1
        self._value: T

    def __call__(self) -> T:
        second = int(time.time())
        if second != self._second:
            self._value = self._make(second)
            self._second = second
        return self._value


date_line = PerSecond(lambda second: f"Date: {format_date_time(second)}\r\n".encode("ascii"))
