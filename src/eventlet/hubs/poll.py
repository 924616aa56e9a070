"""The hub over poll."""

from eventlet._core.pollers.poll import PollPoller
from eventlet._core.pollers.poll import is_available as _poller_is_available
from eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available"]


def is_available() -> bool:
    """Whether this platform has poll."""
    return _poller_is_available()


class Hub(BaseHub):
    """A hub whose poller is poll."""

    make_poller = PollPoller
    is_available = staticmethod(is_available)
