"""Compatibility name for `eventlet.green.socketserver`."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from eventlet.green.socketserver import *
else:
    share(globals(), "eventlet.green.socketserver")
