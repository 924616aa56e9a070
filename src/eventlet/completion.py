"""Results in the order in which they come: `as_completed`, and the first alone: `wait_first`.

Both take *works*: functions without arguments, which they start in green threads, and green
threads that run already. One rule says what happens to those that are left when the caller
has seen enough: what was started here is cancelled and waited for, so it never outlives the
call; a green thread that was given is only watched, since it belongs to whoever spawned it.

All works start at once. For many, bounded, in the order of the input: `GreenPool.imap`.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.scope import Cancelled
from eventlet._core.thread import GreenThread
from eventlet.queue import LightQueue
from eventlet.taskgroup import TaskGroup

__all__ = ["AsCompleted", "as_completed", "wait_first"]

_QUIET = (Cancelled, GreenletExit)


class _Contest(TaskGroup):
    """A task group whose children may fail, and whose block ends them."""

    def _note_body(self, value: BaseException | None) -> BaseException | None:
        self.cancel_scope.cancel("its block has seen enough")
        return value  # what the body raises is its own affair

    def _note_failure(self, child: GreenThread, exc: BaseException) -> None:
        """Leave it to whoever calls `wait()` of the child."""


class AsCompleted:
    """Iterator over green threads in the order in which they end; see `as_completed`."""

    def __init__(self, works: Iterable[Callable[[], Any] | GreenThread]) -> None:
        self._works = list(works)
        for work in self._works:
            if not callable(work) and not isinstance(work, GreenThread):
                raise TypeError(f"a work is a function or a GreenThread, not {work!r}")
        self._group = _Contest()
        self._ended: LightQueue[GreenThread] = LightQueue()
        self._watched: list[GreenThread] = []
        self._started: dict[GreenThread, None] = {}
        self._open = 0

    def __enter__(self) -> Self:
        """Start the functions and watch the green threads.

        Raises:
            RuntimeError: it was entered before, or the caller is the hub's own greenlet.
        """
        self._group.__enter__()
        self._open = len(self._works)
        for work in self._works:
            if isinstance(work, GreenThread):
                self._watched.append(work)
            else:
                work = self._group.spawn(work)
                self._started[work] = None
            work.link(self._ended.put)
        self._works.clear()
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> GreenThread:
        if self._group._hub is None:
            raise RuntimeError("use it in a block: `with as_completed(works) as threads`")
        if not self._open:
            raise StopIteration
        self._open -= 1  # before the wait: the next who asks may find nothing left
        try:
            thread = self._ended.get()
        except BaseException:
            self._open += 1
            raise
        self._started.pop(thread, None)
        return thread

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Cancel what was started and runs; wait until it has ended."""
        self._open = 0
        for thread in self._watched:
            thread.unlink(self._ended.put)
        try:
            return self._group.__exit__(kind, value, trace)
        finally:
            self._report_unseen()

    def _report_unseen(self) -> None:
        """Report failures that the caller has not seen and never will."""
        for thread in self._started:
            exc = thread._exc
            if exc is not None and not isinstance(exc, _QUIET):
                get_hub().report(thread, exc)
        self._started.clear()


def as_completed(works: Iterable[Callable[[], Any] | GreenThread]) -> AsCompleted:
    """Run works at the same time and iterate over them in the order in which they end.

        with as_completed([fetch, look_up]) as threads:
            for thread in threads:
                print(thread.wait())

    Leaving the block, early too, cancels the functions that still run and waits for them.
    An error of a work is raised by its `wait()`; it ends neither the others nor the block.
    That of a function whose green thread was never reached is printed.

    Args:
        works: functions to be called without arguments, and green threads, which are only
            watched.

    Returns:
        What the `with` statement takes: an iterator over green threads that have ended.

    Raises:
        TypeError: a work is neither.
    """
    return AsCompleted(works)


def wait_first(works: Iterable[Callable[[], Any] | GreenThread]) -> Any:
    """Run works at the same time; return what the first that ends returns, or raise its error.

    The other functions are cancelled, and have ended when this returns.

    Args:
        works: as for `as_completed`.

    Raises:
        ValueError: there are no works.
        TypeError: a work is neither function nor green thread.
    """
    with as_completed(works) as threads:
        for thread in threads:
            return thread.wait()
    raise ValueError("wait_first needs at least one work: of none, none is the first")
