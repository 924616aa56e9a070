"""The hub over epoll."""

from eventlet._core.pollers.epoll import EpollPoller
from eventlet._core.pollers.epoll import is_available as _poller_is_available
from eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available"]


def is_available() -> bool:
    """Whether this platform has epoll."""
    return _poller_is_available()


class Hub(BaseHub):
    """A hub whose poller is epoll."""

    make_poller = EpollPoller
    is_available = staticmethod(is_available)
