"""Green `urllib.parse`: the names of the standard module, which never waits."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from urllib.parse import *
else:
    share(globals(), "urllib.parse")
