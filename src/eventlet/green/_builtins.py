"""The green form of `open`: it tells the hub that a descriptor number names a new file.

Reading and writing the file still blocks, but for a FIFO; regular files are always ready anyway.
"""

from typing import Any

import eventlet.hubs as hubs
from eventlet.green._fifos import open as _real_open

__all__ = ["open"]


class _Guard:
    """Whether the hub is being told; making it may itself open files."""

    is_telling = False


def open(file: Any, *args: Any, **kwargs: Any) -> Any:
    """Open a file as the plain `open` does, and tell the hub of the new descriptor."""
    opened = _real_open(file, *args, **kwargs)
    if not _Guard.is_telling:
        _Guard.is_telling = True
        try:
            hubs.notify_opened(opened.fileno())
        finally:
            _Guard.is_telling = False
    return opened
