"""Green `asynchat`: the standard module over the green `asyncore`.

Python 3.11 was the last to have it; later this module is empty.
"""

import sys

from eventlet._derive import derive
from eventlet._patching.table import GREEN

if sys.version_info < (3, 12):
    derive(globals(), "asynchat", GREEN)
