"""Green `http.client`: the standard module over green sockets."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from http.client import *
else:
    derive(globals(), "http.client", GREEN)
