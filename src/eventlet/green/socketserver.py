"""Green `socketserver`: the standard module over green sockets, selectors and threads."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from socketserver import *
else:
    derive(globals(), "socketserver", GREEN)
