"""Wait for child processes without blocking the hub, and without a SIGCHLD handler.

One child that is to exit: its pidfd becomes readable. Any of several, or a child that may
also stop or continue: an OS thread sits in `waitid` with WNOWAIT, which tells that somebody
can be reaped and leaves it there; one thread serves all green threads that wait for the same
set. The reaping itself is always a `waitpid` with WNOHANG by the green thread that asked, so
a status is never lost to a green thread that was killed meanwhile.
"""

import os
from collections.abc import Callable
from typing import Any

from eventlet._core.current import get_hub
from eventlet._core.fork import call_in_child
from eventlet._core.wait_queue import WaitQueue
from eventlet._unpatched import Mutex, close, getpid, start_new_thread, waitid

__all__ = ["wait_for_child", "wait_for_states"]

_Children = tuple[int, int, int]
"""Which children in which states: idtype, id and options of `waitid`."""


def wait_for_child(reap: Callable[[int, int], Any], pid: int, options: int) -> Any:
    """Park until `reap(pid, options)` has something to say, and return that.

    Args:
        reap: the plain `waitpid` or `wait4`.
        pid: as for `waitpid`: a child, -1 for any, 0 or less than -1 for a process group.
        options: as for `waitpid`, without WNOHANG.

    Raises:
        ChildProcessError: there is no such child.
    """
    while True:
        found = reap(pid, options | os.WNOHANG)
        if found[0] != 0:
            return found
        if pid <= 0 or options or not _wait_for_exit(pid):
            _watch_of(_children(pid, options)).wait()


def wait_for_states(idtype: int, id: int, options: int) -> None:
    """Park until `waitid` with these arguments may have something to say."""
    _watch_of((idtype, id, options | os.WNOWAIT)).wait()


def _wait_for_exit(pid: int) -> bool:
    """Park until one child has exited; False when this system has no pidfd for it."""
    open_pidfd = getattr(os, "pidfd_open", None)
    if open_pidfd is None:
        return False
    try:
        fd = open_pidfd(pid)
    except ProcessLookupError:
        return True  # another green thread reaped it; the next waitpid says so
    except OSError:
        return False  # no such call in this kernel, or no descriptor left
    try:
        get_hub().wait_foreign(fd, read=True)
    finally:
        close(fd)
    return True


def _children(pid: int, options: int) -> _Children:
    states = os.WEXITED | os.WNOWAIT
    if options & os.WUNTRACED:
        states |= os.WSTOPPED
    if options & os.WCONTINUED:
        states |= os.WCONTINUED
    if pid > 0:
        return os.P_PID, pid, states
    if pid == -1:
        return os.P_ALL, 0, states
    return os.P_PGID, -pid or os.getpgrp(), states


class _Watch:
    """One OS thread in `waitid` at most, and the green threads that wait for its word."""

    def __init__(self, children: _Children) -> None:
        self.children = children
        self.waiters = WaitQueue()
        self._lock = Mutex()
        self._is_watching = False

    def wait(self) -> None:
        """Park until a child of the set can be reaped, or there is none left."""
        hub = get_hub()
        ticket = hub.ticket()
        call_in_child(_tell_waiters)
        with self._lock:
            self.waiters.append(ticket)
            if not self._is_watching:
                start_new_thread(self._watch, ())
                self._is_watching = True
        try:
            hub.park(ticket)
        finally:
            self.waiters.discard(ticket)

    def _watch(self) -> None:
        try:
            waitid(*self.children)
        except ChildProcessError:
            pass  # nobody to wait for: those who wake find that out themselves
        finally:
            with self._lock:
                self._is_watching = False
                self.waiters.wake_all()


class _Watches:
    """The watches of this process; a forked child starts with none."""

    def __init__(self) -> None:
        self.pid = getpid()
        self.by_children: dict[_Children, _Watch] = {}


_watches = _Watches()


def _tell_waiters() -> None:
    """Have those ask again, in a forked child, who wait for children of the parent."""
    for watch in _watches.by_children.values():
        watch.waiters.wake_all()


def _watch_of(children: _Children) -> _Watch:
    if _watches.pid != getpid():
        _watches.__init__()  # type: ignore[misc]  # forget the threads of the parent
    return _watches.by_children.setdefault(children, _Watch(children))
