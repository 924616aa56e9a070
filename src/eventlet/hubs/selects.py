"""The hub over select."""

from eventlet._core.pollers.select import SelectPoller
from eventlet._core.pollers.select import is_available as _poller_is_available
from eventlet.hubs.hub import BaseHub

__all__ = ["Hub", "is_available"]


def is_available() -> bool:
    """Whether this platform has select."""
    return _poller_is_available()


class Hub(BaseHub):
    """A hub whose poller is select."""

    make_poller = SelectPoller
    is_available = staticmethod(is_available)
