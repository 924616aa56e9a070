"""The switch by which a forked child keeps all green threads, and what its hub needs then.

The old library worked so. Every green thread runs in both processes from then on: each timer
comes twice, each `finally` block runs twice, two readers share each connection. It is for
programs that know all of their green threads and rely on this.

The hub, its ready queue, timers and green threads stay as they are. What belongs to the kernel
is made anew: an inherited epoll descriptor is the parent's too, and is never told anything.
Descriptors on which somebody waits are registered with the new poller at once, which announces
what is ready by then; all others at their next park.

Green threads of other OS threads stay behind as ever, because their OS threads do. So do all
but the one that forked where another loop drives the hub: that loop's descriptors are shared
with the parent, and nothing of ours can renew them.
"""

import greenlet

from eventlet._core import own_files
from eventlet._core.hub import Hub
from eventlet._settings import FORK_KEEPS_GREEN_THREADS
from eventlet._unpatched import get_ident

__all__ = ["FORK_SWITCH", "renew", "root_of"]


class ForkSwitch:
    """Whether forked children keep all green threads.

    Attributes:
        choice: what the program said; None for what the environment says.
    """

    def __init__(self) -> None:
        self.choice: bool | None = None

    def is_on(self) -> bool:
        """Whether a fork keeps all green threads."""
        return FORK_KEEPS_GREEN_THREADS.read() if self.choice is None else self.choice

    def holds_for(self, hub: Hub | None) -> bool:
        """Whether a fork in the OS thread of this hub keeps its green threads."""
        if hub is None or not self.is_on():
            return False
        return hub._embedder is None and hub._on_earlier is None  # no other loop drives it


FORK_SWITCH = ForkSwitch()


def renew(hub: Hub) -> None:
    """Give a hub, in a forked child, a poller and a wake-up descriptor of its own."""
    hub.ident = get_ident()
    own_files.renew(hub)


def root_of(thread: greenlet.greenlet) -> greenlet.greenlet:
    """Return the greenlet that an OS thread began with, of the one this green thread is in."""
    root = thread
    while root.parent is not None:
        root = root.parent
    return root
