"""The methods of `_thread.RLock`, the one in C, under patching; `lines` has the theory.

For C the owner is an OS thread, so all green threads of one would be the same owner. Each
lock that is used gets a record for as long as it lives: the `Line` of those who wait, with
the greenlet that owns it. Owning takes two steps: to be `line.owner`, which one greenlet in
the process can be, and then to hold the lock in C. How often it holds it is counted in
`line.levels`, and C holds a new lock once; that of an old lock stays 0 and C counts, because
code that goes past these methods counts there.

    line.owner      in C                 what it means
    None            free                 free
    a greenlet      held by its thread   owned
    a greenlet      free                 just handed over, or being taken or let go
    HELD_BEFORE     held                 taken before the types were patched

`HELD_BEFORE` stays until the holder is seen here, or looking finds the lock free: a `with`
that was running then ends in C.
"""

from collections.abc import Callable
from typing import Any, Final
from weakref import ref

from greenlet import getcurrent

from eventlet._core.current import existing_hub
from eventlet._core.wait_queue import Ticket
from eventlet._core.waiting import (
    OSThreadTicket,
    give_up_ticket,
    is_ending,
    may_park_here,
    pause_here,
    ticket_here,
)
from eventlet._errors import LockHeldHere
from eventlet._patching.lines import LONGEST_PAUSE, Line, hand_over, wait_in_line
from eventlet._patching.old_locks import OLD
from eventlet._patching.plain_locks import check_timeout
from eventlet._patching.turns import TURN, end_turn
from eventlet._unpatched import (
    monotonic,
    rlock_acquire,
    rlock_at_fork_reinit,
    rlock_is_owned,
    rlock_recursion_count,
    rlock_release,
    rlock_release_save,
    rlock_repr,
    rlock_type,
)

__all__ = ["RECORDS", "match_levels", "reentrant_lock_methods"]

RECORDS: dict[int, Line] = {}
"""The record of each lock that was used since patching, by the number of the lock."""

HELD_BEFORE: Final = "held before patching"
_LOOKING: Final = "being looked at"
_NOT_OWNED: Final = "cannot release un-acquired lock"


def reentrant_lock_methods() -> dict[str, Callable[..., Any]]:
    """Make what replaces the methods of `_thread.RLock`: name to function."""
    methods = {**_taking_methods(), **_releasing_methods(), **_asking_methods()}
    return {name: method for name, method in methods.items() if name in vars(rlock_type)}


