"""The green forms of `_thread`: threads are green threads, locks park.

An ident is the native one for the main green thread of an OS thread; every other green
thread gets a number of its own, which is never used again. Such a number is no address of an
OS thread, so the two calls that take it for one, `signal.pthread_kill` and
`time.pthread_getcpuclockid`, have forms here that translate it.
"""

import _thread as real
import signal
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count as count_from
from traceback import format_exception
from types import TracebackType
from typing import Any, NamedTuple, NoReturn
from weakref import WeakValueDictionary

from greenlet import GreenletExit, getcurrent, greenlet

from eventlet._core.current import get_hub
from eventlet._core.fork import lineage
from eventlet._core.thread import GreenThread
from eventlet._core.wait_queue import WaitQueue
from eventlet._core.waiting import give_up_ticket, ticket_here, wait_here
from eventlet._patching.old_locks import noted_sentinel
from eventlet._unpatched import get_ident as native_ident
from eventlet._unpatched import main_thread as os_main_thread
from eventlet._unpatched import monotonic
from eventlet.corolocal import local
from eventlet.green._tracing import is_traced, own_tracing
from eventlet.lock import Lock

__all__ = ["Lock", "LockType", "_ThreadHandle", "_count", "_get_main_thread_ident", "_local"]
__all__ += ["_make_thread_handle", "_set_sentinel", "_shutdown", "allocate", "allocate_lock"]
__all__ += ["error", "exit", "exit_thread", "get_ident", "lock", "pthread_getcpuclockid"]
__all__ += ["pthread_kill", "stack_size", "start_joinable_thread", "start_new"]
__all__ += ["start_new_thread"]

error = RuntimeError
LockType = lock = Lock
allocate_lock = allocate = Lock
_local = local


# -- identity ------------------------------------------------------------------------------


class _Idents:
    """The numbers given to green threads that are not the main one of an OS thread."""

    def __init__(self) -> None:
        self._next = count_from(1)
        self.newest = 0
        self.threads: WeakValueDictionary[int, greenlet] = WeakValueDictionary()

    def give(self, thread: Any) -> int:
        if thread.parent is None:
            ident = native_ident()
        else:
            self.newest = ident = next(self._next)
            self.threads[ident] = thread
        thread._thread_ident = ident
        return ident


_idents = _Idents()


def get_ident(gr: Any = None) -> int:
    """Return the ident of the calling green thread, or of another greenlet `gr`."""
    try:
        thread: Any = getcurrent() if gr is None else gr
        ident: int = thread._thread_ident
    except AttributeError:
        return _idents.give(thread)
    except RuntimeError:  # the interpreter is ending
        return native_ident()
    return ident


def thread_of(ident: int) -> greenlet | None:
    """Return the green thread with an ident of ours; None for any other."""
    return _idents.threads.get(ident)


def pthread_kill(thread_id: int, signalnum: int) -> None:
    """Send a signal to the OS thread that a thread runs in.

    Raises:
        ProcessLookupError: the green thread has ended.
    """
    _signal_pthread_kill(_os_thread_of(thread_id), signalnum)


def pthread_getcpuclockid(thread_id: int) -> int:
    """Return the clock of the processor time of the OS thread that a thread runs in.

    Raises:
        ProcessLookupError: the green thread has ended.
    """
    return _time_pthread_getcpuclockid(_os_thread_of(thread_id))


_signal_pthread_kill = signal.pthread_kill
_time_pthread_getcpuclockid = time.pthread_getcpuclockid


def _os_thread_of(ident: int) -> int:
    if not 0 < ident <= _idents.newest:
        return ident
    thread = _idents.threads.get(ident)
    if thread is None or thread.dead:
        raise ProcessLookupError(3, f"no thread with ident {ident} is running")
    hub = getattr(thread, "_hub", None)
    return native_ident() if hub is None else int(hub.ident)


# -- threads -------------------------------------------------------------------------------


