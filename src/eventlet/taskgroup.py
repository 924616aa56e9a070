"""Task groups: green threads that cannot outlive the block they were started in.

`with TaskGroup() as group: group.spawn(f)` waits at its end for every child. The first
failure cancels the siblings and the block itself; failures leave together, as an
`ExceptionGroup`. The semantics are those of `asyncio.TaskGroup`. Where they differ:

- The block and its children are in one cancel scope, so cancellation is a level: every park
  raises `Cancelled` until the block is left, also in `finally`. Wait there in a shielded
  scope.
- A child that is killed (GreenletExit) has not failed, like a cancelled task.
- An interrupt that reaches the block itself (GreenletExit from `kill`, `Timeout`, the
  cancellation of a scope around it, KeyboardInterrupt, SystemExit) cancels the children and
  leaves as it came, because whoever sent it waits for it. Failures of children are then its
  `__context__`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.scope import (
    Cancelled,
    CancelScope,
    fail_after,
    fail_at,
    move_on_after,
    move_on_at,
    refusal_here,
)
from eventlet._core.thread import GreenThread
from eventlet._core.wait_queue import WaitQueue

__all__ = [
    "CancelScope",
    "Cancelled",
    "TaskGroup",
    "fail_after",
    "fail_at",
    "move_on_after",
    "move_on_at",
]

_INTERRUPTS = (Cancelled, GreenletExit, KeyboardInterrupt, SystemExit)


class _Child(GreenThread):
    """A green thread whose failure its group raises, so that the hub need not print it."""

    __slots__ = ()

    def _report(self, exc: BaseException) -> None:
        """Leave it to the group."""


class TaskGroup:
    """A block that waits for the green threads started in it.

    Attributes:
        cancel_scope: the scope of the block and its children; cancel it to end them all
            without an error.
    """

    def __init__(self) -> None:
        self.cancel_scope = CancelScope()
        self._hub: Hub | None = None
        self._children: set[GreenThread] = set()
        self._errors: list[BaseException] = []
        self._idle = WaitQueue()
        self._closed = False

    def spawn(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> GreenThread:
        """Start `function(*args, **kwargs)` in a green thread of this group.

        Any green thread of the same OS thread may call it while the block is open.

        Returns:
            The thread; `wait()` gives its result.

        Raises:
            RuntimeError: the block has not begun or has ended, the group is being
                cancelled, or the caller is in another OS thread.
        """
        hub = get_hub()
        if self._hub is None:
            raise RuntimeError(
                "this TaskGroup has not been entered: use `with TaskGroup() as group`"
            )
        if self._closed:
            raise RuntimeError("this TaskGroup has ended; start green threads inside its block")
        if self.cancel_scope.cancel_called:
            raise RuntimeError("this TaskGroup is being cancelled and starts nothing new")
        if hub is not self._hub:
            raise RuntimeError(
                "this TaskGroup belongs to another OS thread; have a green thread there call spawn"
            )
        child = _Child(hub, function, args, kwargs)
        self._children.add(child)
        self.cancel_scope.adopt(child)
        child.link(self._child_ended)
        hub.start(child)
        return child

    def __enter__(self) -> Self:
        if self._hub is not None:
            raise RuntimeError("a TaskGroup can be entered only once; make a new one")
        self._hub = get_hub()
        self.cancel_scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        interrupt = self._note_body(value)
        waits = bool(self._children)
        interrupt = self._wait_for_children(interrupt)
        self._closed = True
        kind = None if interrupt is None else type(interrupt)
        if self.cancel_scope.__exit__(kind, interrupt, None):
            interrupt = None
        if waits and interrupt is None and not self._errors:
            interrupt = refusal_here()  # the wait was a park of the scopes around, too
        errors, self._errors = self._errors, []
        if interrupt is None and not errors:
            return value is None or isinstance(value, Cancelled)
        failure = BaseExceptionGroup("unhandled errors in a TaskGroup", errors) if errors else None
        if interrupt is None:
            assert failure is not None
            try:
                raise failure
            finally:
                del failure, errors, value
        if interrupt is value and failure is None:
            return False
        try:
            raise interrupt from failure if failure is not None else interrupt.__cause__
        finally:
            del interrupt, failure, errors, value

    # -- the end of the block -------------------------------------------------------------------

    def _note_body(self, value: BaseException | None) -> BaseException | None:
        """Take what the body ended with: an error of the group, or an interrupt to pass on."""
        if value is None:
            return None
        self.cancel_scope.cancel("the block of its TaskGroup failed")
        if _is_interrupt(value):
            return value
        self._errors.append(value)
        return None

    def _wait_for_children(self, interrupt: BaseException | None) -> BaseException | None:
        """Wait until no child is left; return the first interrupt there was, if any.

        Shielded: the cancellation of scopes around the block reaches the children by
        itself, and the block must see them end.
        """
        with CancelScope(shield=True):
            while self._children:
                ticket = get_hub().ticket()
                self._idle.append(ticket)
                try:
                    ticket.hub.park(ticket)
                except BaseException as exc:
                    self._idle.discard(ticket)
                    self.cancel_scope.cancel("its TaskGroup was interrupted")
                    interrupt = interrupt or exc
        return interrupt

    def _child_ended(self, child: GreenThread) -> None:
        self._children.discard(child)
        self.cancel_scope.release(child)
        exc = child._exc
        if exc is not None and not isinstance(exc, _INTERRUPTS):
            self._errors.append(exc)
            self.cancel_scope.cancel(f"{child.name} of its TaskGroup failed")
        if not self._children:
            self._idle.wake_all()

    def __repr__(self) -> str:
        if self._closed:
            state = "ended"
        elif self._hub is None:
            state = "not entered"
        else:
            state = f"{len(self._children)} running"
        return f"<TaskGroup {state}>"


def _is_interrupt(exc: BaseException) -> bool:
    """Whether `exc` was sent to this green thread by somebody who waits for it to arrive."""
    return not isinstance(exc, Exception) and not isinstance(exc, BaseExceptionGroup)
