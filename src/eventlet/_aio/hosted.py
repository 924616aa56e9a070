"""The loop of an OS thread that has none: made when it is first needed, in a green thread."""

import asyncio
import atexit
from contextlib import suppress
from contextvars import Context

from greenlet import GreenletExit

from eventlet._aio.loop import EventLoop
from eventlet._core.current import existing_hub
from eventlet._core.hub import Hub
from eventlet._core.thread import GreenThread
from eventlet._unpatched import getpid
from eventlet.timeout import Timeout

__all__ = ["close_hosted_loop", "hosted_loop"]

_EXIT_SECONDS = 1.0


class _Host:
    """A loop and the green thread in which it runs until that is killed."""

    def __init__(self, hub: Hub) -> None:
        self.pid = getpid()
        self.loop = EventLoop()
        self.thread = GreenThread(hub, self._run)
        self.thread.gr_context = Context()  # the first caller's is not that of the loop
        self.thread.link(self._ended, hub)
        hub.start(self.thread)

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self._cancel_tasks())

    async def _cancel_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.loop.shutdown_asyncgens()

    def _ended(self, _thread: GreenThread, hub: Hub) -> None:
        if _hosts.get(hub) is self:
            del _hosts[hub]
        self.loop.close()


_hosts: dict[Hub, _Host] = {}
_frozen: list[_Host] = []  # a parent's, in a forked child: never touched, never collected


def hosted_loop(hub: Hub) -> EventLoop:
    """Return the loop that a green thread of `hub` hosts; start it at the first call."""
    host = _hosts.get(hub)
    if host is not None and host.pid != getpid():
        _frozen.append(_hosts.pop(hub))
        host = None
    if host is None:
        host = _hosts[hub] = _Host(hub)
        atexit.unregister(_close_at_exit)
        atexit.register(_close_at_exit)
    return host.loop


def close_hosted_loop(hub: Hub) -> None:
    """Cancel all that runs in the hosted loop of `hub`, wait for it, close the loop."""
    host = _hosts.get(hub)
    if host is None or host.pid != getpid():
        return
    host.thread.kill()
    with Timeout(_EXIT_SECONDS, False), suppress(GreenletExit):
        host.thread.wait()


def _close_at_exit() -> None:
    """Close the loop of the OS thread that ends the process."""
    hub = existing_hub()
    if hub is not None:
        close_hosted_loop(hub)
