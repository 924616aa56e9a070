"""Cancel scopes: regions of code that can be cancelled from outside, or by a deadline.

Theory of operation
-------------------
`kill` and `Timeout` are *edges*: raised once, and gone when somebody catches them. A scope
is a *level*: from the moment it is cancelled, every park inside raises `Cancelled`, until
the scope is left. Clean-up code that has to wait does so in a scope of its own with
`shield=True`, which hides the cancellation of the scopes around it.

Scopes form a tree. A green thread remembers its innermost scope in `_scope`; a scope knows
the threads that are directly in it and the scopes nested in it. A child of a task group
starts in the group's scope, so the tree spans threads. Cancelling walks down the tree and
interrupts who is parked; `Hub.park` looks up the tree and refuses who parks later. A hub
counts its open scopes, so that threads without any pay for one test.

When several scopes around a park are cancelled, the outermost wins: the inner ones are left
on the way to it.

A scope that is left out of order, or by somebody else than its green thread (a generator that
holds one and is closed elsewhere), is taken out of the tree before the error is raised: what
was nested in it belongs to its parent from then on.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import inf
from types import TracebackType
from typing import Any, Self

from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.timers import Timer
from eventlet._core.wait_queue import PENDING, SPENT, WOKEN, Ticket, interrupt
from eventlet._unpatched import get_ident

__all__ = ["CancelScope", "Cancelled", "fail_after", "fail_at", "move_on_after", "move_on_at"]
__all__ += ["refusal_here", "shielded"]

DEADLINE = "the deadline passed"


class Cancelled(BaseException):
    """Raised at each park inside a cancelled scope, until the scope is left.

    Let it pass: the scope's `with` statement catches it. Not an `Exception`, so ordinary
    handlers do.

    Attributes:
        scope: the scope that was cancelled.
    """

    def __init__(self, scope: "CancelScope") -> None:
        self.scope = scope
        reason = scope.reason
        super().__init__("the scope was cancelled" + (f": {reason}" if reason else ""))


class CancelScope:
    """A region that can be cancelled: `with CancelScope() as scope: ...`.

    Args:
        deadline: moment on the hub's clock, in seconds, at which it cancels itself; None
            never.
        shield: hide the cancellation of the scopes around this one.

    Raises:
        TypeError, ValueError: the deadline is no moment; NaN is none.

    Attributes:
        cancel_called: whether it was cancelled, by `cancel` or by its deadline.
        cancelled_caught: whether its `with` statement ended by catching `Cancelled`.
        reason: why it was cancelled, as given to `cancel`; None before.
    """

    def __init__(self, *, deadline: float | None = None, shield: bool = False) -> None:
        self.cancel_called = False
        self.cancelled_caught = False
        self.reason: object = None
        self._deadline = _checked(deadline)
        self._shield = shield
        self._parent: CancelScope | None = None
        self._children: dict[CancelScope, None] = {}  # sets in order: who came first is told first
        self._threads: dict[Any, None] = {}
        self._host: Any = None
        self._hub: Hub | None = None
        self._timer: Timer | None = None
        self._left = False

    # -- what a user does -----------------------------------------------------------------

    def cancel(self, reason: object = None) -> None:
        """Make every park inside raise `Cancelled`, now and until the scope is left.

        May be called from anywhere, before the scope is entered too. Only the first call
        counts. From another OS thread, those who are parked are told in their hub's next batch.

        Args:
            reason: kept in `reason` and named in the exception.
        """
        if self.cancel_called or self._left:
            return
        self.reason = reason
        self.cancel_called = True  # after the reason, before anybody is told
        self._on_its_hub(self._tell)

    @property
    def deadline(self) -> float | None:
        """Moment on the hub's clock at which it cancels itself, in seconds; settable."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float | None) -> None:
        self._deadline = _checked(deadline)
        self._on_its_hub(self._rearm)

    @property
    def shield(self) -> bool:
        """Whether the cancellation of the scopes around it is hidden inside; settable."""
        return self._shield

    @shield.setter
    def shield(self, shield: bool) -> None:
        self._shield = shield
        if not shield and self._effective() is not None:
            self._on_its_hub(self._deliver)

    def __enter__(self) -> Self:
        """Begin the region, in the calling green thread.

        Raises:
            RuntimeError: it was entered before, or the caller is the hub's own greenlet.
        """
        if self._hub is not None:
            raise RuntimeError("a CancelScope can be entered only once; make a new one")
        host: Any = getcurrent()
        hub = get_hub()
        if host is hub.greenlet:
            raise RuntimeError("a CancelScope is of a green thread; the hub's own greenlet is none")
        self._hub, self._host = hub, host
        self._parent = getattr(host, "_scope", None)
        if self._parent is not None:
            self._parent._threads.pop(host, None)
            self._parent._children[self] = None
        self._threads[host] = None
        host._scope = self
        hub.scopes += 1
        self._arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """End the region; True, which swallows it, for the `Cancelled` of this scope.

        Raises:
            RuntimeError: it was not entered, or has been left; another green thread entered
                it; or a scope inside it was not left yet.
        """
        host, hub = self._host, self._hub
        current: Any = getcurrent()
        if hub is None or self._left:
            state = "not been entered" if hub is None else "been left already"
            raise RuntimeError(f"this CancelScope has {state}")
        in_order = current is host and host._scope is self
        self._left = True
        self._disarm()
        hub.scopes -= 1
        self._take_out()
        if not in_order:
            raise RuntimeError(
                "scopes are left by the green thread that entered them, innermost first; "
                "a generator that yields inside a scope breaks that"
            )
        if isinstance(value, Cancelled) and value.scope is self:
            self.cancelled_caught = True
            return True
        return False

    def _take_out(self) -> None:
        """Leave the tree: threads and scopes that are in here belong to the parent now."""
        parent, self._parent, self._host = self._parent, None, None
        if parent is not None:
            parent._children.pop(self, None)
            parent._children |= self._children
            parent._threads |= self._threads
        for scope in self._children:
            scope._parent = parent
        for thread in self._threads:
            thread._scope = parent
        self._children, self._threads = {}, {}

    # -- deadline -------------------------------------------------------------------------------

    def count_on(self) -> None:
        """Set the timer again: in a forked child, where it is gone."""
        self._timer = None
        self._arm()

    def _rearm(self) -> None:
        self._disarm()
        self._arm()

    def _arm(self) -> None:
        if self._deadline is None or self._hub is None or self.cancel_called or self._left:
            return
        if self._deadline <= self._hub.clock():
            self.cancel(DEADLINE)
        else:
            self._timer = self._hub.call_at(self._deadline, self.cancel, DEADLINE)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # -- cancellation ------------------------------------------------------------------------------

    def _on_its_hub(self, move: Callable[[], None]) -> None:
        """Make a move that looks at the tree or the timers: only their OS thread may.

        Seen from another one, a thread could be in a shielded scope by the time it is told.
        """
        hub = self._hub
        if hub is None or hub.ident == get_ident():
            move()
        else:
            hub.call_soon(move)

    def _tell(self) -> None:
        self._disarm()
        self._deliver()

    def _effective(self) -> "CancelScope | None":
        """Return the outermost cancelled scope that is seen from inside this one."""
        found: CancelScope | None = None
        scope: CancelScope | None = self
        while scope is not None:
            if scope.cancel_called:
                found = scope
            if scope._shield:
                break
            scope = scope._parent
        return found

    def check(self, ticket: Ticket) -> None:
        """Refuse a park inside a cancelled scope; the hub asks before each.

        Raises:
            Cancelled: this scope, or one around it that is not hidden, was cancelled.
        """
        cancelled = self._effective()
        if cancelled is not None:
            ticket.state |= SPENT
            raise Cancelled(cancelled)

    def _deliver(self) -> None:
        """Interrupt who is parked in here; those who run will be refused at their next park."""
        cancelled = self._effective()
        if cancelled is None:
            return
        for thread in list(self._threads):
            ticket = getattr(thread, "_ticket", None)
            if (
                ticket is not None
                and ticket.thread is thread
                and ticket.state in (PENDING, WOKEN)
                and thread  # one that has not started yet begins, and is told at its first park
            ):
                interrupt(ticket, Cancelled(cancelled))
        for child in list(self._children):
            if not child._shield:
                child._deliver()

    # -- threads that start inside (task groups) ---------------------------------------------------

    def adopt(self, thread: Any) -> None:
        """Have a thread that has not started yet run inside this scope."""
        thread._scope = self
        self._threads[thread] = None

    def release(self, thread: Any) -> None:
        """Forget an adopted thread that has ended."""
        self._threads.pop(thread, None)

    def __repr__(self) -> str:
        states = [
            name
            for name, holds in (
                ("cancelled", self.cancel_called),
                ("shielded", self._shield),
                ("left", self._left),
            )
            if holds
        ]
        return f"<CancelScope {' '.join(states) or 'open'}, deadline {self._deadline}>"


