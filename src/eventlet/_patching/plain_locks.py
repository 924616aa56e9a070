"""The methods of `_thread.lock` under patching; `lines` has the theory.

A lock that nobody waits for costs one call of C and a few steps around it. Lines exist only
while somebody waits. The methods are made inside a function: what they use is then kept
alive by them alone, while the interpreter empties the modules at the end.
"""

from collections.abc import Callable
from typing import Any, Final

from eventlet._core.current import existing_hub
from eventlet._core.wait_queue import Ticket
from eventlet._core.waiting import (
    OSThreadTicket,
    give_up_ticket,
    is_ending,
    may_park_here,
    ticket_here,
)
from eventlet._errors import LockHeldHere
from eventlet._patching.lines import LONGEST_PAUSE, Line, hand_over, wait_in_line
from eventlet._patching.old_locks import OLD
from eventlet._patching.turns import TURN, end_turn
from eventlet._unpatched import (
    lock_acquire,
    lock_at_fork_reinit,
    lock_locked,
    lock_release,
    monotonic,
    new_lock,
    real_sleep,
    running_os_threads,
)

__all__ = ["LINES", "check_timeout", "plain_lock_methods"]

LINES: dict[int, Line] = {}
"""The line before each lock that somebody waits for, by the number of the lock."""

_TURNS: Final = 8  # of green threads, before a waiter in C has one
_TURN_OF_C: Final = 0.0001  # seconds
_LONGEST_BLOCK: Final = 1.0  # seconds for which the hub may wait for another OS thread


def plain_lock_methods() -> dict[str, Callable[..., Any]]:
    """Make what replaces the methods of `_thread.lock`: name to function."""
    native_acquire, native_release, lines = lock_acquire, lock_release, LINES
    native_reinit, ending = lock_at_fork_reinit, is_ending
    wait, check, pass_on, let_in = _wait, check_timeout, _pass_on, _let_in
    turn, next_turn = TURN, end_turn

    def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; park while another green thread has it."""
        nonlocal turn
        if timeout != -1:
            check(blocking, timeout)
        turn -= 1
        if turn < 0:
            turn = next_turn()
        if native_acquire(self, False):
            return True
        if not blocking or ending():
            return False
        return wait(self, None if timeout == -1 else timeout)

    def __enter__(self: Any) -> bool:  # noqa: N807 - a method
        """Take the lock; park while another green thread has it."""
        nonlocal turn
        turn -= 1
        if turn < 0:
            turn = next_turn()
        return native_acquire(self, False) or ending() or wait(self, None)

    def release(self: Any) -> None:
        """Let the lock go, or hand it to the first who waits for it."""
        if lines and not ending() and pass_on(self):
            return
        native_release(self)
        if lines and not ending():
            let_in(self)

    def __exit__(  # noqa: N807 - a method
        self: Any, kind: Any = None, value: Any = None, trace: Any = None
    ) -> None:
        """Let the lock go, or hand it to the first who waits for it."""
        if lines and not ending() and pass_on(self):
            return
        native_release(self)
        if lines and not ending():
            let_in(self)

    def _at_fork_reinit(self: Any) -> None:
        """Forget, in a forked child, who held the lock and who waited for it."""
        lines.pop(id(self), None)
        native_reinit(self)

    return {
        "__enter__": __enter__,
        "__exit__": __exit__,
        "_at_fork_reinit": _at_fork_reinit,
        "acquire": acquire,
        "acquire_lock": acquire,
        "release": release,
        "release_lock": release,
    }


def check_timeout(blocking: bool, timeout: float) -> None:
    """Raise what `acquire` of a built-in lock raises for arguments that make no sense."""
    lock_acquire(new_lock(), blocking, timeout)


def _wait(lock: Any, timeout: float | None) -> bool:
    """Stand in line until the lock is handed over, or has come free by other ways."""
    if existing_hub() is not None and not may_park_here():
        return _block(lock, timeout)
    ticket = ticket_here()
    line = _stand_in_line(lock, ticket)
    try:
        if lock_acquire(lock, False):  # it came free before we stood there
            if not give_up_ticket(ticket):
                _release(lock)  # somebody released it for us and gave it to us again
            return True
        if wait_in_line(line, ticket, timeout, lambda: _let_in(lock)):
            return True
        return lock_acquire(lock, False)
    except BaseException:
        if not give_up_ticket(ticket) and ticket.was_woken:
            _release(lock)
        raise
    finally:
        _leave_line(lock, line, ticket)


def _stand_in_line(lock: Any, ticket: Ticket) -> Line:
    number = id(lock)
    while True:
        line = LINES.get(number)
        if line is None:
            line = LINES.setdefault(number, Line(OLD.may_have(lock)))
        line.tickets.append(ticket)
        if LINES.get(number) is line:  # from now on it stays there
            return line
        line.discard(ticket)


def _leave_line(lock: Any, line: Line, ticket: Ticket) -> None:
    line.discard(ticket)
    number = id(lock)
    if not line.tickets and number in LINES and LINES[number] is line:
        del LINES[number]  # in one step with the look


def _release(lock: Any) -> None:
    if not _pass_on(lock):
        lock_release(lock)
        _let_in(lock)


def _pass_on(lock: Any) -> bool:
    """Hand a lock that is to be released over; False when nobody waits for it."""
    line = LINES.get(id(lock))
    if line is None or not line.tickets or not lock_locked(lock):
        return False
    if line.is_old:
        line.turns += 1
        if line.turns % _TURNS == 0 and running_os_threads():
            lock_release(lock)
            real_sleep(_TURN_OF_C)
            _let_in(lock)
            return True
    return hand_over(line)


def _let_in(lock: Any) -> None:
    """Hand over a lock that has come free while somebody waits for it."""
    while True:
        line = LINES.get(id(lock))
        if line is None or not line.tickets or not lock_acquire(lock, False):
            return
        if hand_over(line):
            return
        lock_release(lock)


def _block(lock: Any, timeout: float | None) -> bool:
    """Wait, where nobody may park, for another OS thread to release the lock.

    Raises:
        LockHeldHere: there is none, or it takes too long: a green thread that cannot run
            meanwhile must be the holder.
    """
    if not running_os_threads():
        raise LockHeldHere(lock)
    longest = _LONGEST_BLOCK if timeout is None else min(timeout, _LONGEST_BLOCK)
    deadline = monotonic() + longest
    ticket = OSThreadTicket()
    line = _stand_in_line(lock, ticket)
    try:
        while not ticket.wait(LONGEST_PAUSE):
            _let_in(lock)
            if monotonic() >= deadline and give_up_ticket(ticket):
                if longest == timeout:
                    return False
                raise LockHeldHere(lock)
        return True
    except BaseException:
        if not give_up_ticket(ticket):
            _release(lock)
        raise
    finally:
        _leave_line(lock, line, ticket)
