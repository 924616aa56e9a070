"""Calls that may block in C, on a bounded set of OS threads.

A pool starts threads on demand, up to its limit, and ends those that stay idle. Its present
threads, with the calls that wait for them, are a *crew*. A crew belongs to one process: in a
forked child the first call makes another. It lives until `end_threads`.
"""

import sys
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

from greenlet import getcurrent

from eventlet._core.current import drop_hub, existing_hub, get_hub
from eventlet._core.fork import call_in_child
from eventlet._core.wait_queue import SPENT, Ticket, interrupt, wake
from eventlet._errors import LeftBehind, MainloopBlocked
from eventlet._unpatched import (
    Mutex,
    NativeQueue,
    get_ident,
    getpid,
    local,
    start_new_thread,
)

__all__ = ["ThreadPool", "in_pool_thread"]

_Outcome = tuple[bool, Any]


class _Here(local):
    """Per OS thread: whether a pool made it."""

    is_pool_thread = False


_here = _Here()
_frozen: list[Any] = []
"""Crews of the process that forked this one. Their calls' arguments are never collected here:
a finalizer would end what the parent still uses."""


_callers: set[Ticket] = set()
"""The tickets of the green threads that wait for calls."""


def _tell_callers() -> None:
    """Interrupt those whose calls nobody makes in a forked child. Most are not there either."""
    for ticket in _callers.copy():
        interrupt(ticket, LeftBehind("the OS thread that makes this call"))


def in_pool_thread() -> bool:
    """Whether the caller runs in an OS thread of a pool."""
    return _here.is_pool_thread


