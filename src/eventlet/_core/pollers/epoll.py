"""Poller over epoll(7).

Registration state belongs to the kernel's pair (open file, number); ours can be out of
date when somebody closed the number behind our back. So MOD that finds nothing adds, and
ADD that finds something (a dup of the old file keeps the entry) deletes and adds.
"""

import errno
import select
from collections.abc import Callable
from typing import Any

from eventlet._core.own_files import identity_of
from eventlet._errors import NestedTooDeep
from eventlet._unpatched import real_epoll

__all__ = ["EpollPoller", "is_available"]

_lost: list[Any] = []
"""Those closed behind our back. Their numbers may be others' by now: they must not close them."""


def is_available() -> bool:
    """Whether this platform has epoll."""
    return real_epoll is not None


class EpollPoller:
    """Edge-triggered registrations and one-shot waits on one epoll descriptor."""

    edge_triggered = True

    def __init__(self) -> None:
        if real_epoll is None:
            raise NotImplementedError("this platform has no epoll")
        self._epoll: Any = real_epoll()
        self._file = identity_of(self._epoll.fileno())
        self._known: set[int] = set()
        # Not a method around it: this call is made once for every batch of events.
        self.poll: Callable[[float | None], list[tuple[int, int]]] = self._epoll.poll
        self._edges = (
            select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
        )

    def register(self, fd: int) -> bool:
        return self._set(fd, self._edges)

    def rearm(self, fd: int, read: bool, write: bool) -> None:
        flags = select.EPOLLONESHOT
        if read:
            flags |= select.EPOLLIN | select.EPOLLRDHUP
        if write:
            flags |= select.EPOLLOUT
        self._set(fd, flags)

    def _set(self, fd: int, flags: int) -> bool:
        """Set the flags of a number; return whether its present file had some before."""
        if fd in self._known:
            try:
                self._epoll.modify(fd, flags)
                return True
            except FileNotFoundError:
                self._known.discard(fd)  # closed behind our back: a new file has the number
        try:
            self._epoll.register(fd, flags)
        except FileExistsError:
            self._epoll.unregister(fd)
            self._epoll.register(fd, flags)
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                raise NestedTooDeep(fd) from exc
            raise
        self._known.add(fd)
        return False

    def forget(self, fd: int) -> None:
        if fd not in self._known:
            return
        self._known.discard(fd)
        try:
            self._epoll.unregister(fd)
        except OSError:
            pass  # ENOENT, EBADF: the kernel forgot it when the file was closed

    def watches(self, fd: int) -> bool:
        """Whether `fd`, the wake-up descriptor, is known to what our number stands for."""
        try:
            self._epoll.modify(fd, select.EPOLLONESHOT | select.EPOLLIN | select.EPOLLRDHUP)
        except OSError:
            return False
        return True

    def fileno(self) -> int:
        fd: int = self._epoll.fileno()
        return fd

    def close(self) -> None:
        if identity_of(self._epoll.fileno()) == self._file:
            self._epoll.close()
        else:
            _lost.append(self._epoll)