def refusal_here() -> Cancelled | None:
    """Return what a park of the calling green thread would raise now; None if it may park."""
    scope: CancelScope | None = getattr(getcurrent(), "_scope", None)
    cancelled = None if scope is None else scope._effective()
    return None if cancelled is None else Cancelled(cancelled)


def shielded() -> AbstractContextManager[object]:
    """Return a block for clean-up that must be able to park whatever was cancelled.

    Costs next to nothing outside of scopes.
    """
    return (
        nullcontext() if getattr(getcurrent(), "_scope", None) is None else CancelScope(shield=True)
    )


class _FailingScope(CancelScope):
    """A scope that raises TimeoutError when its deadline ended it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        caught = super().__exit__(kind, value, trace)
        if caught and self.reason is DEADLINE:
            raise TimeoutError("timed out: the deadline of a scope passed") from value
        return caught


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """Return a scope that ends silently at `deadline`, in seconds on the hub's clock."""
    return CancelScope(deadline=deadline, shield=shield)


def move_on_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """Return a scope that ends silently after `seconds`, counted from now; None never."""
    return CancelScope(deadline=_moment(seconds), shield=shield)


def fail_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """Return a scope that raises TimeoutError at `deadline`, in seconds on the hub's clock."""
    return _FailingScope(deadline=deadline, shield=shield)


def fail_after(seconds: float | None, *, shield: bool = False) -> CancelScope:
    """Return a scope that raises TimeoutError after `seconds`, counted from now; None never."""
    return _FailingScope(deadline=_moment(seconds), shield=shield)


def _moment(seconds: float | None) -> float | None:
    if seconds is None:
        return None
    now = get_hub().clock()
    try:
        return now + seconds
    except TypeError:
        raise TypeError(f"a time limit is a number of seconds or None, not {seconds!r}") from None


def _checked(deadline: float | None) -> float | None:
    """Return a deadline that has a place among the timers; NaN would put them all out of order."""
    try:
        if deadline is None or deadline <= inf:
            return deadline
    except TypeError:
        raise TypeError(f"a deadline is a number of seconds or None, not {deadline!r}") from None
    raise ValueError(f"a deadline is a number of seconds or None, not {deadline!r}")
