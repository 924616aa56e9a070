"""What may go wrong in `accept`, and whether an accepted client has said anything."""

from __future__ import annotations

import errno
from contextlib import suppress
from socket import MSG_DONTWAIT, MSG_PEEK
from typing import Any, Final

from eventlet._unpatched import base_socket

__all__ = ["EXHAUSTED", "ONE_FAILED", "has_more"]

# One connection failed before it was accepted; the next may be well. The second line is what
# accept(2) hands on of the errors of the network.
ONE_FAILED: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EINTR}) | frozenset(
    getattr(errno, name)
    for name in ("ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "ENOPROTOOPT", "ENONET")
    if hasattr(errno, name)
)

# The process or the machine has run out of something, or a rule of the firewall forbids it; give it
# time to come back.
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM})

_peek = base_socket.recv  # below TLS, too


def has_more(sock: Any) -> bool:
    """Tell whether a client has sent what has not been read."""
    with suppress(OSError):
        return bool(_peek(sock, 1, MSG_PEEK | MSG_DONTWAIT))
    return False
