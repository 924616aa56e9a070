"""A worker as the master sees it, and who notices that one stands still."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eventlet._serve import link
from eventlet._serve.pulse import Pulse, look_seconds

__all__ = ["NEVER", "Child", "Watchdog"]

NEVER = float("inf")


@dataclass(eq=False)
class Child:
    """One worker.

    Attributes:
        kill_at: moment from which on it is killed; `NEVER` while it may stay.
        ready_at: moment when it said that it serves.
        failure: why it cannot serve.
        is_tired: it wants to be replaced.
        alive_at: moment of the last look that found a sign of life.
        is_stuck: it gave none for too long.
        is_aborted: it was told to abort.
        is_killed: the master has killed it.
    """

    pid: int
    slot: int
    generation: int
    inbox: link.Inbox
    pulse: Pulse
    kill_at: float
    ready_at: float | None = None
    is_leaving: bool = False
    is_tired: bool = False
    failure: str = ""
    alive_at: float = 0.0
    is_stuck: bool = False
    is_aborted: bool = False
    is_killed: bool = False

    def greet(self) -> None:
        """Take note that it serves."""
        self.ready_at = self.alive_at = time.monotonic()

    def describe_end(self, code: int) -> str:
        """Say what its end looks like from here.

        Args:
            code: its exit status, or a signal as a number below 0.
        """
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"
        if self.is_stuck:
            how = "let nothing else run for longer than --worker-timeout and was killed"
        elif code == -signal.SIGKILL and not self.is_killed:
            how += " (by the kernel, if memory ran out: see dmesg)"
        if self.is_leaving:
            how += " while it was leaving"
        report = self.pulse.report()
        return f"{how}; it was here:\n{report}" if report else how

    def let_go(self) -> None:
        """Close what this process has of it."""
        self.inbox.sock.close()
        self.pulse.close()


class Watchdog:
    """Looks now and then whether workers are alive.

    Args:
        limit: seconds without a sign of life until one counts as stuck; None for never.

    Attributes:
        next_look: moment; `NEVER` while there is nothing to look for.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self.next_look = NEVER

    def find_stuck(self, children: Iterable[Child], now: float) -> Iterator[Child]:
        """Give, once each, those who serve and have let nothing else run for too long."""
        serving = [child for child in children if child.ready_at is not None]
        if self._limit is None or not serving:
            self.next_look = NEVER
            return
        pause = look_seconds(self._limit)
        if self.next_look == NEVER:
            self.next_look = now + pause
        if now < self.next_look:
            return
        # Late ourselves: we were stopped, as by Ctrl-Z, and so were they, perhaps.
        is_late = now - self.next_look > pause
        self.next_look = now + pause
        for child in serving:
            if child.pulse.take() or is_late:
                child.alive_at = now
            elif not (child.is_leaving or child.is_stuck) and now - child.alive_at >= self._limit:
                child.is_stuck = True
                yield child


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