class ThreadPool:
    """OS threads that make calls for green threads.

    Args:
        limit: how many OS threads at most; further calls wait their turn.
        idle_seconds: how long a thread waits for the next call before it ends.
    """

    def __init__(self, limit: int, idle_seconds: float = 10.0) -> None:
        self.limit = limit
        self.idle_seconds = idle_seconds
        self._crew = _Crew(limit, idle_seconds)
        self._ending: list[_Crew] = []

    @property
    def threads(self) -> int:
        """How many OS threads there are now."""
        crew = self._crew
        return crew.threads if crew.pid == getpid() else 0

    @property
    def idents(self) -> frozenset[int]:
        """The identifiers of the OS threads there are now."""
        crew = self._crew
        return frozenset(crew.idents.copy()) if crew.pid == getpid() else frozenset()

    def run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `func` in an OS thread; park the calling green thread until it is done.

        A caller that is killed or timed out abandons the result; the call itself goes on, if
        it has begun.

        Raises:
            BaseException: whatever `func` raised.
            RuntimeError: called in the hub's own greenlet.
        """
        return self._run(None, func, args, kwargs)

    def run_or_undo(
        self, undo: Callable[[Any], object], func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """`run` for a result that must not be lost, such as an open descriptor.

        Args:
            undo: called with the result of a call whose caller was interrupted, there or here.
            func: what to call.
            args: its positional arguments.
            kwargs: its keyword arguments.
        """
        return self._run(undo, func, args, kwargs)

    def _run(
        self,
        undo: Callable[[Any], object] | None,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        hub = get_hub()
        if getcurrent() is hub.greenlet:
            raise MainloopBlocked
        ticket = hub.ticket()
        try:
            while not self._present_crew().submit([ticket, undo, func, args, kwargs]):
                pass  # it was told to end in between, and has a successor
        except BaseException:
            ticket.state |= SPENT  # nobody parks on it, so nobody may wake it
            raise
        _callers.add(ticket)
        call_in_child(_tell_callers)
        try:
            succeeded, value = hub.park(ticket)
        except BaseException:
            if undo is not None and ticket.was_woken and ticket.value[0]:
                undo(ticket.value[1])
            raise
        finally:
            _callers.discard(ticket)
            ticket.value = None  # a traceback in it refers to this frame
        if succeeded:
            return value
        try:
            raise value
        finally:
            del value

    def end_threads(self) -> None:
        """Have all calls made that were asked for so far, end the threads, wait for that.

        Parks the calling green thread; an OS thread without a hub, or the hub's own greenlet,
        blocks. The pool can be used again, also meanwhile.

        Raises:
            RuntimeError: called in a thread of a pool, which would wait for itself.
        """
        if in_pool_thread():
            raise RuntimeError("a thread of the pool cannot wait for the end of all its threads")
        crew, self._crew = self._crew, _Crew(self.limit, self.idle_seconds)
        if crew.pid == getpid():
            crew.tell_to_end()
            self._ending.append(crew)
        else:
            _frozen.append(crew)
        while self._ending:
            crew = self._ending[0]
            if crew.pid == getpid():
                crew.wait_for_end()  # interrupted, it stays for the next who asks
            else:
                _frozen.append(crew)
            if crew in self._ending:
                self._ending.remove(crew)

    def _present_crew(self) -> "_Crew":
        crew = self._crew
        if crew.pid != getpid():
            _frozen.append(crew)
            crew = self._crew = _Crew(self.limit, self.idle_seconds)
        return crew


class _Crew:
    """The OS threads of a pool and their calls; in one process, until they are told to end."""

    def __init__(self, limit: int, idle_seconds: float) -> None:
        self.pid = getpid()
        self.idents: set[int] = set()
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._calls = NativeQueue()  # a call, or None: the thread that takes it ends
        self._lock = Mutex()
        self.threads = 0  # running or being started
        self._open_calls = 0  # waiting or being made
        self._is_ending = False
        self._at_end: list[Callable[..., object]] = []

    def submit(self, call: list[Any]) -> bool:
        """Have a thread make a call; False when the threads were told to end.

        The call is a list of what `_make_call` takes, which empties it.
        """
        with self._lock:
            if self._is_ending:
                return False
            # Under the lock: an idle thread looks for calls once more before it ends.
            self._calls.put(call)
            self._open_calls += 1
            if self._open_calls <= self.threads or self.threads >= self._limit:
                return True
            self.threads += 1
        try:
            start_new_thread(self._work, ())
        except BaseException:
            with self._lock:
                self.threads -= 1
                stranded = self.threads == 0
            if stranded:
                raise
        return True

    def tell_to_end(self) -> None:
        """Let the threads end once they have made the calls they have."""
        with self._lock:
            self._is_ending = True
            for _ in range(self.threads):
                self._calls.put(None)

    def wait_for_end(self) -> None:
        """Wait until all threads have ended."""
        hub = existing_hub()
        if hub is not None and hub.may_park():
            ticket = hub.ticket()
            tell = partial(wake, ticket)
            try:
                if self._announce_end(tell):
                    hub.park(ticket)
            finally:
                ticket.state |= SPENT  # also when nobody parked on it
                self._take_back(tell)
        else:
            ended = NativeQueue()
            if self._announce_end(partial(ended.put, None)):
                ended.get()

    def _announce_end(self, announce: Callable[..., object]) -> bool:
        """Have `announce` called by the last thread; False when none is left."""
        with self._lock:
            if self._has_ended():
                return False
            self._at_end.append(announce)
            return True

    def _take_back(self, announce: Callable[..., object]) -> None:
        with self._lock:
            if announce in self._at_end:
                self._at_end.remove(announce)

    def _has_ended(self) -> bool:
        return not self.threads and not self.idents

    def _work(self) -> None:
        _here.is_pool_thread = True
        self.idents.add(get_ident())
        while (call := self._next_call()) is not None:
            _make_call(call)
            with self._lock:
                self._open_calls -= 1
        drop_hub()  # a call may have made one
        with self._lock:
            self.idents.discard(get_ident())
            announcements = self._at_end.copy() if self._has_ended() else []
        for announce in announcements:
            announce()

    def _next_call(self) -> list[Any] | None:
        """Wait for a call; None when this thread shall end, and is not counted any more."""
        while True:
            try:
                call: list[Any] | None = self._calls.get(timeout=self._idle_seconds)
            except Empty:
                with self._lock:
                    if not self._calls.empty():
                        continue
                    self.threads -= 1
                    return None
            if call is None:
                with self._lock:
                    self.threads -= 1
            return call


def _make_call(call: list[Any]) -> None:
    """Make a call and tell its caller; by then no reference to its arguments is left here."""
    ticket: Ticket
    undo: Callable[[Any], object] | None
    ticket, undo, func, args, kwargs = call
    call.clear()
    if ticket.state:
        return  # the caller has given up before anybody began
    outcome: _Outcome
    try:
        outcome = (True, func(*args, **kwargs))
    except BaseException as exc:
        outcome = (False, exc)
    del func, args, kwargs  # the traceback refers to this frame
    try:
        is_abandoned = not sys.is_finalizing() and not wake(ticket, outcome)
        if is_abandoned and undo is not None and outcome[0]:
            undo(outcome[1])
    finally:
        del outcome
