"""Green `select`: `select`, `poll` and `epoll` park only the calling green thread."""

from typing import TYPE_CHECKING

from eventlet._derive import overlay, share
from eventlet._patching.table import patched
from eventlet.green import _select

if TYPE_CHECKING:
    from select import *
else:
    share(globals(), "select")
    overlay(globals(), _select)

__patched__ = patched(globals())
