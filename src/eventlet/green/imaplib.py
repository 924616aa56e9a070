"""Green `imaplib`: the standard module over green sockets and processes."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from imaplib import *
else:
    derive(globals(), "imaplib", GREEN)