def _taking_methods() -> dict[str, Callable[..., Any]]:
    native_acquire: Callable[..., bool] = rlock_acquire
    records, current, ending = RECORDS, getcurrent, is_ending
    record_of, wait, check = _record_of, _wait, check_timeout
    turn, next_turn = TURN, end_turn

    def __enter__(self: Any) -> bool:  # noqa: N807 - a method
        """Take the lock, again if need be; park while another green thread has it."""
        nonlocal turn
        turn -= 1
        if turn < 0:
            turn = next_turn()
        try:
            me = current()
            line = records[id(self)]
        except KeyError:
            line = record_of(self)
        except RuntimeError:  # the interpreter is ending
            return native_acquire(self, False)
        owner = line.owner
        if owner is None:
            line.owner = me  # in one step with the look, and the next too
            line.levels = line.first_level
            if native_acquire(self, False):
                return True
        elif owner is me:
            if line.levels:
                line.levels += 1
                return True
            if native_acquire(self, False):
                return True
        return wait(self, line, True, None)

    def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, again if need be; park while another green thread has it."""
        if timeout != -1:
            check(blocking, timeout)
        elif blocking:
            return __enter__(self)
        if ending():
            return native_acquire(self, False)
        nonlocal turn
        turn -= 1
        if turn < 0:
            turn = next_turn()
        return wait(self, record_of(self), blocking, None if timeout == -1 else timeout)

    def _acquire_restore(self: Any, state: tuple[int, int]) -> None:
        """Take the lock as often as `_release_save` let it go."""
        for _ in range(state[0]):
            __enter__(self)

    return {"__enter__": __enter__, "_acquire_restore": _acquire_restore, "acquire": acquire}


def _releasing_methods() -> dict[str, Callable[..., Any]]:
    native_release, native_is_owned, records = rlock_release, rlock_is_owned, RECORDS
    current, let_go = getcurrent, hand_over
    make_owner, native_release_save = _make_owner, rlock_release_save

    def __exit__(  # noqa: N807 - a method
        self: Any, kind: Any = None, value: Any = None, trace: Any = None
    ) -> None:
        """Let the lock go once; the last time, hand it to the first who waits for it."""
        try:
            me = current()
            line = records.get(id(self))
        except RuntimeError:  # the interpreter is ending
            native_release(self)
            return
        if line is None or line.owner is not me:
            line = make_owner(self, me)
            me = line.owner
        if line.levels > 1:
            line.levels -= 1
            return
        try:
            native_release(self)
        finally:
            # A handler that came meanwhile may have taken it, and let it go for us.
            if line.owner is me and (line.levels or not native_is_owned(self)):
                if not line.tickets:
                    line.owner = None  # in one step with the look
                else:
                    let_go(line)

    def release(self: Any) -> None:
        """Let the lock go once; the last time, hand it to the first who waits for it.

        Raises:
            RuntimeError: the calling green thread does not own it.
        """
        __exit__(self)

    def _release_save(self: Any) -> tuple[int, int]:
        """Let the lock go at once, however often it was taken; return how often."""
        me = current()
        line = records.get(id(self))
        if line is None or line.owner is not me:
            line = make_owner(self, me)
            me = line.owner
        levels = line.levels
        try:
            native_levels, ident = native_release_save(self)
        finally:
            if line.owner is me and not native_is_owned(self):
                let_go(line)
        return levels or native_levels, ident

    return {"__exit__": __exit__, "_release_save": _release_save, "release": release}


def _asking_methods() -> dict[str, Callable[..., Any]]:
    native_is_owned: Callable[..., bool] = rlock_is_owned
    native_count: Callable[..., int] = rlock_recursion_count
    records, current, is_mine, ending = RECORDS, getcurrent, _is_mine, is_ending
    native_reinit = rlock_at_fork_reinit
    native_locked: Any = vars(rlock_type).get("locked")

    def _is_owned(self: Any) -> bool:
        """Whether the calling green thread owns the lock."""
        try:
            line = records[id(self)]
            if line.owner is current() and line.levels:
                return True
        except KeyError:
            pass  # not used since patching
        except RuntimeError:  # the interpreter is ending
            return native_is_owned(self)
        return native_is_owned(self) and is_mine(self, current())

    def _recursion_count(self: Any) -> int:
        """Return how often the calling green thread has taken the lock."""
        if ending():
            return native_count(self)
        if not is_mine(self, current()):
            return 0
        return records[id(self)].levels or native_count(self)

    def locked(self: Any) -> bool:
        """Whether anybody owns the lock."""
        line = records.get(id(self))
        return native_locked(self) or (line is not None and line.owner is not None)

    def _at_fork_reinit(self: Any) -> None:
        """Forget, in a forked child, who owned the lock and who waited for it."""
        records.pop(id(self), None)
        native_reinit(self)

    return {
        "_at_fork_reinit": _at_fork_reinit,
        "_is_owned": _is_owned,
        "_recursion_count": _recursion_count,
        "locked": locked,
    }


def _record_of(lock: Any) -> Line:
    """Return the record of a lock; make it at the first use."""
    number = id(lock)
    line = RECORDS.get(number)
    if line is not None:
        return line
    line = Line(OLD.may_have(lock))
    line.first_level = 0 if line.is_old else 1
    if line.is_old and rlock_repr(lock).startswith("<locked"):
        line.owner = HELD_BEFORE
    forget = RECORDS.pop
    line.lock = ref(lock, lambda _: forget(number, None))
    return RECORDS.setdefault(number, line)


def _is_mine(lock: Any, me: Any) -> bool:
    line = _record_of(lock)
    if line.owner is HELD_BEFORE:
        return rlock_is_owned(lock) and OLD.is_holder(me)
    return line.owner is me or _acts_for_owner(me, line)


def _acts_for_owner(me: Any, line: Line) -> bool:
    """Whether the caller is a signal handler that runs beside the owner, in its name."""
    return line.owner is not None and line.owner is getattr(me, "_acts_for", None)


def _make_owner(lock: Any, me: Any) -> Line:
    """Make the caller the owner of a lock that its OS thread took in C.

    Raises:
        RuntimeError: it did not.
    """
    line = _record_of(lock)
    if _acts_for_owner(me, line):
        return line
    taken_in_c = line.owner is None or line.owner is HELD_BEFORE
    if not (taken_in_c and rlock_is_owned(lock) and OLD.is_holder(me)):
        raise RuntimeError(_NOT_OWNED)
    line.levels = rlock_recursion_count(lock) if line.first_level else 0
    line.owner = me
    return line


def match_levels() -> None:
    """Have C count the levels of the locks that the calling green thread owns."""
    me = getcurrent()
    for line in RECORDS.values():
        lock = line.lock()
        if lock is not None and line.owner is me:
            for _ in range(line.levels - 1):
                rlock_acquire(lock, False)


# -- waiting -------------------------------------------------------------------------------


def _wait(lock: Any, line: Line, blocking: bool, timeout: float | None) -> bool:
    """Take the lock now, or stand in line until it is handed over."""
    me = getcurrent()
    if line.is_old:
        _look(lock, line)
    if _take(lock, line, me) or (_acts_for_owner(me, line) and _take(lock, line, line.owner)):
        return True
    if not blocking:
        return False
    if existing_hub() is not None and not may_park_here():
        return _block(lock, line, timeout)
    deadline = None if timeout is None else monotonic() + timeout
    while True:
        left = None if deadline is None else deadline - monotonic()
        if _stand_in_line(lock, line, me, left):
            return True
        if left is not None and left <= 0:
            return False


def _stand_in_line(lock: Any, line: Line, me: Any, timeout: float | None) -> bool:
    """Take the lock when it is handed over; False when it was not, or is gone again."""
    ticket = ticket_here()
    line.tickets.append(ticket)
    try:
        if not _take(lock, line, me):  # else it came free before we stood there
            is_over = lambda: line.owner is me  # noqa: E731 - like the one beside it
            wait_in_line(line, ticket, timeout, lambda: _look(lock, line), is_over)
            while not _take(lock, line, me):
                if line.owner is not me:  # time is up, or a handler took it and let it go
                    return False
                pause_here(LONGEST_PAUSE)  # somebody holds it in C alone
        return True
    except BaseException:
        give_up_ticket(ticket)
        if line.owner is me and not rlock_is_owned(lock):
            hand_over(line)
        raise
    finally:
        give_up_ticket(ticket)
        line.discard(ticket)


def _take(lock: Any, line: Line, me: Any) -> bool:
    """Take the lock if it is free or owned by the caller."""
    if line.owner is HELD_BEFORE:
        return _take_held_before(lock, line, me)
    owner = line.owner
    if owner is None:
        line.owner = me  # in one step with the look
        line.levels = line.first_level
    elif owner is not me:
        return False
    elif line.handed is not None:
        line.levels = line.first_level
    elif line.levels:
        line.levels += 1
        return True
    if rlock_acquire(lock, False):
        line.handed = None
        return True
    if line.owner is me and line.handed is None:
        line.owner = None  # somebody holds it in C alone
    return False


def _take_held_before(lock: Any, line: Line, me: Any) -> bool:
    if rlock_is_owned(lock) and not OLD.is_holder(me):
        return False
    if not rlock_acquire(lock, False):
        return False
    if line.owner is HELD_BEFORE:
        line.owner = me  # in one step with the look
        return True
    rlock_release(lock)
    return False


def _look(lock: Any, line: Line) -> None:
    """Hand over a lock that was let go in C alone."""
    owner = line.owner
    if line.handed is not None or rlock_is_owned(lock) or not rlock_acquire(lock, False):
        return
    is_stale = line.owner is owner and line.handed is None
    if is_stale:
        line.owner = _LOOKING
    rlock_release(lock)
    if is_stale:
        hand_over(line)


def _block(lock: Any, line: Line, timeout: float | None) -> bool:
    """Wait, where nobody may park, for another OS thread to let the lock go.

    Raises:
        LockHeldHere: a green thread of this OS thread holds it, which cannot run meanwhile.
    """
    deadline = None if timeout is None else monotonic() + timeout
    me = getcurrent()
    ticket = OSThreadTicket()
    line.tickets.append(ticket)
    try:
        while not _take(lock, line, me):
            if line.owner is not me and _is_held_here(lock, line):
                raise LockHeldHere(lock)
            if deadline is not None and monotonic() >= deadline:
                return False
            if ticket.state:  # handed over, and held in C alone or taken by a handler
                line.tickets.append(ticket := OSThreadTicket())
            ticket.wait(LONGEST_PAUSE)
            _look(lock, line)
        return True
    finally:
        give_up_ticket(ticket)
        line.discard(ticket)
        if line.owner is me and not rlock_is_owned(lock):
            hand_over(line)


def _is_held_here(lock: Any, line: Line) -> bool:
    handed: Ticket | None = line.handed
    return rlock_is_owned(lock) or (handed is not None and handed.hub is existing_hub())
