"""What one client may take from a server: time, and bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Limits", "refuse_negative"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a client may keep a green thread waiting, and how much it may send.

    The defaults are those of `wsgi.server`, which trusts its clients in much; a server that
    strangers reach sets the others, too.

    Attributes:
        idle_timeout: seconds to wait for a request, the first one too; a number in
            `keepalive` comes first. None for as long as the socket's own time-out lets it.
        head_timeout: seconds from the first byte of a head to its last, and for a TLS
            handshake; None for ever.
        body_timeout: seconds of waiting for each 64 KiB of a body, the rest of it included;
            None for as long as the socket's own time-out lets it.
        write_timeout: seconds of waiting for the client to take each 64 KiB of a response;
            None for as long as the socket's own time-out lets it.
        request_line_bytes: a request line must be shorter, line end included; None for
            `url_length_limit`.
        header_line_bytes: a header line must be shorter, line end included; None for
            `wsgi.MAX_HEADER_LINE` as it is at the moment.
        headers_bytes: all header lines together may be as long; None for
            `wsgi.MAX_TOTAL_HEADER_SIZE` as it is at the moment.
        header_count: header fields in a request.
        body_bytes: a body may be as long; None for any length.
        requires_host: refuse HTTP/1.1 requests that name no host.
        http2_streams: requests at once on one connection of HTTP/2.

    Raises:
        ValueError: one of them is negative.
    """

    idle_timeout: float | None = None
    head_timeout: float | None = 60.0
    body_timeout: float | None = None
    write_timeout: float | None = None
    request_line_bytes: int | None = None
    header_line_bytes: int | None = None
    headers_bytes: int | None = None
    header_count: int = 100
    body_bytes: int | None = None
    requires_host: bool = False
    http2_streams: int = 100

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            refuse_negative(name, value)


def refuse_negative(name: str, value: Any) -> None:
    """Refuse a setting before it fails at the first connection.

    Raises:
        ValueError: it is a number below 0.
    """
    if isinstance(value, (int, float)) and value < 0:
        raise ValueError(f"{name} must not be negative, as {value!r} is")
