"""A small file of the system's configuration, read again when it has changed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["WatchedFile"]

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says, parsed; each `read` looks whether the file is still the same.

    Args:
        path: the file; one that is missing or unreadable counts as empty.
        parse: makes the value of its text, where bytes beyond ASCII are escaped.
    """

    def __init__(self, path: str, parse: Callable[[str], T]) -> None:
        self.path = path
        self._parse = parse
        self._known: tuple[tuple[int, ...] | None, T] | None = None

    def read(self) -> T:
        """Return the value for what is in the file now; the same object while it is the same."""
        stamp = self._stamp()
        known = self._known
        if known is None or known[0] != stamp:
            self._known = known = (stamp, self._parse(self._text()))
        return known[1]

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev

    def _text(self) -> str:
        try:
            data = Path(self.path).read_bytes()
        except OSError:
            return ""
        return data.decode("ascii", "surrogateescape")
