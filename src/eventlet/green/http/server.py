"""Green `http.server`: the standard module over the green `socketserver`."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from http.server import *
else:
    derive(globals(), "http.server", GREEN)
