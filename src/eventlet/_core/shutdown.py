"""The end of the interpreter while other OS threads still run hubs.

Up to Python 3.13 an OS thread that asks for the GIL then is ended on the spot, by unwinding
its C stack. The stack of a green thread is put together from pieces, and unwinding it crashes
the process. So, before, every hub of another OS thread is stopped where it cannot ask: in a
native lock that nobody releases. From 3.14 on the interpreter does that by itself.
"""

import atexit
import sys
from typing import Final

from eventlet._core.fork import hubs
from eventlet._core.hub import Hub
from eventlet._errors import HubClosed
from eventlet._unpatched import Mutex, get_ident, monotonic, real_sleep

__all__ = ["watch_exit"]

_LONGEST_WAIT: Final = 2.0  # seconds; a green thread that computes does not let its hub hear us
_PAUSE: Final = 0.0005


class _Exit:
    """Whether the handler is installed; at exit, which OS thread ends us and who has stopped."""

    is_watched = False
    ident: int | None = None
    nobody_releases = Mutex()
    stopped: set[int] = set()


def watch_exit() -> None:
    """Have hubs of other OS threads stopped at exit; installs its handler once."""
    if _Exit.ident is not None and get_ident() != _Exit.ident:
        _stay_here()  # a hub that comes too late to be told
    if not _Exit.is_watched and sys.version_info < (3, 14):
        _Exit.is_watched = True
        atexit.register(_stop_other_hubs)


def _stop_other_hubs() -> None:
    _Exit.nobody_releases.acquire()
    _Exit.ident = get_ident()
    deadline = monotonic() + _LONGEST_WAIT
    told: set[Hub] = set()
    while True:
        others = {hub for hub in hubs.copy() if hub.ident != _Exit.ident}
        for hub in others - told:
            told.add(hub)
            try:
                hub.call_from_thread(_stay_here)
            except HubClosed:
                continue  # its OS thread ends by itself
        running = {hub.ident for hub in others} - _Exit.stopped
        if others:
            real_sleep(_PAUSE)  # also for the last one, to get from the set to the lock
        if not running or monotonic() > deadline:
            return


def _stay_here() -> None:
    _Exit.stopped.add(get_ident())
    _Exit.nobody_releases.acquire()
