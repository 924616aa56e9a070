"""Green `xmlrpc.server`: the standard module over the green `http.server`."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from xmlrpc.server import *
else:
    derive(globals(), "xmlrpc.server", GREEN)
