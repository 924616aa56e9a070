"""Green `nntplib`: the standard module over green sockets.

Python 3.12 was the last to have it; later importing this raises `ModuleNotFoundError`.
"""

from eventlet._derive import derive
from eventlet._patching.table import GREEN

derive(globals(), "nntplib", GREEN)
