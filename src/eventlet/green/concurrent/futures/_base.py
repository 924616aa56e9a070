"""Green `concurrent.futures._base`: futures on green conditions."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if TYPE_CHECKING:
    from concurrent.futures._base import *
else:
    derive(globals(), "concurrent.futures._base", GREEN)
