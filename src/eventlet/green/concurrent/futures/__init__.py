"""Green `concurrent.futures`: pools of green threads with the standard interface.

Process pools are the standard ones: their queues and pipes are not green.
"""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from concurrent.futures import *
else:
    derive(globals(), "concurrent.futures", GREEN)
