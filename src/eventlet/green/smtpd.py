"""Green `smtpd`: the standard module over the green `asyncore`.

Python 3.11 was the last to have it; later importing this raises `ModuleNotFoundError`.
"""

from eventlet._derive import derive
from eventlet._patching.table import GREEN

derive(globals(), "smtpd", GREEN)
