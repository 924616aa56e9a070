"""Semaphores: plain, bounded, and capped at both ends. First come, first served."""

from sys import is_finalizing
from types import TracebackType
from typing import Literal

from eventlet._core.current import get_hub
from eventlet._core.scope import shielded
from eventlet._core.wait_queue import EXPIRED, SPENT, WaitQueue
from eventlet._unpatched import longest_lock_timeout

__all__ = ["BoundedSemaphore", "CappedSemaphore", "Semaphore"]


class Semaphore:
    """A number of permits; `acquire` takes one, waiting for it if need be.

    A permit that is released while somebody waits is handed to the first waiter: it never
    shows in `counter`, and nobody who comes later can take it. A waiter that is killed or
    timed out before it could run passes the permit on.

    Args:
        value: permits to begin with; anything `int()` takes.

    Raises:
        TypeError: `value` is no number.
        ValueError: `value` is negative.
    """

    # Other OS threads release and acquire too. Either side first makes its own move
    # visible (the permit counted, the ticket queued) and then looks for the other's, so a
    # permit and a waiter cannot miss each other. `counter` is tested and changed without a
    # call in between, which the GIL makes atomic.

    def __init__(self, value: int = 1) -> None:
        try:
            value = int(value)
        except ValueError as exc:
            raise TypeError(
                f"{type(self).__name__}() takes a number of permits, not {value!r}"
            ) from exc
        if value < 0:
            raise ValueError(
                f"{type(self).__name__}() takes a number of permits >= 0, not {value!r}"
            )
        self.counter = value
        self._waiters = WaitQueue()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x}: counter {self.counter}, "
            f"{len(self._waiters)} waiting>"
        )

    @property
    def balance(self) -> int:
        """Free permits less waiters: negative while somebody waits."""
        return self.counter - len(self._waiters)

    def locked(self) -> bool:
        """Whether `acquire` would have to wait."""
        return self.counter <= 0

    def bounded(self) -> bool:
        """Whether `release` would have to wait: never, here."""
        return False

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit. Does not yield when one is free.

        Args:
            blocking: False never waits and never yields.
            timeout: seconds to wait; None or -1 waits for ever.

        Returns:
            Whether a permit was taken.

        Raises:
            ValueError: a time-out for a call that does not wait, or a negative one.
            OverflowError: a time-out beyond `threading.TIMEOUT_MAX`.
        """
        if timeout == -1:
            timeout = None
        if timeout is not None:
            if not blocking:
                raise ValueError("can't specify timeout for non-blocking acquire")
            if timeout < 0:
                raise ValueError(f"timeout must be -1 or at least 0 seconds, not {timeout!r}")
            if timeout > longest_lock_timeout:
                raise OverflowError(f"timeout of {timeout!r} seconds is too large")
        if self.counter > 0 and not self._waiters.tickets:
            self.counter -= 1
            return True
        return self._wait(timeout) if blocking else False

    def _wait(self, timeout: float | None) -> bool:
        if is_finalizing():
            return False  # nobody is left who could release it
        hub = get_hub()
        ticket = hub.ticket()
        self._waiters.append(ticket)
        try:
            self._hand_over()  # released by another OS thread before we were queued
            value = hub.park(ticket, timeout)
        except BaseException:
            # First, also when a signal handler raised before the park: now nobody wakes it.
            ticket.state |= SPENT
            if ticket.was_woken:
                self._adjust(1)
            else:
                self._waiters.discard(ticket)
            raise
        if value is EXPIRED:
            self._waiters.discard(ticket)
            return self.acquire(blocking=False)  # one may have come free before we could run
        return True

    def release(self, blocking: bool = True) -> bool:
        """Give a permit back, or to the first waiter, who runs in the next pass.

        Args:
            blocking: not used; `CappedSemaphore` has it.

        Returns:
            True.
        """
        self.counter += 1
        if self._waiters.tickets:
            self._hand_over()
        return True

    def _adjust(self, change: int) -> None:
        """Add permits, or take some away; fewer than none is possible and is paid back."""
        self.counter += change
        if self._waiters.tickets:
            self._hand_over()

    def _hand_over(self) -> None:
        while self.counter > 0 and self._waiters and self.counter > 0:
            self.counter -= 1
            if self._waiters.wake_first(True) is None:
                self.counter += 1

    def __enter__(self) -> Literal[True]:
        self.acquire()
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """A semaphore that refuses to have more permits than it began with."""

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self.original_counter = self.counter

    def release(self, blocking: bool = True) -> bool:
        """Give a permit back.

        Raises:
            ValueError: every permit is back already.
        """
        if self.counter >= self.original_counter:
            raise ValueError("Semaphore released too many times")
        self.counter += 1
        if self._waiters.tickets:
            self._hand_over()
        return True


class CappedSemaphore:
    """A semaphore whose `release` waits too, while `limit` permits are free.

    `CappedSemaphore(0, 0)` is a meeting point: each `acquire` waits for a `release` and
    each `release` for an `acquire`.

    Args:
        count: permits to begin with.
        limit: how many permits may be free.

    Raises:
        ValueError: `count` is negative or above `limit`.
    """

    # Two semaphores mirror each other: what one has free, the other lacks of `limit`. A
    # call that fails takes back what it gave to the other side. That may leave `counter`
    # below zero, when somebody has used it already: the next permit settles the debt.

    def __init__(self, count: int, limit: int) -> None:
        if count < 0:
            raise ValueError(f"CappedSemaphore() takes a count >= 0, not {count!r}")
        if count > limit:
            raise ValueError(
                f"CappedSemaphore() takes a count up to its limit {limit!r}, not {count!r}"
            )
        self.lower_bound = Semaphore(count)
        self.upper_bound = Semaphore(limit - count)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x}: balance {self.balance}, "
            f"lower {self.lower_bound!r}, upper {self.upper_bound!r}>"
        )

    @property
    def balance(self) -> int:
        """Balance of the lower bound less that of the upper: negative means short of permits."""
        return self.lower_bound.balance - self.upper_bound.balance

    def locked(self) -> bool:
        """Whether `acquire` would have to wait."""
        return self.lower_bound.locked()

    def bounded(self) -> bool:
        """Whether `release` would have to wait."""
        return self.upper_bound.locked()

    def acquire(self, blocking: bool = True) -> bool:
        """Take a permit; lets a waiting `release` go on.

        Returns:
            Whether a permit was taken; False only for a call that does not wait.
        """
        return _take(self.lower_bound, self.upper_bound, blocking)

    def release(self, blocking: bool = True) -> bool:
        """Give a permit back, waiting while `limit` are free.

        Returns:
            Whether it was taken back; False only for a call that does not wait.
        """
        return _take(self.upper_bound, self.lower_bound, blocking)

    def __enter__(self) -> Literal[True]:
        self.acquire()
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with shielded():  # the permit goes back, whatever was cancelled
            self.release()


def _take(near: Semaphore, far: Semaphore, blocking: bool) -> bool:
    """Move one permit from `near` to `far`; while we wait for it, `far` has it already."""
    if near.acquire(blocking=False):
        far.release()
        return True
    if not blocking:
        return False
    far.release()
    try:
        return near.acquire()
    except BaseException:
        far._adjust(-1)
        raise
