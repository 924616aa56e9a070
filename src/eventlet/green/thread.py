"""Green `_thread`: threads are green threads, locks park."""

from typing import TYPE_CHECKING

from eventlet._derive import overlay, share
from eventlet._patching.table import patched
from eventlet.green import _thread

if TYPE_CHECKING:
    from _thread import *
else:
    share(globals(), "_thread")
    # Without this name the standard modules fall back on re-entrant locks written in
    # Python over `allocate_lock`, whose owner is a green thread.
    del globals()["RLock"]
    overlay(globals(), _thread)

__patched__ = patched(globals())
