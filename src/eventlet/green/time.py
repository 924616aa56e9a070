"""Green `time`: `sleep` parks only the calling green thread."""

from typing import TYPE_CHECKING

from eventlet._derive import overlay, share
from eventlet._patching.table import patched
from eventlet.green import _time

if TYPE_CHECKING:
    from time import *
else:
    share(globals(), "time")
    overlay(globals(), _time)

__patched__ = patched(globals())
