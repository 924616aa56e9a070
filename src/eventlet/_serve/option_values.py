"""Read the values of options: texts of the command line, or values of a TOML file.

Each reader takes either and raises ValueError with a message that names the value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

__all__ = [
    "Reader",
    "count",
    "grace",
    "line_format",
    "mode",
    "seconds",
    "switch",
    "text",
    "watch",
    "workers",
]

LINE_FIELDS = (
    *("client_ip", "client_port", "date_time", "request_line", "status_code", "body_length"),
    "wall_seconds",
)

Reader = Callable[[Any], Any]


def text(value: Any) -> str:
    """Read a text, which may not be empty."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a text")
    return value


def count(least: int) -> Reader:
    """Make a reader of whole numbers."""

    def read(value: Any) -> int:
        number = _number(value)
        if not isinstance(number, int) or number < least:
            raise ValueError(f"{value!r} is not a whole number, {least} or more")
        return number

    return read


def seconds(may_be_none: bool) -> Reader:
    """Make a reader of durations; `none` stands for one without end."""

    def read(value: Any) -> float | None:
        if may_be_none and value == "none":
            return None
        number = _number(value)
        if number is None or not 0 < number < float("inf"):
            way_out = ", or none" if may_be_none else ""
            raise ValueError(f"{value!r} is not a number of seconds above 0{way_out}")
        return float(number)

    return read


def grace(value: Any) -> float:
    """Read a duration that may be 0: at once."""
    number = _number(value)
    if number is None or not 0 <= number < float("inf"):
        raise ValueError(f"{value!r} is not a number of seconds, or 0 for at once")
    return float(number)


def watch(value: Any) -> float | None:
    """Read a duration; 0 or `none` stand for one without end."""
    try:
        return None if _number(value) == 0 else seconds(True)(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a number of seconds, or 0 for never") from None


def workers(value: Any) -> int:
    """Read how many processes; `auto` stands for as many as there are processors for us."""
    if value == "auto":
        has_masks = hasattr(os, "sched_getaffinity")
        return len(os.sched_getaffinity(0)) if has_masks else os.cpu_count() or 1
    try:
        number: int = count(1)(value)
    except ValueError as exc:
        raise ValueError(f"{exc}, or auto") from None
    return number


def mode(value: Any) -> int:
    """Read permissions, written in octal digits as for chmod(1)."""
    if not isinstance(value, str) or not re.fullmatch("0?[0-7]{3}", value):
        raise ValueError(f"{value!r} is not a text of three octal digits, such as '660'")
    return int(value, 8)


def line_format(value: Any) -> str:
    """Read how the line of a request looks: `json`, or a %-format."""
    form = text(value)
    if form != "json":
        try:
            form % dict.fromkeys(LINE_FIELDS, 0)
            if form % dict.fromkeys(LINE_FIELDS, 1) == form % dict.fromkeys(LINE_FIELDS, 0):
                raise ValueError("it names no field")
        except (KeyError, TypeError, ValueError):
            names = " ".join(f"%({name})s" for name in LINE_FIELDS)
            raise ValueError(f"{value!r} is neither json nor a format over {names}") from None
    return form


def switch(value: Any) -> bool:
    """Read true or false, which only a file has: the command line has two names."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                pass
        return None
    return value if isinstance(value, (int, float)) else None
