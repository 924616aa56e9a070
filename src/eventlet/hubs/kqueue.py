"""The hub over kqueue."""

from eventlet._core.pollers.kqueue import KqueuePoller
from eventlet._core.pollers.kqueue import is_available as _poller_is_available
from eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available"]


def is_available() -> bool:
    """Whether this platform has kqueue."""
    return _poller_is_available()


class Hub(BaseHub):
    """A hub whose poller is kqueue."""

    make_poller = KqueuePoller
    is_available = staticmethod(is_available)
