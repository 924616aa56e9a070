"""When a connection was last of use: a server that stops asks who may be about to speak."""

from __future__ import annotations

from math import inf

from eventlet._unpatched import monotonic

__all__ = ["LAST_SECONDS", "Activity"]

LAST_SECONDS = 1.0  # for one more request, when all is to end


class Activity:
    """The last time that a client came, was answered, or began to send a request.

    Attributes:
        last: moment on the monotonic clock.
    """

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = monotonic()

    def disclaim(self) -> None:
        """Expect nothing more of the client."""
        self.last = -inf

    def is_disclaimed(self) -> bool:
        """Tell whether nothing more is expected of the client."""
        return self.last == -inf
