"""How an application tells that it has taken a connection over, and is told of the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from eventlet._server.access_log import ServerLog
from eventlet.corolocal import local
from eventlet.greenthread import spawn_n
from eventlet.timeout import Timeout

__all__ = ["TakeOver", "Taken", "say_stop"]


class Taken(NamedTuple):
    """What the access log shall say of a connection that was taken over.

    Attributes:
        status: that the application sent, None if it did not say.
        sent_bytes: how much it sent.
    """

    status: int | None
    sent_bytes: int


class TakeOver(local):
    """The flag `already_handled`, for each green thread its own; other attributes may be set.

    Attributes:
        handled_status: what the application has answered, for the access log; None where it
            does not say.
        handled_bytes: how much it has sent, for the same.
        was_ever_used: somebody in this process has set the flag. Reading a green thread's own
            variable costs a microsecond, and most servers never need to.
    """

    was_ever_used = False
    handled_status: int | None = None
    handled_bytes: int = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "already_handled" and value:
            type(self).was_ever_used = True
        super().__setattr__(name, value)

    def take(self) -> Taken | None:
        """Tell whether the flag is set here, and put it back."""
        if not getattr(self, "already_handled", False):
            return None
        taken = Taken(self.handled_status, self.handled_bytes)
        self.already_handled = False
        self.handled_status, self.handled_bytes = None, 0
        return taken


def say_stop(callback: Callable[[], object], journal: ServerLog) -> None:
    """Call what an application left for the case that the server stops; does not wait for it."""
    spawn_n(_call, callback, journal)


def _call(callback: Callable[[], object], journal: ServerLog) -> None:
    try:
        callback()
    except (Exception, Timeout):
        journal.traceback()
