"""Green `queue`: the standard queues over green locks; the errors are the standard ones."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN, patched
from eventlet.green._polling import yielding

if TYPE_CHECKING:
    from queue import *
else:
    derive(globals(), "queue", GREEN)
    for _name in ("empty", "full", "qsize"):
        setattr(Queue, _name, yielding(getattr(Queue, _name)))
    del _name
    SimpleQueue = _PySimpleQueue  # the one in C blocks the OS thread

__patched__ = patched(globals())
