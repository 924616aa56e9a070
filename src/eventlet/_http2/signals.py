"""What one green thread waits for again and again."""

from __future__ import annotations

from eventlet.event import Event

__all__ = ["Signal"]


class Signal:
    """Wake the one green thread that waits here.

    Nothing is remembered: look at what you wait for first, then wait, without a switch between.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: Event | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until `notify`; False when the time was up first."""
        event = self._event = Event()
        try:
            return event.wait(seconds) is not None
        finally:
            if self._event is event:
                self._event = None

    def notify(self) -> None:
        """Wake who waits, if anybody does. Never switches."""
        event, self._event = self._event, None
        if event is not None:
            event.send(True)
