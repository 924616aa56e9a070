"""Green `builtins`: `open` tells the hub that a descriptor number names a new file."""

from typing import TYPE_CHECKING

from eventlet._derive import overlay, share
from eventlet._patching.table import patched
from eventlet.green import _builtins

if TYPE_CHECKING:
    from builtins import *  # noqa: UP029 - for those who import the names from here
else:
    share(globals(), "builtins")
    overlay(globals(), _builtins)

__patched__ = patched(globals())
