"""Green `OpenSSL`: pyOpenSSL, whose connections park only the calling green thread."""

from typing import TYPE_CHECKING

from eventlet._derive import share
from eventlet.green.OpenSSL import SSL, crypto

if TYPE_CHECKING:
    from OpenSSL import *
else:
    share(globals(), "OpenSSL")

__all__ = ["SSL", "crypto"]
