"""Green threads and asyncio in one OS thread, each calling the other.

- A green thread uses coroutines: `wait_for_awaitable`, `spawn_for_awaitable`.
- A coroutine uses green threads: `to_green`, `await green_thread`.
- A loop runs in a green thread: `run`, `new_event_loop`.
- A loop that is there already lets green threads run while it waits: `attach`.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from eventlet._aio.attachment import Attachment, attachment_of
from eventlet._aio.errand import Errand
from eventlet._aio.hosted import hosted_loop
from eventlet._aio.loop import EventLoop
from eventlet._core.current import get_hub
from eventlet._core.driving_loops import driving_loops
from eventlet._core.hub import Hub
from eventlet._core.thread import GreenThread
from eventlet._errors import EmbeddingError
from eventlet._unpatched import getpid

__all__ = [
    "Attachment",
    "EventLoop",
    "attach",
    "loop_of",
    "new_event_loop",
    "run",
    "spawn_for_awaitable",
    "to_green",
    "wait_for_awaitable",
]

T = TypeVar("T")
P = ParamSpec("P")

_home: ContextVar[tuple[asyncio.AbstractEventLoop, int] | None] = ContextVar(
    "eventlet.asyncio", default=None
)
"""The loop from which `to_green` was called, and in which process: a forked child is elsewhere."""


def new_event_loop() -> EventLoop:
    """Make a loop that parks only the green thread in which it runs."""
    return EventLoop()


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Run a coroutine in a loop of its own, as `asyncio.run` does, while others run.

    Any number of green threads of one OS thread may do so at once.

    Raises:
        RuntimeError: a loop is running in this greenlet already.
    """
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


def wait_for_awaitable(aw: Awaitable[T], timeout: float | None = None) -> T:
    """Park the calling green thread until a coroutine, task or future is done.

    It runs in the loop `loop_of` tells, a future in its own. If the caller is killed, timed
    out or otherwise interrupted, the awaitable is cancelled.

    Args:
        aw: what could be awaited.
        timeout: seconds; None waits for ever.

    Returns:
        Its result.

    Raises:
        TimeoutError: the time was up first; the awaitable is cancelled.
        CancelledError: somebody else cancelled the awaitable.
        RuntimeError: this greenlet runs the loop that has to do the work: use `await`.
    """
    result: T = _send(aw).wait(timeout)
    return result


def spawn_for_awaitable(coroutine: Awaitable[Any]) -> GreenThread:
    """Start a coroutine, task or future; return the green thread that stands for it.

    Its `wait()` returns the result or raises the exception, CancelledError included. Killing
    it cancels the awaitable.
    """
    errand = _send(coroutine)
    hub = get_hub()
    thread = _ForAwaitable(hub, errand.wait)
    thread.link(_cancel, errand)
    hub.start(thread)
    return thread


async def to_green(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that may wait in a green thread, and await its result.

    It runs in a copy of the caller's context. In it, `wait_for_awaitable` comes back to this
    loop. Cancelling the `await` kills the green thread and goes on when that has ended.

    Raises:
        CancelledError: this task was cancelled, or the green thread killed.
        RuntimeError: the running loop keeps green threads from running; see `attach`.
    """
    home = asyncio.get_running_loop()

    def call_at_home() -> T:
        _home.set((home, getpid()))
        return func(*args, **kwargs)

    hub = get_hub()
    thread = _Awaited(hub, call_at_home)
    try:
        outcome = thread.as_future()
    except BaseException as exc:
        thread.abandon(exc)
        raise
    hub.start(thread)
    result: T = await outcome
    return result


def attach(loop: asyncio.AbstractEventLoop | None = None) -> Attachment | None:
    """Let `loop` drive the hub of this OS thread: green threads run while the loop waits.

    For programs whose main loop is asyncio's or uvloop's. Call it once per loop, at the start
    of the program; again is harmless. While the loop runs, the greenlet in which it runs
    must not park: use `to_green` for functions that do.

    Args:
        loop: the running loop by default.

    Returns:
        An object with `detach()`; None for a loop that parks by itself and needs none.

    Raises:
        RuntimeError: no loop is running, and none was given.
        EmbeddingError: another loop that is still open drives this hub.
    """
    if loop is None:
        loop = asyncio.get_running_loop()
    hub = get_hub()
    attachment = attachment_of(hub)
    if attachment is not None:
        if attachment.loop is loop:
            return attachment
        if attachment.loop.is_running():
            raise EmbeddingError(
                f"{attachment.loop!r} drives the hub of this OS thread already; detach it first"
            )
        attachment.detach()
    if isinstance(loop, EventLoop) or loop in driving_loops:
        return None
    return Attachment(hub, loop)


def loop_of(hub: Hub | None = None) -> asyncio.AbstractEventLoop:
    """Return the loop that runs the awaitables of green threads here.

    It is the loop that drives the hub from outside, if there is one; else one that is made
    now, in a green thread of its own.

    Args:
        hub: that of this OS thread by default.
    """
    if hub is None:
        hub = get_hub()
    attachment = attachment_of(hub)
    return hosted_loop(hub) if attachment is None else attachment.loop


# -- private ---------------------------------------------------------------------------------


class _ForAwaitable(GreenThread):
    """A green thread that waits for an awaitable. That it was cancelled is no news."""

    def _report(self, exc: BaseException) -> None:
        if not isinstance(exc, asyncio.CancelledError):
            super()._report(exc)


class _Awaited(GreenThread):
    """A green thread whose exception goes to the coroutine that awaits it."""

    def _report(self, exc: BaseException) -> None:
        """Leave it to the coroutine."""


def _send(aw: Awaitable[Any]) -> Errand:
    if asyncio.isfuture(aw):
        return Errand(aw.get_loop(), aw)
    if not inspect.isawaitable(aw):
        raise TypeError(f"a coroutine, task, future or other awaitable is needed, not {aw!r}")
    return Errand(_loop_here(), aw)


def _loop_here() -> asyncio.AbstractEventLoop:
    """Return the running loop, else the one `to_green` was called in, else `loop_of()`."""
    loop = asyncio._get_running_loop()
    if loop is not None:
        return loop
    home, pid = _home.get() or (None, None)
    return home if home is not None and home.is_running() and pid == getpid() else loop_of()


def _cancel(_thread: GreenThread, errand: Errand) -> None:
    errand.cancel()
