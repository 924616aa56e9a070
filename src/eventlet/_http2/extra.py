"""Load what HTTP/2 needs, where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["load_http2"]

EXTRA = frozenset({"h2", "hpack", "hyperframe"})


def load_http2() -> Callable[[Any, dict[str, Any], bytes], None]:
    """Give what serves a connection of HTTP/2.

    Raises:
        ImportError: the extra is not installed.
    """
    try:
        from eventlet._http2.connection import serve_connection
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in EXTRA:
            raise
        raise ImportError(
            "HTTP/2 needs the library h2, which is not installed: pip install 'h2>=4.4'",
            name=exc.name,
        ) from exc
    return serve_connection
