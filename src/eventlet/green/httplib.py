"""Compatibility name for `eventlet.green.http.client`."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from eventlet.green.http.client import *
else:
    share(globals(), "eventlet.green.http.client")
