"""Green `urllib.response`: the names of the standard module, which never waits."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from urllib.response import *
else:
    share(globals(), "urllib.response")
