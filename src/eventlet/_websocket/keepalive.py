"""Pings with a deadline: find out whether a silent peer is still there."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from eventlet._unpatched import monotonic
from eventlet.greenthread import call_after_global, spawn_n

__all__ = ["KeepAlive", "check_seconds"]


class Pinged(Protocol):
    """What is watched."""

    @property
    def heard(self) -> int: ...

    def has_heard_since(self, count: int) -> bool: ...

    def ping(self) -> None: ...

    def give_up(self, reason: str) -> None: ...


def check_seconds(interval: float | None, timeout: float) -> None:
    """See that pings can be sent so often.

    Raises:
        ValueError: a number is not positive.
    """
    if (interval is not None and interval <= 0) or timeout <= 0:
        raise ValueError(
            f"ping_interval and ping_timeout are seconds above 0, not {interval}, {timeout}"
        )


class KeepAlive:
    """Ping a peer that was silent for a while; end the connection if it stays silent.

    Anything that is received counts as an answer. A WebSocket that nobody else knows any more
    is not kept alive by this.

    Args:
        ws: the WebSocket.
        interval: seconds of silence before a ping; None does not watch at all.
        timeout: seconds to wait after it.

    Raises:
        ValueError: a number is not positive.
    """

    def __init__(self, ws: Pinged, interval: float | None, timeout: float) -> None:
        check_seconds(interval, timeout)
        self._ws = weakref.ref(ws)
        self._interval = interval
        self._timeout = timeout
        self._timer: Any = None
        self._heard = 0
        self._deadline = 0.0

    def start(self) -> None:
        """Begin to watch."""
        ws = self._ws()
        if self._interval is not None and ws is not None:
            self._heard = ws.heard
            self._timer = call_after_global(self._interval, self._ask)

    def stop(self) -> None:
        """Watch no longer; never waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._interval = None

    # The hub calls these, and must not be made to wait.

    def _ask(self) -> None:
        ws = self._ws()
        if ws is None or ws.heard != self._heard:
            self.start()
            return
        ws.ping()
        self._deadline = monotonic() + self._timeout
        self._listen()

    def _listen(self) -> None:
        """Look again soon: who answers at once is watched as before, at once."""
        assert self._interval is not None
        seconds = min(self._interval, max(self._deadline - monotonic(), 0.0))
        self._timer = call_after_global(seconds, self._check)

    def _check(self) -> None:
        ws = self._ws()
        if ws is None or ws.heard != self._heard:
            self.start()
        elif monotonic() < self._deadline:
            self._listen()
        else:
            spawn_n(self._judge)

    def _judge(self) -> None:
        ws = self._ws()
        if self._interval is None or ws is None:
            return  # stopped before this began to run
        if ws.has_heard_since(self._heard):
            self.start()
        else:
            ws.give_up(f"no answer to a ping within {self._timeout} s")
