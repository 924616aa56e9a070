"""Green `OpenSSL.version`: the module itself, which never waits."""

from typing import TYPE_CHECKING

from eventlet._derive import share

if TYPE_CHECKING:
    from OpenSSL.version import *
else:
    share(globals(), "OpenSSL.version")
