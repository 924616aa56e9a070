"""Green `xmlrpc.client`: the standard module over the green `http.client`."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from xmlrpc.client import *
else:
    derive(globals(), "xmlrpc.client", GREEN)
