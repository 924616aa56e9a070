"""Timers with the old vocabulary: made first, scheduled later."""

import traceback
from collections.abc import Callable
from typing import Any, Self

import greenlet
from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.timers import Timer as CoreTimer
from eventlet._core.wait_queue import SPENT, WOKEN

__all__ = ["LocalTimer", "Timer"]

_g_debug = False
"""Whether a new timer remembers, for its `repr`, where it was made."""


class Timer(CoreTimer):
    """A call of `cb(*args, **kw)` in the hub's greenlet.

    Args:
        seconds: how long after `schedule`.
        cb: what to call.
        args: its positional arguments.
        kw: its keyword arguments.
    """

    __slots__ = ("_where", "scheduled", "seconds")

    def __init__(self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any) -> None:
        super().__init__(get_hub(), cb, args, kw)
        self.seconds = seconds
        self.scheduled = False
        self._where = "".join(traceback.format_stack()[:-1]) if _g_debug else ""

    @property
    def called(self) -> bool:
        """Whether the call was made, or taken back."""
        return self.state & SPENT != 0

    @property
    def tpl(self) -> tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]] | None:
        """What it will call: (function, args, kwargs); None once it was called or cancelled."""
        return None if self.func is None else (self.func, self.args, self.kwargs)

    def schedule(self) -> Self:
        """Start counting on the hub of this OS thread."""
        self.schedule_on(get_hub())
        return self

    def schedule_on(self, hub: Hub) -> float:
        """Start counting on `hub`; return the deadline, in seconds on its clock."""
        self.scheduled = True
        return hub.schedule(self, self.seconds)

    def cancel(self) -> None:
        """Make sure the call does not happen; release what it refers to."""
        if not self.scheduled:
            self.state |= WOKEN  # it is in no heap that would have to count it
        super().cancel()

    def copy(self) -> Self:
        """Return an unscheduled timer for the same call.

        Raises:
            ValueError: it was called or cancelled, so the call is forgotten.
        """
        if self.func is None:
            raise ValueError(f"{self!r} was called or cancelled; there is no call left to copy")
        return type(self)(self.seconds, self.func, *self.args, **self.kwargs)

    def switch(self, value: object) -> None:
        """Make the call, unless it would only wake a greenlet that has ended."""
        if leads_to_the_dead(self.func):
            self.cancel()
        else:
            super().switch(value)

    def __repr__(self) -> str:
        call = f"{self.func!r}, *{self.args!r}, **{self.kwargs!r}"
        where = f"\n{self._where}" if self._where else ""
        return f"{type(self).__name__}({self.seconds!r}, {call}){where}"


class LocalTimer(Timer):
    """A timer that is dropped when the greenlet that made it has ended."""

    __slots__ = ("greenlet",)

    def __init__(self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any) -> None:
        super().__init__(seconds, cb, *args, **kw)
        self.greenlet = getcurrent()

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return not self.greenlet.dead and super().pending

    def switch(self, value: object) -> None:
        """Make the call, unless the greenlet that made this timer has ended."""
        if self.greenlet.dead:
            self.cancel()
        else:
            super().switch(value)


def leads_to_the_dead(callback: object) -> bool:
    """Whether `callback` is `switch` or `throw` of a greenlet that has ended.

    Such a call would land in that greenlet's parent, who does not expect it.
    """
    owner = getattr(callback, "__self__", None)
    return isinstance(owner, greenlet.greenlet) and owner.dead
