"""Timers: a heap of (deadline, sequence, ticket) with lazy cancellation.

A heap entry is a ticket: a parked thread's own, or a `Timer`, which is a ticket whose
"thread" is the callback. Expiry wakes it with EXPIRED, so timers and threads share one
ready queue and one order. Equal deadlines are served first come, first served.

A ticket that is no longer pending stays in the heap until its deadline or until the dead
entries are more than half of at least a thousand; then the heap is rebuilt.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

from eventlet._core.wait_queue import EXPIRED, PENDING, SPENT, WOKEN, Ticket
from eventlet._unpatched import get_ident

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = ["PURGE_MINIMUM", "Timer", "Timers"]

PURGE_MINIMUM = 1000


class Timer(Ticket):
    """A call the hub makes once, in its own greenlet."""

    __slots__ = ("args", "func", "kwargs")

    func: Callable[..., object] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __init__(
        self,
        hub: "Hub",
        func: Callable[..., object],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.hub = hub
        self.thread = self
        self.state = 0
        self.value = None
        self.exc = None
        self.func = func
        self.args = args
        self.kwargs = kwargs or {}

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self.state & SPENT == 0

    def __repr__(self) -> str:  # not that of a ticket: it would tell its thread, which is itself
        return f"<Timer pending: the call of {self.func!r}>" if self.pending else "<Timer over>"

    def switch(self, value: object) -> None:
        """Make the call; the hub treats a due timer like a thread."""
        func, args, kwargs = self.func, self.args, self.kwargs
        self.func = None
        self.args, self.kwargs = (), {}
        if func is not None:
            func(*args, **kwargs)

    def cancel(self) -> None:
        """Make sure the call does not happen; release what it refers to."""
        state = self.state
        if state & SPENT:
            return
        self.state = state | SPENT
        self.thread = None
        self.func = None
        self.args, self.kwargs = (), {}
        if state == PENDING:
            hub = self.hub
            if hub.ident == get_ident():
                hub.timers.note_cancelled()
            else:
                hub.timers.cancelled += 1  # the heap is rebuilt in its own OS thread


class Timers:
    """The heap. Only the hub's own OS thread adds to it, takes out of it and rebuilds it."""

    __slots__ = ("_sequence", "cancelled", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Ticket]] = []
        self.cancelled = 0
        self._sequence = count()

    def add(self, deadline: float, ticket: Ticket) -> None:
        """Have `ticket` woken with EXPIRED at `deadline` (seconds on the hub's clock)."""
        entry = (deadline, next(self._sequence), ticket)
        # No call after the look at the heap: a signal handler may have it replaced.
        heappush(self.heap, entry)

    def next_deadline(self) -> float | None:
        """Deadline of the first live entry, in seconds; None when there is none."""
        heap = self.heap
        while heap:
            if heap[0][2].state == PENDING:
                return heap[0][0]
            heappop(heap)
            if self.cancelled:
                self.cancelled -= 1
        return None

    def expire(self, now: float, ready: deque[Ticket]) -> None:
        """Wake every live ticket whose deadline is `now` or earlier, in order.

        Args:
            now: seconds on the hub's clock.
            ready: the queue that woken tickets join.
        """
        heap = self.heap
        while heap and heap[0][0] <= now:
            # Woken first and taken out then: a signal handler that raises loses nobody.
            entry = heap[0]
            ticket = entry[2]
            if ticket.state == PENDING:
                ticket.state = WOKEN
                ticket.value = EXPIRED
                ready.append(ticket)
            elif self.cancelled:
                self.cancelled -= 1
            if heap and heap[0] is entry:  # no handler put an earlier one in front
                heappop(heap)

    def note_cancelled(self) -> None:
        """Count one entry that went dead in the heap; rebuild when they are the majority."""
        self.cancelled += 1
        if self.cancelled >= PURGE_MINIMUM and self.cancelled * 2 >= len(self.heap):
            self._purge()

    def _purge(self) -> None:
        # A signal handler may add a timer at any call: then the work is done again.
        while True:
            old = self.heap
            size = len(old)
            live = [entry for entry in old if entry[2].state == PENDING]
            heapify(live)
            if self.heap is old and not old[size:]:
                self.heap = live
                self.cancelled = 0
                return

    def clear(self) -> None:
        """Drop every entry; none of them fires."""
        self.heap.clear()
        self.cancelled = 0

    def __iter__(self) -> Iterator[tuple[float, Ticket]]:
        """Yield pairs (deadline, live ticket), first deadline first."""
        for deadline, _, ticket in sorted(self.heap, key=lambda entry: entry[:2]):
            if ticket.state == PENDING:
                yield deadline, ticket

    def __len__(self) -> int:
        return sum(entry[2].state == PENDING for entry in self.heap)
