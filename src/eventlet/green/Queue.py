"""Compatibility name for `eventlet.green.queue`."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from eventlet.green.queue import *
else:
    share(globals(), "eventlet.green.queue")
