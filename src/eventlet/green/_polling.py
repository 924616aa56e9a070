"""Calls that ask and never wait, in loops that do nothing else."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from eventlet._core.current import existing_hub
from eventlet._core.scope import shielded

__all__ = ["let_others_poll", "yielding"]


def let_others_poll() -> None:
    """Let others run now and then: a call of something that loops may call for ever.

    Cancelled scopes are not noticed, for that is not what the caller asks.
    """
    hub = existing_hub()
    if hub is not None:
        hub.budget -= 1
        if hub.budget < 0:
            with shielded():
                hub.spend()


def yielding(ordinary: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method that lets others run now and then, before it looks.

    Nobody runs between the look and its answer, so what the caller does next is as safe as
    ever. And `while queue.empty(): pass` ends, as it does between OS threads.
    """

    @wraps(ordinary)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        let_others_poll()
        return ordinary(self, *args, **kwargs)

    return method
