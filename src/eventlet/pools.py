"""Pools of things that are costly to make and used by one green thread at a time."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import SPENT, Ticket, WaitQueue
from eventlet._unpatched import Mutex

__all__ = ["Pool", "Token", "TokenPool"]

T = TypeVar("T")


class Pool(Generic[T]):
    """At most `max_size` items, made when they are first needed and used again.

    Give it `create`, or replace `create` in a subclass. Who wants an item while all are in
    use waits; the first to wait is the first to be served. A waiter that is killed or timed
    out leaves its item, or its right to make one, to the next.

    Args:
        min_size: items to make at once.
        max_size: items to have at most.
        order_as_stack: True gives the item that came back last; else the one that came
            back first.
        create: makes an item. It may wait; its place in the pool is kept meanwhile.

    Attributes:
        free_items: the items nobody uses, the next to be given first.
        current_size: items there are, in use and free, and those being made.
    """

    # An item and a place are given away by `_serve_waiters` alone, and only to waiters, so
    # while somebody waits there is nothing to take. A waiter is woken with what it was
    # given: a tuple of an item, or an empty one for a place that is counted already. The
    # native lock guards these steps against other OS threads, never held over a park.

    def __init__(
        self,
        min_size: int = 0,
        max_size: int = 4,
        order_as_stack: bool = False,
        create: Callable[[], T] | None = None,
    ) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.order_as_stack = order_as_stack
        self.current_size = 0
        self.free_items: deque[T] = deque()
        self._waiters = WaitQueue()
        self._mutex = Mutex()
        if create is not None:
            self.create = create  # type: ignore[method-assign]  # replaceable both ways
        for _ in range(min_size):
            self.current_size += 1
            self.free_items.append(self.create())

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x}: {self.current_size} of {self.max_size}, "
            f"{len(self.free_items)} free, {self.waiting()} waiting>"
        )

    def create(self) -> T:
        """Make an item; called in the green thread that wants it."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot make an item; pass `create` or replace it in a subclass"
        )

    # -- taking and giving back ------------------------------------------------------------

    def get(self) -> T:
        """Take a free item, make one, or wait for one. Yields only to wait.

        Raises:
            BaseException: what `create` raised; the pool is as before.
        """
        with self._mutex:
            if self.free_items:
                return self.free_items.popleft()
            has_place = self.current_size < self.max_size
            if has_place:
                self.current_size += 1
        return self._fill_place() if has_place else self._wait()

    def put(self, item: T) -> None:
        """Give an item back, or to the first waiter. Never yields.

        It is dropped when there are more items than `max_size`.
        """
        with self._mutex:
            if self.current_size > self.max_size:
                self.current_size -= 1
                return
            if self.order_as_stack:
                self.free_items.appendleft(item)
            else:
                self.free_items.append(item)
            self._serve_waiters()

    @contextmanager
    def item(self) -> Iterator[T]:
        """Take an item for a `with` block, and give it back at the end."""
        item = self.get()
        try:
            yield item
        finally:
            self.put(item)

    def resize(self, new_size: int) -> None:
        """Change `max_size`. More room lets waiters go on.

        Items above a smaller limit are dropped as they are given back.
        """
        with self._mutex:
            self.max_size = new_size
            self._serve_waiters()

    # -- looking ---------------------------------------------------------------------------

    def free(self) -> int:
        """Return how many `get` would not wait for; negative after the pool was made smaller."""
        return len(self.free_items) + self.max_size - self.current_size

    def waiting(self) -> int:
        """Return how many green threads wait for an item."""
        return len(self._waiters)

    # -- serving those who wait ------------------------------------------------------------

    def _fill_place(self) -> T:
        try:
            return self.create()
        except BaseException:
            with self._mutex:
                self._leave_place()
            raise

    def _leave_place(self) -> None:
        self.current_size -= 1
        self._serve_waiters()

    def _wait(self) -> T:
        hub = get_hub()
        ticket = hub.ticket()
        try:
            with self._mutex:
                self._waiters.append(ticket)
                self._serve_waiters()  # another OS thread gave one back in between
            given: tuple[T, ...] = hub.park(ticket)
        except BaseException:
            self._withdraw(ticket)
            raise
        return given[0] if given else self._fill_place()

    def _serve_waiters(self) -> None:
        while self._waiters:
            if self.free_items:
                item = self.free_items.popleft()
                if self._waiters.wake_first((item,)) is None:
                    self.free_items.appendleft(item)
            elif self.current_size < self.max_size:
                self.current_size += 1
                if self._waiters.wake_first(()) is None:
                    self.current_size -= 1
            else:
                return

    def _withdraw(self, ticket: Ticket) -> None:
        with self._mutex:
            ticket.state |= SPENT  # also when a signal handler raised before the park
            self._waiters.discard(ticket)
            if not ticket.was_woken:
                return
            given: tuple[T, ...] = ticket.value
            if given and self.current_size <= self.max_size:
                self.free_items.appendleft(given[0])  # it was the next in turn, and stays it
                self._serve_waiters()
            else:
                self._leave_place()


class Token:
    """A thing without properties: having one is what counts."""


class TokenPool(Pool[Any]):
    """A pool of tokens: who has one may go on."""

    def create(self) -> Token:
        """Make a token."""
        return Token()
