"""Poller over poll(2): level-triggered, so each wait re-arms and each report disarms."""

import math
import select
from typing import Any

from eventlet._core.poller import ERROR
from eventlet._unpatched import real_poll

__all__ = ["PollPoller", "is_available"]


def is_available() -> bool:
    """Whether this platform has poll."""
    return real_poll is not None


class PollPoller:
    """One-shot interest on a poll object."""

    edge_triggered = False

    def __init__(self) -> None:
        if real_poll is None:
            raise NotImplementedError("this platform has no poll")
        self._poll: Any = real_poll()
        self._rdhup: int = getattr(select, "POLLRDHUP", 0)

    def register(self, fd: int) -> bool:
        """Nothing: a level-only poller is armed for each wait."""
        return False

    def rearm(self, fd: int, read: bool, write: bool) -> None:
        flags = 0
        if read:
            flags |= select.POLLIN | self._rdhup
        if write:
            flags |= select.POLLOUT
        if flags:
            self._poll.register(fd, flags)
        else:
            self.forget(fd)

    def forget(self, fd: int) -> None:
        try:
            self._poll.unregister(fd)
        except KeyError:
            pass  # it was not armed

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        # poll(2) counts milliseconds; rounding down would spin until the deadline.
        wait = None if timeout is None else math.ceil(timeout * 1000)
        events: list[tuple[int, int]] = []
        for fd, flags in self._poll.poll(wait):
            self.forget(fd)
            events.append((fd, ERROR if flags & select.POLLNVAL else flags))
        return events

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """Nothing: poll has no kernel object."""
