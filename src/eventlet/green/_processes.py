"""What green threads need of `multiprocessing`: its locks, and its pipes made before patching.

A lock between processes is a semaphore of the kernel without a descriptor, so nobody can tell
us that another process has released it. A green thread that waits looks again, at least every
10 ms; a release in its own process wakes it at once. While nothing else can run on the hub,
it waits in the kernel instead, in slices of the same length.
"""

import importlib
import os
import selectors
import sys
import threading
from collections.abc import Callable
from types import FunctionType, TracebackType
from typing import Any, Final

from greenlet import getcurrent

from eventlet._core.current import existing_hub
from eventlet._core.hub import Hub
from eventlet._core.wait_queue import WaitQueue
from eventlet._patching.table import patched
from eventlet._unpatched import monotonic

__all__ = ["SemLock", "follow_patches"]

_SHORTEST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.01
_RECURSIVE: Final = 0

_Native: Any = importlib.import_module("_multiprocessing").SemLock  # not in the type stubs


class SemLock(_Native):  # type: ignore[misc]  # a base known at run time
    """The semaphore under every lock of `multiprocessing`; waiting parks.

    A recursive one belongs to a green thread. The one in C knows the OS thread only, so a
    second green thread there would seem to own it too.
    """

    _owner: Any = None
    _waiters: WaitQueue | None = None

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take the semaphore.

        Args:
            block: False never waits.
            timeout: seconds to wait; None for ever.
        """
        if self._try():
            return True
        if not block:
            return False
        deadline = None if timeout is None else monotonic() + timeout
        hub = existing_hub()
        if hub is None or not hub.may_park():
            # Where nobody else could run. It can only be held by another process or OS thread,
            # unless by a green thread that waits meanwhile, for which there is no help.
            return bool(super().acquire(True, timeout))
        return self._wait(hub, deadline)

    def release(self) -> None:
        """Give the semaphore back.

        Raises:
            AssertionError: it is recursive and belongs to somebody else.
            ValueError: it was not taken.
        """
        if self._is_foreign():
            raise AssertionError("attempt to release recursive lock not owned by thread")
        super().release()
        if self._waiters is not None:
            self._waiters.wake_first()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _is_mine(self) -> bool:
        """Whether the calling green thread holds it."""
        return bool(super()._is_mine()) and not self._is_foreign()

    def _after_fork(self) -> None:
        """Forget holder and waiters, which are in the process that forked."""
        self._owner, self._waiters = None, None
        super()._after_fork()

    # -- private --------------------------------------------------------------------------

    def _is_foreign(self) -> bool:
        """Whether another green thread of this OS thread holds it; only a recursive one is."""
        if self.kind != _RECURSIVE or self._owner is getcurrent():
            return False
        return bool(super()._is_mine())

    def _try(self) -> bool:
        if self._is_foreign() or not super().acquire(False):
            return False
        if self.kind == _RECURSIVE:
            self._owner = getcurrent()
        return True

    def _wait(self, hub: Hub, deadline: float | None) -> bool:
        pause = _SHORTEST_PAUSE
        while True:
            left = _LONGEST_PAUSE if deadline is None else deadline - monotonic()
            if left <= 0:
                return False
            if hub.is_stalled() and not self._is_foreign():
                if super().acquire(True, min(_LONGEST_PAUSE, left)):
                    self._owner = getcurrent()
                    return True
                hub.yield_()  # to what an OS thread or a signal handler has made ready
                continue
            self._park(hub, min(pause, left))
            if self._try():
                return True
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _park(self, hub: Hub, seconds: float) -> None:
        if self._waiters is None:
            self._waiters = WaitQueue()
        waiters = self._waiters
        ticket = hub.ticket()
        waiters.append(ticket)
        try:
            hub.park(ticket, seconds)
        except BaseException:
            if ticket.was_woken:
                waiters.wake_first()  # somebody else may have it
            raise
        finally:
            waiters.discard(ticket)


def follow_patches(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Have `multiprocessing` use what other modules have become.

    Only if it was imported before they were patched: it keeps their functions.

    Args:
        set_attribute: like `setattr`; remembers the change.
    """
    connection = sys.modules.get("multiprocessing.connection")
    if connection is not None:
        _renew_connections(set_attribute, connection)
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        _renew_local(set_attribute, util)
    managers = sys.modules.get("multiprocessing.managers")
    if managers is not None:
        _renew_registry(set_attribute, managers.SyncManager)


def _renew_connections(set_attribute: Callable[[Any, str, Any], None], connection: Any) -> None:
    if hasattr(selectors, "PollSelector") and hasattr(connection, "_WaitSelector"):
        set_attribute(connection, "_WaitSelector", selectors.PollSelector)
    pipes = connection.Connection
    for name, call in (("_read", os.read), ("_write", os.write)):
        set_attribute(pipes, name, call)
    for name, call in (("_recv", os.read), ("_send", os.write)):
        function = vars(pipes)[name]
        if function.__defaults__ != (call,):
            set_attribute(pipes, name, _with_default(function, call))


def _renew_local(set_attribute: Callable[[Any, str, Any], None], util: Any) -> None:
    """Give each green thread its own connection to a manager, as each OS thread had."""
    ordinary = util.ForkAwareLocal
    if not issubclass(ordinary, threading.local):
        kept = {k: v for k, v in vars(ordinary).items() if k not in ("__dict__", "__weakref__")}
        set_attribute(util, "ForkAwareLocal", type(ordinary.__name__, (threading.local,), kept))


def _renew_registry(set_attribute: Callable[[Any, str, Any], None], manager: Any) -> None:
    """Renew what a manager makes in its process: it is pickled, and so looked up by name."""
    renewed = {
        name: (_by_its_name(make), *rest) for name, (make, *rest) in manager._registry.items()
    }
    if renewed != manager._registry:
        set_attribute(manager, "_registry", renewed)


def _by_its_name(make: Any) -> Any:
    module = getattr(make, "__module__", None)
    if module not in ("_thread", "queue", "threading"):
        return make
    return getattr(sys.modules.get(module), make.__name__, make)


def _with_default(function: FunctionType, default: object) -> FunctionType:
    return FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        (default,),
        function.__closure__,
    )


__patched__ = patched(globals())
