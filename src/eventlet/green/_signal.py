"""Signals sent and heard by several green threads of the main OS thread.

Python writes each signal to one descriptor, that of whoever set it last, and a standard asyncio
loop sets its own for as long as it has signal handlers. Several loops may run in green threads
at once. So each green thread has a place of its own here: the newest of them has the
descriptor, and when it gives it back, the newest of the others has it again, in whatever order
they end.
"""

import signal
from typing import Any
from weakref import ref

from greenlet import getcurrent, greenlet

from eventlet._patching.table import patched
from eventlet.green._polling import let_others_poll

__all__ = ["raise_signal", "set_wakeup_fd"]

_ordinary: Any = signal.set_wakeup_fd
_ordinary_raise = signal.raise_signal


class _Owners:
    """Who set a descriptor and has not given it back, oldest first."""

    def __init__(self) -> None:
        self.entries: list[tuple[ref[greenlet], int, bool]] = []

    def remove(self, thread: greenlet) -> int:
        """Forget a green thread, and those that have ended; return what it had set, or -1."""
        fd = -1
        kept = []
        for entry in self.entries:
            owner = entry[0]()
            if owner is thread:
                fd = entry[1]
            elif owner is not None and not owner.dead:
                kept.append(entry)
        self.entries = kept
        return fd

    def let_the_newest_have_it(self) -> None:
        """Set the descriptor of the newest; what has been closed meanwhile is forgotten."""
        while self.entries:
            _, fd, warns = self.entries[-1]
            try:
                _ordinary(fd, warn_on_full_buffer=warns)
            except (OSError, ValueError):
                self.entries.pop()
            else:
                return
        _ordinary(-1)


_owners = _Owners()


def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """Set the descriptor to which the number of each signal is written; -1 gives it back.

    Returns:
        What the calling green thread had set before, or -1. If no green thread had set one,
        what was set before.

    Raises:
        ValueError: not in the main OS thread, or `fd` is no open descriptor in non-blocking mode.
    """
    is_first = not _owners.entries
    before: int = _ordinary(fd, warn_on_full_buffer=warn_on_full_buffer)
    thread = getcurrent()
    own = _owners.remove(thread)
    if fd >= 0:
        _owners.entries.append((ref(thread), fd, warn_on_full_buffer))
        return before if is_first else own
    _owners.let_the_newest_have_it()
    return before if is_first else own


def raise_signal(signalnum: int, /) -> None:
    """Send a signal to the calling process; a loop of calls lets others run now and then."""
    _ordinary_raise(signalnum)
    let_others_poll()


__patched__ = patched(globals())
