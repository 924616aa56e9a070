"""What a server says: lines for operators, and lines for requests.

A line is one write to a descriptor that appends, so that processes which share it never mix
theirs, and an `execve` or a fork loses none.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import Any

from eventlet._serve.refusal import Refusal, reason
from eventlet._unpatched import getpid, os_write

__all__ = ["Journal", "open_log"]


class Journal:
    """Writes lines; `wsgi` takes it as a `log`.

    Args:
        fd: where they go; not closed.
        is_json: make an object of each line.
    """

    def __init__(self, fd: int, is_json: bool = False) -> None:
        self._fd = fd
        self._is_json = is_json

    def info(self, msg: str, *args: Any) -> None:
        """Write a finished text, which may have several lines."""
        text = msg % args if args else msg
        self._write(self._as_object(text.rstrip(), "info") if self._is_json else text)

    def debug(self, msg: str, *args: Any) -> None:
        """Drop what only a developer of the server wants to know."""

    def note(self, what: str, level: str = "info") -> None:
        """Say what an operator wants to know."""
        if self._is_json:
            self._write(self._as_object(what, level))
        else:
            prefix = "" if level == "info" else f"{level}: "
            self._write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} [{getpid()}] {prefix}{what}")

    def refuse(self, why: str) -> None:
        """Say why nothing was begun."""
        self._write(self._as_object(why, "error") if self._is_json else why)

    def _as_object(self, what: str, level: str) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        return json.dumps({"time": moment, "level": level, "pid": getpid(), "message": what})

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        with suppress(OSError):  # a full disk or a closed pipe must not end what serves
            while data:
                data = data[os_write(self._fd, data) :]


def open_log(path: str) -> int | None:
    """Open what `--access-log` names; None where nothing is to be written.

    Raises:
        Refusal: the file cannot be opened.
    """
    if path == "none":
        return None
    if path == "-":
        return 1
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise Refusal(
            f"cannot write the access log {path!r}: {reason(exc)}",
            "name a file that this user may write, - or none",
        ) from None
