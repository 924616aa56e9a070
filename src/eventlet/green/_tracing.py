"""Trace and profile functions of green threads that `threading` has started with one.

Python keeps these functions for an OS thread. What `threading.settrace` or `setprofile` has
set in a new green thread would trace all the others from then on, for ever. So while such a
thread runs, they are exchanged at each switch: it has its own, and all others share theirs.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent

from eventlet._core.switch_hooks import add_switch_hook, remove_switch_hook
from eventlet._unpatched import local

__all__ = ["is_traced", "own_tracing"]

_Functions = tuple[Any, Any]
"""A trace function and a profile function; None for none."""


class _Here(local):
    """Per OS thread: the functions of those that have their own, and of all others."""

    def __init__(self) -> None:
        self.own: dict[Any, _Functions] = {}
        self.shared: _Functions = (None, None)


_here = _Here()


def is_traced(function: Callable[..., Any]) -> bool:
    """Whether this is the way into a `Thread` for which there is a function to be set."""
    names = getattr(function, "__globals__", {})
    return names.get("_trace_hook") is not None or names.get("_profile_hook") is not None


@contextmanager
def own_tracing() -> Iterator[None]:
    """Let the calling green thread have functions of its own; the others keep theirs."""
    me = getcurrent()
    own = _here.own
    if not own:
        _here.shared = _present()
        add_switch_hook(_exchange)
    own[me] = (None, None)
    _set((None, None))
    try:
        yield
    finally:
        _set(_here.shared)
        del own[me]
        if not own:
            remove_switch_hook(_exchange)


def _exchange(left: Any, entered: Any) -> None:
    own, functions = _here.own, _present()
    if left in own:
        own[left] = functions
    else:
        _here.shared = functions
    _set(own.get(entered, _here.shared))


def _present() -> _Functions:
    return sys.gettrace(), sys.getprofile()


def _set(functions: _Functions) -> None:
    sys.settrace(functions[0])
    sys.setprofile(functions[1])
