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
from eventlet._core.wait_queue import SPENT, Ticket, wake
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
        self._open_calls = 0  # waiting or being made

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
        try:
            self._submit((ticket, func, args, kwargs))
        except BaseException:
            ticket.state |= SPENT  # nobody parks on it, so nobody may wake it
            raise
        succeeded, value = hub.park(ticket)
        if succeeded:
            return value
        try:
            raise value
        finally:
            del value

    def _submit(self, call: tuple[Any, ...]) -> None:
        with self._lock:
            # Under the lock: an idle thread looks for calls once more before it ends.
            self._calls.put(call)
            self._open_calls += 1
            if self._open_calls <= self._threads or self._threads >= self.limit:
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
            try:
                call = calls.get(timeout=self.idle_seconds)
            except Empty:
                with self._lock:
                    if not calls.empty():
                        continue
                    self._threads -= 1
                    return
            _make_call(*call)
            call = None
            with self._lock:
                self._open_calls -= 1


def _make_call(
    ticket: Ticket, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if ticket.state:
        return  # the caller has given up before anybody began
    outcome: _Outcome
    try:
        outcome = (True, func(*args, **kwargs))
    except BaseException as exc:
        outcome = (False, exc)
    if not sys.is_finalizing():
        wake(ticket, outcome)
