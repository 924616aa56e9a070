"""The methods of `_queue.SimpleQueue`, the one in C, under patching; `lines` has the theory.

The items stay in C. Whoever waits for one stands in a line; `put` wakes the head and notes
that it is *owed* an item, which nobody who comes later takes. So an item never leaves the
queue for somebody who may die before he runs: then it is simply owed to the next.
"""

from _queue import Empty
from collections.abc import Callable
from typing import Any

from eventlet._core.wait_queue import Ticket
from eventlet._core.waiting import give_up_ticket, is_ending, ticket_here
from eventlet._patching.lines import Line, hand_over, wait_in_line
from eventlet._patching.old_locks import OLD
from eventlet._patching.turns import TURN, end_turn
from eventlet._unpatched import (
    monotonic,
    simple_queue_get_nowait,
    simple_queue_put,
    simple_queue_qsize,
)

__all__ = ["GETTERS", "simple_queue_methods"]


class _Getters(Line):
    """Those who wait for an item of one queue.

    Attributes:
        owed: how many were woken and have not taken their item yet.
    """

    __slots__ = ("owed",)

    def __init__(self, is_old: bool) -> None:
        super().__init__(is_old)
        self.owed = 0


GETTERS: dict[int, _Getters] = {}
"""Who waits for an item of which queue, by the number of the queue."""


def simple_queue_methods() -> dict[str, Callable[..., Any]]:
    """Make what replaces the methods of `_queue.SimpleQueue`: name to function."""
    native_put, native_get, getters, empty = (
        simple_queue_put,
        simple_queue_get_nowait,
        GETTERS,
        Empty,
    )
    ending, serve, wait = is_ending, _serve, _get
    turn, next_turn = TURN, end_turn

    def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item into the queue; never waits."""
        native_put(self, item)
        if getters and not ending():
            serve(self)

    def put_nowait(self: Any, item: Any) -> None:
        """Put an item into the queue."""
        native_put(self, item)
        if getters and not ending():
            serve(self)

    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item out of the queue; park until there is one.

        Raises:
            Empty: there was none in `timeout` seconds, or now when `block` is False.
        """
        if timeout is not None and block and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        nonlocal turn
        turn -= 1
        if turn < 0:
            turn = next_turn()
        if not getters:
            try:
                return native_get(self)
            except empty:
                if not block or ending():
                    raise
        return wait(self, block, timeout)

    def get_nowait(self: Any) -> Any:
        """Take an item out of the queue.

        Raises:
            Empty: there is none that is not owed to somebody who waits.
        """
        nonlocal turn
        turn -= 1
        if turn < 0:
            turn = next_turn()
        return wait(self, False, None) if getters else native_get(self)

    return {"get": get, "get_nowait": get_nowait, "put": put, "put_nowait": put_nowait}


def _get(queue: Any, block: bool, timeout: float | None) -> Any:
    deadline = None if timeout is None else monotonic() + timeout
    is_first = False
    while True:
        line = GETTERS.get(id(queue))
        if is_first or line is None or _has_spare(queue, line):
            try:
                return simple_queue_get_nowait(queue)
            except Empty:
                pass
        left = None if deadline is None else deadline - monotonic()
        if not block or (left is not None and left <= 0):
            raise Empty
        is_first = _wait(queue, left, is_first)


def _has_spare(queue: Any, line: _Getters) -> bool:
    return simple_queue_qsize(queue) > line.owed and not line.tickets


def _wait(queue: Any, timeout: float | None, is_first: bool) -> bool:
    """Stand in line until an item is owed to us.

    Args:
        queue: what it waits for.
        timeout: seconds; None waits for ever.
        is_first: to stand at the head, because somebody else took our item.

    Returns:
        False when `timeout` was up.
    """
    ticket = ticket_here()
    line = _stand_in_line(queue, ticket, is_first)
    served = False
    try:
        _serve(queue)  # an item came before we stood there
        served = wait_in_line(line, ticket, timeout, lambda: _serve(queue))
        return served
    finally:
        give_up_ticket(ticket)
        if ticket.was_woken:
            line.owed -= 1
        _leave_line(queue, line, ticket)
        if not served:
            _serve(queue)


def _stand_in_line(queue: Any, ticket: Ticket, is_first: bool) -> _Getters:
    number = id(queue)
    while True:
        line = GETTERS.get(number)
        if line is None:
            line = GETTERS.setdefault(number, _Getters(OLD.may_have(queue)))
        if is_first:
            line.tickets.appendleft(ticket)
        else:
            line.tickets.append(ticket)
        if GETTERS.get(number) is line:  # from now on it stays there
            return line
        line.discard(ticket)


def _leave_line(queue: Any, line: _Getters, ticket: Ticket) -> None:
    line.discard(ticket)
    number = id(queue)
    if not line.tickets and line.owed <= 0 and number in GETTERS and GETTERS[number] is line:
        del GETTERS[number]  # in one step with the look


def _serve(queue: Any) -> None:
    """Wake as many as there are items for."""
    line = GETTERS.get(id(queue))
    while line is not None and simple_queue_qsize(queue) > line.owed and line.tickets:
        if hand_over(line):
            line.owed += 1
