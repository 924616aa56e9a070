"""What a subclass of `HttpProtocol` may override, and whether one does."""

from __future__ import annotations

from typing import Any

__all__ = [
    "LOG_POINTS",
    "OWN_SETTINGS",
    "READ_POINTS",
    "is_unchanged",
    "makes_plain_files",
    "remember",
]

# Each of them is called, or looked at, on the way through the methods of the class only.
READ_POINTS = (
    "MessageClass",
    "_read_request_line",
    "finish",
    "formalize_key_naming",
    "get_client_address",
    "get_environ",
    "handle",
    "handle_expect_100",
    "handle_one_request",
    "handle_one_response",
    "parse_request",
    "rbufsize",
    "send_error",
    "setup",
    "wbufsize",
)

# Who has one of these hears of refused requests.
LOG_POINTS = ("log_error", "log_message")

# What an instance may set for its own connection; for all, they are the server's.
OWN_SETTINGS = frozenset({"capitalize_response_headers", "minimum_chunk_size", "protocol_version"})

# Modules whose `makefile` gives the bytes of the connection, and nothing else.
_PLAIN_HOMES = ("eventlet.", "socket", "ssl")


def remember(cls: type[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Give what attributes of a class are now, to see later whether they are so still."""
    return {name: getattr(cls, name) for name in names}


def is_unchanged(cls: type[Any], points: dict[str, Any]) -> bool:
    """Tell whether attributes of a class are what they were in the class that was remembered."""
    return all(getattr(cls, name, None) is value for name, value in points.items())


def makes_plain_files(sock: Any) -> bool:
    """Tell whether nobody would miss it if `makefile` were not called."""
    makefile = getattr(sock, "makefile", None)
    if makefile is None:
        return True
    home = getattr(makefile, "__module__", None) or ""
    return "makefile" not in getattr(sock, "__dict__", ()) and home.startswith(_PLAIN_HOMES)
