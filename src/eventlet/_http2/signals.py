"""What somebody waits for again and again."""

from __future__ import annotations

from eventlet.event import Event

__all__ = ["Signal"]


class Signal:
    """Wake who waits here: as a rule one green thread, or some that share its work.

    Nothing is remembered: look at what you wait for first, then wait, without a switch between.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: Event | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until `notify`; False when the time was up first."""
        if self._event is None:
            self._event = Event()
        return self._event.wait(seconds) is not None

    def notify(self) -> None:
        """Wake all who wait. Never switches."""
        event, self._event = self._event, None
        if event is not None:
            event.send(True)
