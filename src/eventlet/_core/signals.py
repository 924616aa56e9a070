"""SIGINT: Ctrl-C interrupts the main green thread, whoever happens to run.

Python's own handler raises KeyboardInterrupt wherever the signal finds the interpreter:
in the hub's code, or in a green thread that has nothing to do with it. Ours replaces only
Python's own, when the main OS thread's hub is made. A second Ctrl-C before the first has
been delivered is raised in place, so that a green thread that never parks can be stopped.
"""

import signal
from types import FrameType

from greenlet import getcurrent

from eventlet._core.hub import Hub
from eventlet._unpatched import (
    default_int_handler,
    get_ident,
    getsignal,
    main_thread,
    set_signal,
)

__all__ = ["InterruptRouter", "route_interrupts", "stop_routing"]


class InterruptRouter:
    """The SIGINT handler of one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        hub = self.hub
        if (
            hub.closed
            or get_ident() != hub.ident
            or hub.main_greenlet() in (None, getcurrent())
            or not hub.offer_main(KeyboardInterrupt())
        ):
            default_int_handler(signum, frame)


def route_interrupts(hub: Hub) -> None:
    """Send SIGINT to the main green thread, if this is the main OS thread's hub."""
    if get_ident() != main_thread().ident:
        return
    if getsignal(signal.SIGINT) is default_int_handler or isinstance(
        getsignal(signal.SIGINT), InterruptRouter
    ):
        set_signal(signal.SIGINT, InterruptRouter(hub))


def stop_routing() -> None:
    """Give SIGINT back to Python's own handler."""
    if isinstance(getsignal(signal.SIGINT), InterruptRouter):
        set_signal(signal.SIGINT, default_int_handler)