class _Threads:
    """How many green threads started here are running, and who is to be awaited at exit."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.lineage = lineage()
        self.running = 0
        self.awaited: set[_ThreadHandle] = set()

    def of_this_process(self) -> "_Threads":
        """Return itself, emptied in a forked child: the threads of the parent are not here."""
        if self.lineage != lineage():
            self.forget()
        return self


def start_new_thread(
    function: Callable[..., object],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> int:
    """Start a function in a green thread; return its ident.

    An exception that it does not catch goes to `sys.unraisablehook`, except SystemExit and
    GreenletExit, which end it silently.

    Raises:
        TypeError: an argument is of the wrong type.
    """
    _check_call(function, args, kwargs)
    return get_ident(_start(function, args, dict(kwargs or {}), None))


start_new = start_new_thread


def _check_call(function: Any, args: Any, kwargs: Any) -> None:
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")


class StartedThread(GreenThread):
    """A green thread that was started here, and not spawned."""

    __slots__ = ()


def _start(
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    handle: "_ThreadHandle | None",
) -> GreenThread:
    hub = get_hub()
    thread = StartedThread(hub, _run, (function, args, kwargs), depth=4)
    thread.link(_ended, handle)
    hub.start(thread)
    return thread


def _run(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _threads.of_this_process().running += 1
    try:
        if is_traced(function):
            with own_tracing():
                function(*args, **kwargs)
        else:
            function(*args, **kwargs)
    except (SystemExit, GreenletExit):
        pass  # the ways to end a thread
    except BaseException as exc:
        _report(exc, function)
    finally:
        _threads.of_this_process().running -= 1


def _ended(thread: Any, handle: "_ThreadHandle | None") -> None:
    """Tell those who wait for a thread; also when it was killed before it ran."""
    sentinel = getattr(thread, "_sentinel", None)
    if sentinel is not None:
        sentinel.release()
    if handle is not None:
        handle._set_done()


class _Unraisable(NamedTuple):
    """What `sys.unraisablehook` is called with; the standard type of it cannot be made here."""

    exc_type: type[BaseException]
    exc_value: BaseException
    exc_traceback: TracebackType | None
    err_msg: str
    object: object


def _report(exc: BaseException, function: object) -> None:
    message = "Exception ignored in thread started by"
    if sys.unraisablehook is sys.__unraisablehook__:
        if sys.stderr is not None:
            sys.stderr.write(f"{message}: {function!r}\n{''.join(format_exception(exc))}")
        return
    hook: Any = sys.unraisablehook
    if sys.version_info >= (3, 13):  # from then on the function is in the message
        told = _Unraisable(type(exc), exc, exc.__traceback__, f"{message} {function!r}", None)
    else:
        told = _Unraisable(type(exc), exc, exc.__traceback__, message, function)
    hook(told)


def exit() -> NoReturn:
    """End the calling green thread; in the main one, the program."""
    raise SystemExit if getcurrent().parent is None else GreenletExit


exit_thread = exit


_ordinary_stack_size = real.stack_size


def stack_size(size: int | None = None) -> int:
    """Return the stack size of OS threads in bytes; set it for those made from now on."""
    return _ordinary_stack_size() if size is None else _ordinary_stack_size(size)


def _count() -> int:
    """Return how many threads are running that were started here."""
    return _threads.running


_ordinary_shutdown: Any = getattr(real, "_shutdown", None)


class Sentinel:
    """What `Thread._tstate_lock` is up to Python 3.12: held while a thread runs.

    It is a lock that wakes everybody who waits when it is released. `Thread.join` and the
    like only want to know that it is free, which `wait` tells; a lock that is handed on from
    one of them to the next would look held to `Thread._stop`.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._is_held = False
        self._waiters = WaitQueue()

    _at_fork_reinit = _forget

    def locked(self) -> bool:
        """Whether the thread runs."""
        return self._is_held

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Hold it: by the thread, from its first step; by anybody else, when that has ended."""
        deadline = None if timeout < 0 else monotonic() + timeout
        while self._is_held:
            left = None if deadline is None else max(deadline - monotonic(), 0)
            if not self.wait(blocking, left):
                return False
        self._is_held = True
        return True

    def wait(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Park until nobody holds it; tell whether that is so."""
        if self._is_held and blocking:
            ticket = ticket_here()
            self._waiters.append(ticket)
            try:
                if self._is_held:
                    wait_here(ticket, timeout)
            finally:
                give_up_ticket(ticket)
                self._waiters.discard(ticket)
        return not self._is_held

    def release(self) -> None:
        """Let it go; when the thread has ended, or by who holds it after that."""
        self._is_held = False
        self._waiters.wake_all()


