"""The hub that lives with asyncio: in a running loop it is attached, elsewhere it has one.

`use_hub("asyncio")` inside a running loop is `eventlet.asyncio.attach()`: the loop drives the
hub. Without one this is the usual hub; `loop` is made when it is first asked for and runs in
a green thread. `eventlet.asyncio` works with every other hub too.
"""

import asyncio
from collections.abc import Callable

from eventlet._aio.attachment import Attachment
from eventlet._core.driving_loops import driving_loops
from eventlet.asyncio import loop_of
from eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available"]


def is_available() -> bool:
    """Whether this platform can run the hub: it always can."""
    return True


class Hub(BaseHub):
    """A hub that is attached to the loop in which it is first used, if there is one."""

    is_available = staticmethod(is_available)

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock)
        loop = asyncio._get_running_loop()
        if loop is not None and loop not in driving_loops:
            Attachment(self, loop)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that drives this hub, or else the one that it hosts in a green thread."""
        return loop_of(self)
