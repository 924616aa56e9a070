"""Green `os`: reading, writing, opening and waiting for children park."""

from typing import TYPE_CHECKING

from eventlet._derive import overlay, share
from eventlet._patching.table import patched
from eventlet.green import _os

if TYPE_CHECKING:
    from os import *
else:
    share(globals(), "os")
    overlay(globals(), _os)

__patched__ = patched(globals())
