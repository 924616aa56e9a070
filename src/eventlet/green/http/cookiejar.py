"""Green `http.cookiejar`: the standard module over green locks and `urllib.request`."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from http.cookiejar import *
else:
    derive(globals(), "http.cookiejar", GREEN)
