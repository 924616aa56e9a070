"""Where timers were made: recorded while `debug.hub_timer_stacks` is on.

Every deadline goes through `Timers.add`. While recording, another function stands in its
place, so that recording costs nothing while it is off. A thread that parks with a time limit
needs no record: its own stack shows where.
"""

import sys
import traceback
from typing import Final

from greenlet import getcurrent

from eventlet._core.timers import Timers
from eventlet._core.wait_queue import PENDING, Ticket

__all__ = ["record_timer_stacks", "stack_of_timer", "timer_stacks_are_recorded"]

_FIRST_PURGE: Final = 1000
_PLAIN_ADD: Final = Timers.add
_ADDING: Final = "eventlet._core.hub"


class _Records:
    """Stacks by the identity of a ticket, which is kept with it, so that it stays its own."""

    def __init__(self) -> None:
        self.is_on = False
        self._stacks: dict[int, tuple[Ticket, traceback.StackSummary]] = {}
        self._next_purge = _FIRST_PURGE

    def switch(self, is_on: bool) -> None:
        """Begin, or end and forget."""
        self.is_on = is_on
        self._stacks = {}
        self._next_purge = _FIRST_PURGE

    def remember(self, ticket: Ticket) -> None:
        """Record the stack of whoever asked the hub for this timer."""
        frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_globals.get("__name__") == _ADDING:
            frame = frame.f_back
        stack = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
        stack.reverse()
        self._stacks[id(ticket)] = (ticket, stack)
        if len(self._stacks) >= self._next_purge:
            for key, (kept, _) in list(self._stacks.items()):
                if kept.state != PENDING:
                    self._stacks.pop(key, None)
            self._next_purge = max(_FIRST_PURGE, 2 * len(self._stacks))

    def find(self, ticket: Ticket) -> traceback.StackSummary | None:
        """Return the stack of a ticket; None when it was not recorded."""
        found = self._stacks.get(id(ticket))
        return None if found is None else found[1]


_records = _Records()


def record_timer_stacks(is_on: bool) -> None:
    """Begin or end recording, for every hub of the process."""
    _records.switch(is_on)
    Timers.add = _add_and_remember if is_on else _PLAIN_ADD  # type: ignore[method-assign]  # see above


def timer_stacks_are_recorded() -> bool:
    """Whether recording is on."""
    return _records.is_on


def stack_of_timer(ticket: Ticket) -> traceback.StackSummary | None:
    """Return where a timer was made, outermost call first; None when that is not known."""
    return _records.find(ticket)


def _add_and_remember(self: Timers, deadline: float, ticket: Ticket) -> None:
    _PLAIN_ADD(self, deadline, ticket)
    if ticket.thread is not getcurrent():
        _records.remember(ticket)
