"""A worker's sign of life, and where it stood when it gave none.

A page of memory is shared: the worker sets its byte now and then, from its hub, and the master
clears it when it looks. So a sign costs neither side a call of the system, and there is no clock
to be compared. A worker that is told to abort, or crashes, leaves the stacks of its threads in a
file without a name, for the master to read.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import tempfile

__all__ = ["Pulse", "beat_seconds", "look_seconds"]

REPORT_BYTES = 65536


def beat_seconds(limit: float) -> float:
    """Tell how often a worker gives a sign, for one that is missed after `limit` seconds."""
    return min(limit / 4, 1.0)


def look_seconds(limit: float) -> float:
    """Tell how often the master looks for it."""
    return min(limit / 4, 5.0)


class Pulse:
    """What a master and one worker share; made before the fork."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 1)
        try:
            self._report_fd = _open_nameless()
        except BaseException:
            self._page.close()
            raise

    def arm(self) -> None:
        """Have this process leave its stacks when it is ended by a fault or SIGABRT."""
        faulthandler.enable(self._report_fd, all_threads=True)

    def beat(self) -> None:
        """Give a sign of life."""
        self._page[0] = 1

    def take(self) -> bool:
        """Tell whether there was one since the last time."""
        if not self._page[0]:
            return False
        self._page[0] = 0
        return True

    def report(self) -> str:
        """Return what a worker that has ended left behind; empty when nothing."""
        os.lseek(self._report_fd, 0, os.SEEK_SET)
        text = os.read(self._report_fd, REPORT_BYTES).decode(errors="replace")
        return text.partition("\nExtension modules:")[0].rstrip()

    def close(self) -> None:
        """Let go of it, in this process."""
        self._page.close()
        os.close(self._report_fd)


def _open_nameless() -> int:
    """Open a file that nobody else can see; in memory, for a container may let us write nowhere."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stacks of a worker")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
