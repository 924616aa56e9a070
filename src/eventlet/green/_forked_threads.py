"""Keep `threading` right in a forked child that keeps its green threads.

`threading` assumes that the thread that forked is the only one there: its fork handler ends
all others and forgets them. Where a fork keeps green threads (`_core.kept_forks`), that holds
for threads of other OS threads alone. So for that one fork its handler does nothing, and is
called by ours when only those are left in its tables.
"""

import os
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, Final
from weakref import WeakSet

from greenlet import getcurrent

from eventlet._core.fork import keeps_green_threads
from eventlet._core.kept_forks import root_of
from eventlet._unpatched import get_ident as native_ident
from eventlet.green._thread import Sentinel, _ThreadHandle, thread_of

__all__ = ["keep_threads"]


def _do_nothing() -> None:
    """Stand in for a fork handler."""


class _Handler:
    """The fork handler of one `threading` namespace."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.function: FunctionType = names["_after_fork"]
        self.code: Final[CodeType] = self.function.__code__

    def before(self) -> None:
        """Turn it off for a fork that keeps green threads."""
        if keeps_green_threads():
            self.function.__code__ = _do_nothing.__code__

    def in_parent(self) -> None:
        """Turn it on again."""
        self.function.__code__ = self.code

    def in_child(self) -> None:
        """Turn it on again; if it was off, have it forget the threads that are not here."""
        if self.function.__code__ is self.code:
            return
        self.function.__code__ = self.code
        self._forget_other_os_threads()

    def _forget_other_os_threads(self) -> None:
        names = self.names
        active, limbo, main = names["_active"], names["_limbo"], names["_main_thread"]
        here = {ident: thread for ident, thread in active.items() if _is_here(ident)}
        gone = [thread for ident, thread in active.items() if ident not in here]
        starting, dangling = dict(limbo), names["_dangling"]
        locks = names.get("_shutdown_locks")
        for thread in gone:
            _mark_ended(thread)
        for ident in here:
            del active[ident]
        active[names["get_ident"]()] = _Nobody()
        names["_dangling"] = WeakSet(gone)
        limbo.clear()
        try:
            self.function()
        finally:
            active.clear()
            active.update(here)
            limbo.update(starting)
            names["_dangling"] = dangling
            is_main_here = main in here.values()
            names["_main_thread"] = main if is_main_here else here.get(native_ident(), main)
            if locks is not None:
                names["_shutdown_locks"] = {each for each in locks if isinstance(each, Sentinel)}


class _Nobody:
    """Passes for the `Thread` of who forked, which the handler would make the only one."""

    def _reset_internal_locks(self, is_alive: bool) -> None:
        """Do what the handler asks for up to Python 3.12."""

    def _after_fork(self, new_ident: int | None = None) -> None:
        """Do what it asks for from Python 3.13 on."""


def _is_here(ident: int) -> bool:
    """Whether a thread with this ident belongs to the OS thread that forked."""
    if ident == native_ident():
        return True
    thread = thread_of(ident)
    return thread is not None and root_of(thread) is root_of(getcurrent())


def _mark_ended(thread: Any) -> None:
    """Tell who joins a green thread of another OS thread that it is over."""
    for name in ("_handle", "_os_thread_handle"):
        handle = getattr(thread, name, None)
        if isinstance(handle, _ThreadHandle):
            handle._set_done()


def keep_threads(names: dict[str, Any]) -> None:
    """Have a `threading` namespace keep green threads where a fork does.

    Args:
        names: its globals, once its own fork handler is registered.
    """
    handler = _Handler(names)
    calls: tuple[Callable[[], None], ...] = (handler.before, handler.in_parent, handler.in_child)
    before, in_parent, in_child = calls
    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
