"""Write response heads: status lines and header fields, checked and in their final bytes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Generic, TypeVar

from eventlet._errors import EventletError

__all__ = [
    "CODING",
    "CONNECTION",
    "DATE",
    "LENGTH",
    "PLAIN",
    "TYPE",
    "InvalidResponse",
    "PerSecond",
    "check_head",
    "date_line",
    "field_label",
    "field_value",
    "format_date_time",
    "format_fields",
    "status_line",
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
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS = re.compile(r"([1-9][0-9]{2})(?: .*)?")
_TEXT_BYTES = bytes(c for c in range(256) if (c >= 32 and c != 127) or c == 9)


class InvalidResponse(EventletError, ValueError):
    """The application gave a status, header or body that cannot be sent."""


@lru_cache(maxsize=128)
def status_line(version: str, status: Any) -> tuple[str, int]:
    """Check a status such as `"200 OK"`; return its line without a line end, and the code."""
    match = _STATUS.fullmatch(status) if isinstance(status, str) else None
    if match is None:
        raise InvalidResponse(f"status must be a str like '200 OK', not {status!r}")
    return f"{version} {status}", int(match[1])


@lru_cache(maxsize=512)
def field_label(name: Any, capitalize: bool) -> tuple[str, int]:
    """Check a header name; return what to send for it, and its kind.

    Capitalising touches ASCII letters alone, each part between dashes by itself.
    """
    if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
        raise InvalidResponse(f"header name must be a token, not {name!r}")
    kind = _KINDS.get(name.lower(), PLAIN)
    if capitalize:
        name = "-".join(part.capitalize() for part in name.split("-"))
    return name, kind


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
    lines = [
        f"{field_label(name, capitalize)[0]}: {field_value(name, value)}" for name, value in fields
    ]
    return check_head(lines) if lines else b""


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
