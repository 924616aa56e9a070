"""Green `concurrent.futures.thread`: a pool of green threads with the standard interface."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from concurrent.futures.thread import *
else:
    derive(globals(), "concurrent.futures.thread", GREEN)
