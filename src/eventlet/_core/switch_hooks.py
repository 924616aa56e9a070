"""Functions that are told of every switch between greenlets of this OS thread.

greenlet has one tracer for each OS thread. Several of us share one, and hand on to the one
that was there. It is called in the greenlet that goes on, before that runs; Python's own
tracing and profiling are off meanwhile.
"""

from collections.abc import Callable
from typing import Any

import greenlet

from eventlet._unpatched import local

__all__ = ["SwitchHook", "add_switch_hook", "remove_switch_hook", "renew_switch_hooks"]

SwitchHook = Callable[[Any, Any], object]
"""Called with the greenlet that was left and the one that goes on. It must not raise."""


class _Tracer:
    """What `greenlet.settrace` is given. One is never used again after it was taken out."""

    def __init__(self) -> None:
        self.hooks: tuple[SwitchHook, ...] = ()
        self.before: Any = greenlet.gettrace()

    def __call__(self, event: Any, switch: Any) -> None:
        for hook in self.hooks:
            hook(*switch)
        if self.before is not None:
            self.before(event, switch)


class _Here(local):
    """Per OS thread: our tracer, while there are hooks."""

    tracer: _Tracer | None = None


_here = _Here()


def add_switch_hook(hook: SwitchHook) -> None:
    """Have `hook(origin, target)` called at every switch in this OS thread."""
    tracer = _here.tracer
    if tracer is None:
        tracer = _here.tracer = _Tracer()
        greenlet.settrace(tracer)
    tracer.hooks = (*tracer.hooks, hook)


def remove_switch_hook(hook: SwitchHook) -> None:
    """Take a hook of this OS thread back; harmless when it is not there.

    The last one gives greenlet the tracer that was there before, unless somebody else has
    set another since.
    """
    tracer = _here.tracer
    if tracer is None:
        return
    tracer.hooks = tuple(each for each in tracer.hooks if each != hook)
    if not tracer.hooks:
        _here.tracer = None
        present: Any = greenlet.gettrace()
        if present is tracer:
            greenlet.settrace(tracer.before)


def renew_switch_hooks() -> None:
    """Set our tracer again if it was lost: greenlet drops one in which a signal handler raised."""
    if _here.tracer is not None and greenlet.gettrace() is None:
        greenlet.settrace(_here.tracer)
