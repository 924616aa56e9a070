"""Green `urllib.request`: the standard module over the green `http.client` and `ftplib`."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from urllib.request import *
else:
    derive(globals(), "urllib.request", GREEN)
