"""What an application may see of a connection that it shares with others."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["SocketView"]

_SHOWN: Final = frozenset(
    {
        *("family", "type", "proto", "getpeername", "getsockname", "getsockopt"),
        *("cipher", "getpeercert", "get_channel_binding", "selected_alpn_protocol", "version"),
        *("server_hostname", "session_reused"),
    }
)


class SocketView:
    """The connection's socket, to look at: who is there, and how it is encrypted.

    Args:
        sock: the socket.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        if name not in _SHOWN:
            raise AttributeError(
                f"a request of HTTP/2 shares its connection with others: no {name} for one of them"
            )
        return getattr(self._sock, name)
