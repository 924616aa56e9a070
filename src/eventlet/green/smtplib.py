"""Green `smtplib`: the standard module over green sockets."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from smtplib import *
else:
    derive(globals(), "smtplib", GREEN)
