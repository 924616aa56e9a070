"""Compatibility name for `eventlet.green.http.server`."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from eventlet.green.http.server import *
else:
    share(globals(), "eventlet.green.http.server")