def _set_sentinel() -> Any:
    """Make a sentinel that is released when the calling thread ends. For Python up to 3.12."""
    thread: Any = getcurrent()
    if thread.parent is None and native_ident() != os_main_thread().ident:
        return noted_sentinel()  # of an OS thread, whose end only the interpreter sees
    thread._sentinel = sentinel = Sentinel()
    return sentinel


# -- joinable threads, Python 3.13 and later -------------------------------------------------


class _ThreadHandle:
    """A thread that can be joined."""

    def __init__(self) -> None:
        self._lineage = lineage()
        self._ident: int | None = None
        self._done = False
        self._waiters = WaitQueue()

    @property
    def ident(self) -> int:
        """The ident of the thread; 0 until it is started."""
        return self._ident or 0

    def is_done(self) -> bool:
        """Whether the thread has ended, or stayed behind in the process that forked."""
        if not self._done and self._lineage != lineage():
            self._done = self._ident != get_ident()
        return self._done

    def join(self, timeout: float | None = None) -> None:
        """Park until the thread has ended.

        Args:
            timeout: seconds; `None` or less than 0 waits for ever.

        Raises:
            RuntimeError: it was not started, or it is the caller itself.
        """
        if self._ident is None:
            raise RuntimeError("thread not started")
        if self.is_done():
            return
        if self._ident == get_ident():
            raise RuntimeError("Cannot join current thread")
        ticket = ticket_here()
        self._waiters.append(ticket)
        try:
            if not self._done:
                wait_here(ticket, None if timeout is None or timeout < 0 else timeout)
        finally:
            give_up_ticket(ticket)
            self._waiters.discard(ticket)

    def _set_done(self) -> None:
        """Note that the thread has ended, or shall count as ended.

        Raises:
            RuntimeError: it was not started.
        """
        if self._ident is None:
            raise RuntimeError("thread not started")
        self._done = True
        _threads.awaited.discard(self)
        self._waiters.wake_all()


_threads = _Threads()


def start_joinable_thread(
    function: Callable[[], object],
    handle: _ThreadHandle | None = None,
    daemon: bool = True,
) -> _ThreadHandle:
    """Start a function in a green thread that can be joined.

    Args:
        function: called without arguments.
        handle: the handle to start; `None` for a new one.
        daemon: False to have it awaited at the end of the program.

    Raises:
        RuntimeError: the handle was started before.
    """
    _check_call(function, (), None)
    handle = _ThreadHandle() if handle is None else handle
    if handle._ident is not None:
        raise RuntimeError("thread already started")
    handle._ident = get_ident(_start(function, (), {}, handle))
    if not daemon:
        _threads.of_this_process().awaited.add(handle)
    return handle


def _make_thread_handle(ident: int) -> _ThreadHandle:
    """Make a handle for a thread that is running already."""
    handle = _ThreadHandle()
    handle._ident = ident
    return handle


def _get_main_thread_ident() -> int:
    return os_main_thread().ident or 0


def _shutdown() -> None:
    """Await every thread that is not a daemon, then do what the interpreter does."""
    awaited = _threads.of_this_process().awaited
    while awaited:
        next(iter(awaited)).join()
    if _ordinary_shutdown is not None:
        _ordinary_shutdown()
