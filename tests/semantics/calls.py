"""Calls whose outcome is looked at elsewhere: in another green thread, or after the hub's call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import eventlet
from eventlet import hubs


def error_of(function: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
    """Call `function`; return the `Exception` it raises, or None."""
    try:
        function(*args, **kwargs)
    except Exception as exc:
        return exc
    return None


def in_hub(function: Callable[[], Any]) -> Any:
    """Call `function` in the hub's own greenlet; return its result, or the error it raised."""
    results: list[Any] = []

    def call() -> None:
        try:
            results.append(function())
        except Exception as exc:
            results.append(exc)

    hubs.get_hub().schedule_call_global(0, call)
    eventlet.sleep(0)
    return results[0]
