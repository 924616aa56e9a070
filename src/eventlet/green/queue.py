"""Green `queue`: the standard queues over green locks; the errors are the standard ones."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN, patched

if TYPE_CHECKING:
    from queue import *
else:
    derive(globals(), "queue", GREEN)
    SimpleQueue = _PySimpleQueue  # the one in C blocks the OS thread

__patched__ = patched(globals())
