"""What several unit tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


class Pipe:
    """A pipe to wait on, as somebody else's file: two descriptor numbers."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._open = {self.reader, self.writer}

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def read(self) -> bytes:
        return os.read(self.reader, 65536)

    def fill(self) -> None:
        """Write until the pipe takes no more."""
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, bytes(65536))
        except BlockingIOError:
            return

    def close(self, fd: int | None = None) -> None:
        for each in self._open & ({fd} if fd is not None else self._open):
            os.close(each)
            self._open.discard(each)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    opened = Pipe()
    yield opened
    opened.close()
