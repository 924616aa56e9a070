"""Count what an application was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Counted"]


class Counted:
    """A WSGI application that says when it has been asked often enough, and goes on.

    Args:
        app: answers.
        limit: requests.
        tell: called once, with the last of them.
    """

    def __init__(self, app: Callable[..., Any], limit: int, tell: Callable[[], object]) -> None:
        self._app = app
        self._left = limit
        self._tell = tell

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer one request."""
        self._left -= 1
        if self._left == 0:
            self._tell()
        return self._app(environ, start_response)
