"""Green `http.cookies`: the names of the standard module, which never waits."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from http.cookies import *
else:
    share(globals(), "http.cookies")
