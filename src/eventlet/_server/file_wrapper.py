"""`wsgi.file_wrapper`: a file as the body of a response, sent by the kernel where it can be."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["FilePart", "FileWrapper", "find_part"]


class FileWrapper:
    """An application returns it around an open binary file; see PEP 3333.

    The file is read from its position on, and closed when the response is over.

    Args:
        filelike: has `read`; a `close` is called.
        block_size: bytes to read at once, where the kernel does not send the file.
    """

    def __init__(self, filelike: Any, block_size: int = 65536) -> None:
        self.filelike = filelike
        self._block_size = block_size
        close = getattr(filelike, "close", None)
        if close is not None:
            self.close = close

    def __iter__(self) -> Iterator[bytes]:
        while block := self.filelike.read(self._block_size):
            yield block


class FilePart(NamedTuple):
    """What is left of a file on a disk.

    Attributes:
        file: has a descriptor.
        offset: bytes before it.
        size: bytes from there to the end.
    """

    file: Any
    offset: int
    size: int


def find_part(file: Any) -> FilePart | None:
    """Give the part from the position on; None for what is no regular file.

    A file of another type may have a descriptor too, but what is read of it, unpacked or
    decrypted, is not what the descriptor has.
    """
    if type(file).__module__ == "tempfile":
        file = getattr(file, "file", None)
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    if type(raw) is not io.FileIO:
        return None
    try:
        status = os.fstat(file.fileno())
        offset = file.tell()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return FilePart(file, offset, max(status.st_size - offset, 0))
