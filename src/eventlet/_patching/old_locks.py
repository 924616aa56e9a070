"""Which locks there were when the lock types were patched, and who held them.

Code that knows such a lock may go past the patched methods: see `lines`. The garbage
collector names every lock there is, reachable or not. Only the numbers are kept. A new lock
may come to lie where an old one was: then it is looked at more often than it need be.
"""

import gc
import threading
from typing import Any
from weakref import ref

from greenlet import getcurrent, greenlet

from eventlet._unpatched import (
    get_ident,
    local,
    lock_type,
    new_lock,
    rlock_type,
    set_sentinel,
    simple_queue_type,
)

__all__ = ["OLD", "OldLocks", "noted_sentinel"]


class OldLocks:
    """The locks that code may release without our knowing."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._is_each = False
        self._patching_thread = 0
        self._patching_greenlet: ref[greenlet] | None = None

    def note_all(self) -> None:
        """Note every lock that there is now, and the caller, who holds those held here."""
        kinds = (lock_type, rlock_type, simple_queue_type)
        self._ids = {id(found) for found in gc.get_objects() if issubclass(type(found), kinds)}
        self._is_each = gc.get_freeze_count() > 0  # of those it names none
        self._patching_thread = get_ident()
        self._patching_greenlet = ref(getcurrent())

    def note(self, lock: object) -> None:
        """Note a lock that C will release."""
        self._ids.add(id(lock))

    def may_have(self, lock: object) -> bool:
        """Whether this lock may have been there when the types were patched."""
        return self._is_each or id(lock) in self._ids

    def is_holder(self, thread: Any) -> bool:
        """Whether this greenlet, running here, stands for the OS thread before patching."""
        if get_ident() != self._patching_thread or self._patching_greenlet is None:
            return thread.parent is None
        holder = self._patching_greenlet()
        if holder is None or holder.dead:
            return thread.parent is None
        return holder is thread


OLD = OldLocks()


class _Here(local):
    """Whether this OS thread has a sentinel from `noted_sentinel`."""

    has_sentinel = False


_here = _Here()


def noted_sentinel() -> Any:
    """Make a lock that C releases at the end of the calling OS thread; note it. Up to 3.12.

    C knows one for each OS thread, the last. Running the code of `threading` asks for one too,
    for the main thread that it takes its caller for: in a thread that has one, which somebody
    may wait for, it gets a lock that nobody waits for.
    """
    known: Any = vars(threading)["_active"].get(get_ident())
    if _here.has_sentinel or getattr(known, "_tstate_lock", None) is not None:
        return new_lock()
    sentinel = set_sentinel()
    _here.has_sentinel = True
    OLD.note(sentinel)
    return sentinel
