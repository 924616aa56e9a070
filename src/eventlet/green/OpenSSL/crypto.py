"""Green `OpenSSL.crypto`: the module itself, which never waits."""

from typing import TYPE_CHECKING, Any

from eventlet._derive import share

if TYPE_CHECKING:
    from OpenSSL.crypto import *

    def __getattr__(name: str) -> Any: ...
else:
    share(globals(), "OpenSSL.crypto")
