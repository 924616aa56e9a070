"""`await green_thread`: the outcome of a green thread as a future of the running loop.

Imported at the first such `await`, because asyncio is.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit

from eventlet._core.driving_loops import driving_loops
from eventlet._errors import LoopDoesNotDrive

__all__ = ["ThreadFuture"]


class ThreadFuture(asyncio.Future[Any]):
    """Done when a green thread has ended, with its result or exception.

    Cancelling it kills the green thread, and it counts as cancelled once that has ended, as
    with a task; so whoever awaits it goes on after the clean-up of the green thread. A green
    thread that was killed leaves it cancelled.

    Args:
        hub: the one that runs the thread; None when another OS thread's does.
        link: has a function called with the thread when that finishes.
        interrupt: has an exception raised in the thread, soon.

    Raises:
        RuntimeError: no loop is running here.
        LoopDoesNotDrive: the running loop keeps the hub of its OS thread from running.
    """

    def __init__(
        self,
        has_hub_here: bool,
        link: Callable[[Callable[[Any], None]], None],
        interrupt: Callable[[BaseException], object],
    ) -> None:
        loop = asyncio.get_running_loop()
        if has_hub_here and loop not in driving_loops:
            raise LoopDoesNotDrive(loop)
        super().__init__(loop=loop)
        self._interrupt = interrupt
        self._reason: Any = None
        self._told: GreenletExit | None = None
        self._has_ended = False
        link(self._thread_ended)

    def cancel(self, msg: Any = None) -> bool:
        """Kill the green thread; the future is cancelled when that has ended.

        False when it has ended already: a task that awaits this is then cancelled by itself.
        """
        if self.done() or self._has_ended:
            return False
        self._reason = msg
        self._told = GreenletExit()
        self._interrupt(self._told)
        return True

    def _thread_ended(self, thread: Any) -> None:
        # In the thread that ends: perhaps in another OS thread, perhaps after the loop.
        self._has_ended = True
        loop = self.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._take_outcome, thread)

    def _take_outcome(self, thread: Any) -> None:
        if self.done():
            return
        exc = thread._exc
        told, self._told = self._told, None  # its traceback refers to the thread's frames
        # A kill that came too late was raised nowhere; it must not be lost.
        missed = told is not None and told.__traceback__ is None
        if missed or isinstance(exc, GreenletExit):
            super().cancel(self._reason)
        elif exc is None:
            self.set_result(thread._value)
        elif isinstance(exc, StopIteration):
            error = RuntimeError("a green thread raised StopIteration, which no await can pass on")
            error.__cause__ = exc
            self.set_exception(error)
        else:
            self.set_exception(exc)
