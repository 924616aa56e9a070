"""Poller over kqueue(2), for macOS and the BSDs.

EV_CLEAR gives the edges of `register`, EV_ONESHOT the single report of `rearm`. A file
that kqueue does not watch answers EINVAL or EPERM, which is reported as PermissionError
like epoll's refusal of regular files.
"""

import errno
import select
from typing import Any

from eventlet._core.poller import ERROR, HANGUP, READ, READ_HANGUP, WRITE
from eventlet._unpatched import real_kqueue

__all__ = ["KqueuePoller", "is_available"]

_MAX_EVENTS = 512
_UNWATCHABLE = frozenset({errno.EINVAL, errno.EPERM, errno.ENODEV})


def is_available() -> bool:
    """Whether this platform has kqueue."""
    return real_kqueue is not None


class KqueuePoller:
    """Edge-triggered registrations and one-shot waits on one kqueue."""

    edge_triggered = True

    def __init__(self) -> None:
        if real_kqueue is None:
            raise NotImplementedError("this platform has no kqueue")
        self._select: Any = select
        self._kqueue: Any = real_kqueue()

    def register(self, fd: int) -> bool:
        self._change(fd, READ | WRITE, self._select.KQ_EV_ADD | self._select.KQ_EV_CLEAR)
        return False

    def rearm(self, fd: int, read: bool, write: bool) -> None:
        once = self._select.KQ_EV_ADD | self._select.KQ_EV_ONESHOT
        self._change(fd, (READ if read else 0) | (WRITE if write else 0), once)

    def _change(self, fd: int, sides: int, action: int) -> None:
        for side, name in ((READ, "KQ_FILTER_READ"), (WRITE, "KQ_FILTER_WRITE")):
            if not sides & side:
                continue
            event = self._select.kevent(fd, getattr(self._select, name), action)
            try:
                self._kqueue.control([event], 0, 0)
            except OSError as exc:
                if exc.errno in _UNWATCHABLE:
                    raise PermissionError(exc.errno, exc.strerror) from exc
                raise

    def forget(self, fd: int) -> None:
        for name in ("KQ_FILTER_READ", "KQ_FILTER_WRITE"):
            event = self._select.kevent(fd, getattr(self._select, name), self._select.KQ_EV_DELETE)
            try:
                self._kqueue.control([event], 0, 0)
            except OSError:
                pass  # ENOENT, EBADF: the kernel forgot it when the file was closed

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        flags: dict[int, int] = {}
        for event in self._kqueue.control(None, _MAX_EVENTS, timeout):
            side = READ if event.filter == self._select.KQ_FILTER_READ else WRITE
            if event.flags & self._select.KQ_EV_ERROR:
                side |= ERROR
            if event.flags & self._select.KQ_EV_EOF:
                side |= READ_HANGUP if side & READ else HANGUP
            flags[event.ident] = flags.get(event.ident, 0) | side
        return list(flags.items())

    def fileno(self) -> int:
        fd: int = self._kqueue.fileno()
        return fd

    def close(self) -> None:
        self._kqueue.close()
