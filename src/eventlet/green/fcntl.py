"""Green `fcntl`: waiting for a lock on a file parks."""

from typing import TYPE_CHECKING

from eventlet._derive import overlay, share
from eventlet._patching.table import patched
from eventlet.green import _fcntl

if TYPE_CHECKING:
    from fcntl import *
else:
    share(globals(), "fcntl")
    overlay(globals(), _fcntl)

__patched__ = patched(globals())
