"""Task groups: green threads that cannot outlive the block they were started in.

`with TaskGroup() as group: group.spawn(f)` waits at its end for every child. The first
failure cancels the siblings and the block itself; failures leave together, as an
`ExceptionGroup`. The semantics are those of `asyncio.TaskGroup`. Where they differ:

- The block and its children are in one cancel scope, so cancellation is a level: every park
  raises `Cancelled` until the block is left, also in `finally`. Wait there in a shielded
  scope.
- A child that has not started when its group is cancelled still begins, and is told at its
  first park: what it was given, a socket for instance, is its to close.
- A child that is killed (GreenletExit) has not failed, like a cancelled task. `Cancelled` of
  a scope that is not around the child is a failure: it came with somebody else's result.
- `kill` and `Timeout` that reach the block itself cancel the children and leave as they came,
  because whoever sent them waits for them. Failures of children are then the `__cause__`.
- An exception that ended several children, one of which waited for another, is in the
  `ExceptionGroup` once.

As there, failures leave before the cancellation of a scope around the block, which the next
park tells; and KeyboardInterrupt or SystemExit of a child cancels the group and leaves it bare.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from greenlet import GreenletExit, getcurrent

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.hub import Hub
from eventlet._core.scope import (
    Cancelled,
    CancelScope,
    fail_after,
    fail_at,
    move_on_after,
    move_on_at,
    refusal_here,
    shielded,
)
from eventlet._core.thread import GreenThread
from eventlet._core.wait_queue import SPENT, WaitQueue

__all__ = [
    "CancelScope",
    "Cancelled",
    "TaskGroup",
    "fail_after",
    "fail_at",
    "move_on_after",
    "move_on_at",
]

_EXITS: Final = (KeyboardInterrupt, SystemExit)


class _Child(GreenThread):
    """A green thread whose failure its group raises: the hub has nothing to do about it."""

    __slots__ = ()

    def _escape(self, exc: BaseException) -> None:
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
        self._exit: BaseException | None = None
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
        hub = self._hub
        if hub is None:
            raise RuntimeError(
                "this TaskGroup has not been entered: use `with TaskGroup() as group`"
            )
        if self._closed:
            raise RuntimeError("this TaskGroup has ended; start green threads inside its block")
        if self.cancel_scope.cancel_called:
            raise RuntimeError("this TaskGroup is being cancelled and starts nothing new")
        if hub is not existing_hub():
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
        """Begin the block.

        Raises:
            RuntimeError: it was entered before, or the caller is the hub's own greenlet.
        """
        if self._hub is not None:
            raise RuntimeError("a TaskGroup can be entered only once; make a new one")
        self.cancel_scope.__enter__()
        self._hub = get_hub()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Wait for the children; raise what there is to raise."""
        hub = self._hub
        if hub is None or self._closed:
            raise RuntimeError("this TaskGroup is not open")
        if getcurrent() is hub.greenlet:  # the garbage collector closed a suspended generator
            self._closed = True
            self.cancel_scope.cancel("its block was left by the hub, which cannot wait")
            raise RuntimeError("a TaskGroup is left by the green thread that entered it")
        interrupt = self._note_body(value)
        waits = self._is_awaited(hub)
        interrupt = self._wait_for_children(hub, interrupt)
        self._closed = True
        is_level = isinstance(interrupt, Cancelled) and self._is_told_to_end(interrupt)
        kind = None if interrupt is None else type(interrupt)
        if self.cancel_scope.__exit__(kind, interrupt, None):
            interrupt = None
        errors, self._errors = self._errors, []
        exit_, self._exit = self._exit, None
        if exit_ is not None and not isinstance(interrupt, _EXITS):
            interrupt = _later(interrupt, exit_)
        elif errors and is_level:
            interrupt = None  # the next park tells it again; a failure is told once
        if interrupt is None and not errors and waits:
            interrupt = refusal_here()  # the wait was a park of the scopes around, too
        failure = BaseExceptionGroup("unhandled errors in a TaskGroup", errors) if errors else None
        try:
            if interrupt is None and failure is None:
                return True  # the body ended well, or by the Cancelled of our own scope
            if interrupt is value and failure is None:
                return False
            if interrupt is None:
                assert failure is not None
                raise failure
            if failure is not None:
                interrupt.__cause__ = failure
            raise interrupt
        finally:
            del interrupt, failure, errors, exit_, value  # a traceback refers to this frame

    # -- the end of the block -------------------------------------------------------------------

    def _note_body(self, value: BaseException | None) -> BaseException | None:
        """Take what the body ended with: an error of the group, or an interrupt to pass on."""
        if value is None:
            return None
        self.cancel_scope.cancel("the block of its TaskGroup failed")
        if _is_interrupt(value):
            return value
        self._note_error(value)
        return None

    def _note_error(self, exc: BaseException) -> None:
        if not any(exc is known for known in self._errors):
            self._errors.append(exc)

    def _is_awaited(self, hub: Hub) -> bool:
        """Whether there is a child to wait for.

        One that stayed behind in the process that forked, or on a closed hub, never ends.
        """
        self._children &= hub.threads
        return bool(self._children)

    def _wait_for_children(self, hub: Hub, interrupt: BaseException | None) -> BaseException | None:
        """Wait until no child is left; return the interrupt to leave with, if any.

        Shielded: the cancellation of scopes around the block reaches the children by
        itself, and the block must see them end.
        """
        with shielded():
            while self._is_awaited(hub):
                ticket = hub.ticket()
                self._idle.append(ticket)
                try:
                    hub.park(ticket)
                except BaseException as exc:
                    self._idle.discard(ticket)
                    ticket.state |= SPENT  # also when a signal handler raised before the park
                    self.cancel_scope.cancel("its TaskGroup was interrupted")
                    interrupt = _later(interrupt, exc)
        return interrupt

    def _child_ended(self, child: GreenThread) -> None:
        self._children.discard(child)
        self.cancel_scope.release(child)
        exc = child._exc
        if exc is not None and not self._is_told_to_end(exc):
            self._note_failure(child, exc)
        if not self._children:
            self._idle.wake_all()

    def _note_failure(self, child: GreenThread, exc: BaseException) -> None:
        """Take what ended a child, and cancel its siblings."""
        if isinstance(exc, _EXITS):
            self._exit = self._exit or exc
        else:
            self._note_error(exc)
        self.cancel_scope.cancel(f"{child.name} of its TaskGroup failed")

    def _is_told_to_end(self, exc: BaseException) -> bool:
        """Whether a child that ended by `exc` did as it was told: no failure."""
        if not isinstance(exc, Cancelled):
            return isinstance(exc, GreenletExit)
        scope: CancelScope | None = self.cancel_scope
        while scope is not None and scope is not exc.scope:
            scope = scope._parent
        return scope is not None

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
    return not isinstance(exc, (Exception, BaseExceptionGroup))


def _later(first: BaseException | None, then: BaseException) -> BaseException:
    """Return which of two interrupts goes on: the later one, but an exit of the program first."""
    if isinstance(first, _EXITS):
        return first
    if first is not then and then.__context__ is None:
        then.__context__ = first
    return then
