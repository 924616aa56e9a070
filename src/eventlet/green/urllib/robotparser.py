"""Green `urllib.robotparser`: the standard module over the green `urllib.request`."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from urllib.robotparser import *
else:
    derive(globals(), "urllib.robotparser", GREEN)
