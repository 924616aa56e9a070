"""Calls that ask and never wait, in loops that do nothing else."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from eventlet._core.current import existing_hub

__all__ = ["yielding"]


def yielding(ordinary: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method that lets others run now and then, before it looks.

    Nobody runs between the look and its answer, so what the caller does next is as safe as
    ever. And `while queue.empty(): pass` ends, as it does between OS threads.
    """

    @wraps(ordinary)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        hub = existing_hub()
        if hub is not None:
            hub.budget -= 1
            if hub.budget < 0:
                hub.spend()
        return ordinary(self, *args, **kwargs)

    return method
