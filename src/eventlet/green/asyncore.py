"""Green `asyncore`: the standard module over green sockets and `select`.

Python 3.11 was the last to have it; later this module is empty.
"""

import sys

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if sys.version_info < (3, 12):
    derive(globals(), "asyncore", GREEN)
