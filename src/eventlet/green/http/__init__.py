"""Green `http`: the package of the green HTTP modules; its own names never wait."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from http import *
else:
    share(globals(), "http")
