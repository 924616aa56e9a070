"""One awaitable that runs in a loop while a green thread waits for it."""

import asyncio
import inspect
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import EXPIRED, SPENT, Ticket, wake
from eventlet._errors import LoopWaitsForItself

__all__ = ["Errand"]


class Errand:
    """An awaitable on its way through a loop, of this OS thread or another.

    It starts in the loop's next turn, in a copy of the caller's context.

    Raises:
        RuntimeError: the loop is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, awaitable: Awaitable[Any]) -> None:
        self.loop = loop
        self._future: asyncio.Future[Any] | None = None
        self._is_done = False
        self._is_cancelled = False
        self._ticket: Ticket | None = None
        try:
            loop.call_soon_threadsafe(self._start, awaitable, context=copy_context())
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()  # it never started, and needs no warning about that
            raise

    def _start(self, awaitable: Awaitable[Any]) -> None:
        try:
            self._future = asyncio.ensure_future(awaitable, loop=self.loop)
        except Exception as exc:  # a task factory of the loop's owner
            self._future = self.loop.create_future()
            self._future.set_exception(exc)
        self._future.add_done_callback(self._end)

    def _end(self, future: asyncio.Future[Any]) -> None:
        self._is_done = True
        if isinstance(getattr(future, "_exception", None), (KeyboardInterrupt, SystemExit)):
            future.exception()  # it is in the main green thread: asyncio need not complain
        ticket = self._ticket
        if ticket is not None:
            wake(ticket)

    def wait(self, timeout: float | None = None) -> Any:
        """Park until the awaitable is done; return its result or raise its exception.

        A caller that is interrupted, or whose time is up, has the awaitable cancelled and
        goes on at once.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            TimeoutError: the time was up first.
            LoopWaitsForItself: the calling greenlet runs the loop.
        """
        if asyncio._get_running_loop() is self.loop:
            self.cancel()
            raise LoopWaitsForItself
        hub = get_hub()
        ticket = hub.ticket()
        self._ticket = ticket
        if self._is_done:
            ticket.state |= SPENT  # nobody parks on it, so nobody may wake it
        else:
            try:
                if hub.park(ticket, timeout) is EXPIRED:
                    raise TimeoutError(f"not done after {timeout} seconds")
            except BaseException:
                self.cancel()
                raise
        assert self._future is not None
        return self._future.result()

    def cancel(self) -> None:
        """Cancel the awaitable unless that was done, or the awaitable ended, before."""
        if self._is_done or self._is_cancelled or self.loop.is_closed():
            return
        self._is_cancelled = True
        self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._future is not None:
            self._future.cancel()
