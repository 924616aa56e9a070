"""Green threads: spawn them, wait for them, sleep, kill."""

from collections.abc import Callable
from typing import Any

import greenlet
from greenlet import GreenletExit, getcurrent

from eventlet._core.current import get_hub
from eventlet._core.thread import (
    GreenThread,
    SpawnedGreenlet,
    cancel,
    exception_from,
    kill,
    throw_soon,
)
from eventlet._core.timers import Timer
from eventlet._core.wait_queue import SPENT
from eventlet.timeout import Timeout, with_timeout

__all__ = [
    "GreenThread",
    "call_after",
    "call_after_global",
    "call_after_local",
    "cancel",
    "exc_after",
    "getcurrent",
    "kill",
    "sleep",
    "spawn",
    "spawn_after",
    "spawn_after_local",
    "spawn_n",
    "with_timeout",
]

TimeoutError = Timeout  # noqa: A001  # the name programs know
"""Old name of `timeout.Timeout`; not the builtin."""


def sleep(seconds: float = 0) -> None:
    """Let other green threads run for at least `seconds`; always yields once.

    In the hub's own greenlet, `sleep(0)` returns at once and a longer one is an error.

    Raises:
        TypeError: `seconds` is no number.
        RuntimeError: called with more than 0 in the hub's own greenlet.
    """
    hub = get_hub()
    try:
        waits = seconds > 0
    except TypeError:
        raise TypeError(f"sleep() takes a number of seconds, not {seconds!r}") from None
    if waits:
        hub.park(hub.ticket(), seconds)
    elif getcurrent() is not hub.greenlet:
        hub.yield_()


def spawn(func: Callable[..., Any], *args: Any, **kwargs: Any) -> GreenThread:
    """Start `func(*args, **kwargs)` in a green thread, at the next yield of the caller.

    Returns:
        The thread; `wait()` gives its result.
    """
    hub = get_hub()
    thread = GreenThread(hub, func, args, kwargs)
    hub.start(thread)
    return thread


def spawn_n(func: Callable[..., Any], *args: Any, **kwargs: Any) -> greenlet.greenlet:
    """Start `func` like `spawn`, without a result to wait for.

    Returns:
        A plain greenlet. Exceptions are reported by the hub.
    """
    hub = get_hub()
    thread = SpawnedGreenlet(hub, func, args, kwargs)
    hub.start(thread)
    return thread


def spawn_after(seconds: float, func: Callable[..., Any], *args: Any, **kwargs: Any) -> GreenThread:
    """Start `func` in `seconds`, also if the caller has ended by then."""
    hub = get_hub()
    thread = GreenThread(hub, func, args, kwargs)
    hub.start_later(thread, max(seconds, 0))
    return thread


def spawn_after_local(
    seconds: float, func: Callable[..., Any], *args: Any, **kwargs: Any
) -> GreenThread:
    """Start `func` in `seconds` unless the calling green thread has ended by then.

    If it has, the thread is killed unstarted: `wait()` raises GreenletExit.
    """
    hub = get_hub()
    spawner = getcurrent()
    thread = GreenThread(hub, func, args, kwargs)
    timer = hub.call_later(max(seconds, 0), _start_local, spawner, thread)
    thread.link(lambda _thread: timer.cancel())
    return thread


def _start_local(spawner: greenlet.greenlet, thread: GreenThread) -> None:
    if thread.dead:
        return
    if spawner.dead:
        thread.abandon(GreenletExit())
    else:
        thread.switch()  # we are in the hub's greenlet, to which its parks lead back


def call_after_global(seconds: float, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Timer:
    """Call `func` in the hub's greenlet in `seconds`. Old name; prefer `spawn_after`.

    Returns:
        The timer, with `cancel()`.
    """
    return get_hub().call_later(seconds, func, *args, **kwargs)


def call_after_local(
    seconds: float, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> Timer:
    """`call_after_global` that is skipped once the calling green thread has ended."""
    spawner = getcurrent()

    def call_unless_dead() -> None:
        if not spawner.dead:
            function(*args, **kwargs)

    return get_hub().call_later(seconds, call_unless_dead)


call_after = call_after_local


def exc_after(seconds: float | None, *throw_args: Any) -> Timer:
    """Raise `throw_args` in the calling green thread in `seconds`. Old name; see Timeout.

    Returns:
        The timer, with `cancel()`; None for `seconds` gives one that never fires.
    """
    hub = get_hub()
    if seconds is None:
        timer = Timer(hub, _nothing)
        timer.state |= SPENT
        return timer
    return hub.call_later(seconds, throw_soon, getcurrent(), exception_from(throw_args))


def _nothing() -> None:
    """What a timer that never fires would call."""
