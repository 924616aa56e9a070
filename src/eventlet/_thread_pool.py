"""Calls that may block in C, on a bounded set of OS threads.

A pool starts threads on demand, up to its limit, and ends those that stay idle. It belongs
to one process: in a forked child the first call makes new threads.
"""

import sys
from collections.abc import Callable
from queue import Empty
from typing import Any

from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import Ticket, wake
from eventlet._errors import MainloopBlocked
from eventlet._unpatched import allocate_lock, getpid, simple_queue, start_new_thread

__all__ = ["ThreadPool"]

_Outcome = tuple[bool, Any]


class ThreadPool:
    """OS threads that make calls for green threads.

    Args:
        limit: how many OS threads at most; further calls wait their turn.
        idle_seconds: how long a thread waits for the next call before it ends.
    """

    def __init__(self, limit: int, idle_seconds: float = 10.0) -> None:
        self.limit = limit
        self.idle_seconds = idle_seconds
        self._forget_threads()

    def _forget_threads(self) -> None:
        self._pid = getpid()
        self._calls: Any = simple_queue()
        self._lock = allocate_lock()
        self._threads = 0
        self._idle = 0

    @property
    def threads(self) -> int:
        """How many OS threads there are now."""
        return self._threads if self._pid == getpid() else 0

    def run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `func` in an OS thread; park the calling green thread until it is done.

        A caller that is killed or timed out abandons the result; the call itself goes on.

        Raises:
            BaseException: whatever `func` raised.
            RuntimeError: called in the hub's own greenlet.
        """
        hub = get_hub()
        if getcurrent() is hub.greenlet:
            raise MainloopBlocked
        if self._pid != getpid():
            self._forget_threads()
        ticket = hub.ticket()
        self._calls.put((ticket, func, args, kwargs))
        self._start_thread_if_needed()
        succeeded, value = hub.park(ticket)
        if succeeded:
            return value
        try:
            raise value
        finally:
            del value

    def _start_thread_if_needed(self) -> None:
        with self._lock:
            if self._idle >= self._calls.qsize() or self._threads >= self.limit:
                return
            self._threads += 1
        try:
            start_new_thread(self._work, (self._calls,))
        except BaseException:
            with self._lock:
                self._threads -= 1
                stranded = self._threads == 0
            if stranded:
                raise

    def _work(self, calls: Any) -> None:
        while True:
            with self._lock:
                self._idle += 1
            try:
                call = calls.get(timeout=self.idle_seconds)
            except Empty:
                call = None
            with self._lock:
                self._idle -= 1
                if call is None and calls.empty():
                    self._threads -= 1
                    return
            if call is not None:
                _make_call(*call)
                call = None


def _make_call(
    ticket: Ticket, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    outcome: _Outcome
    try:
        outcome = (True, func(*args, **kwargs))
    except BaseException as exc:
        outcome = (False, exc)
    if not sys.is_finalizing():
        wake(ticket, outcome)
