"""Queues between green threads, with the interface of the standard `queue`.

Theory of operation
-------------------
Nothing is stolen, lost or doubled, in any order of wake, kill and time-out, because a
wake-up is a promise and the woken thread makes the move itself:

- a getter is woken when an item is there, and that item is *promised*: it stays in the
  storage, is counted in `_promised_items` and cannot be taken by others;
- a putter is woken when there is room, and that room is promised (`_promised_room`).

A thread that was promised something and is interrupted before it runs only takes back the
promise, and the next waiter gets it: items never leave their place. It also means that
subclasses which change `_init`, `_put` and `_get` need no way to put an item back.

`maxsize` 0 is a meeting point. A put waits for a getter; a get takes the item of the first
waiting putter directly (its offer) and lets it go on. An item whose getter died after the
putter had gone on stays in the storage and is the next to be taken.

A native lock guards these steps against other OS threads; it is never held while a thread
is parked. It is re-entrant for finalizers and signal handlers that use the queue.
"""

import heapq
import queue as standard_queue
import sys
from collections import deque
from queue import Empty, Full
from typing import Any, Final, Generic, TypeVar

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import EXPIRED, SPENT, Ticket, WaitQueue
from eventlet._unpatched import Mutex

__all__ = [
    "Empty",
    "Full",
    "LifoQueue",
    "LightQueue",
    "PriorityQueue",
    "Queue",
    "ShutDown",
]

T = TypeVar("T")

if sys.version_info >= (3, 13):
    ShutDown = standard_queue.ShutDown
else:

    class ShutDown(Exception):
        """The queue was shut down: nothing more goes in, or nothing more will come."""


class _Wake:
    """What a waiter is told."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning

    def __repr__(self) -> str:
        return self.meaning


_PROMISED: Final = _Wake("an item or room is kept for you")
_TAKEN: Final = _Wake("a getter took your offer")
_SHUT_DOWN: Final = _Wake("the queue was shut down")


class LightQueue(Generic[T]):
    """A FIFO queue without `task_done` and `join`.

    Args:
        maxsize: items it holds before `put` waits; None or less than 0 is no limit; 0
            makes each `put` wait until its item is taken.

    Subclasses may replace `_init(maxsize)`, `_put(item)` and `_get()`.
    """

    def __init__(self, maxsize: int | None = None) -> None:
        self.maxsize = _limit(maxsize)
        self.is_shutdown = False
        self.getters = WaitQueue()
        self.putters = WaitQueue()
        self._offers: dict[Ticket, T] = {}
        self._promised_items = 0
        self._promised_room = 0
        self._mutex = Mutex()
        self._init(maxsize)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x}: {self.qsize()} of {self.maxsize}, "
            f"{self.getting()} getting, {self.putting()} putting>"
        )

    # -- what subclasses may replace -----------------------------------------------------

    def _init(self, maxsize: int | None) -> None:
        self.queue: Any = deque()

    def _put(self, item: T) -> None:
        self.queue.append(item)

    def _get(self) -> T:
        item: T = self.queue.popleft()
        return item

    # -- looking ---------------------------------------------------------------------------

    def qsize(self) -> int:
        """Return how many items a `get` would find; one promised to a getter is gone."""
        return len(self.queue) - self._promised_items

    def empty(self) -> bool:
        """Whether `get` would have to wait."""
        return self.qsize() <= 0

    def full(self) -> bool:
        """Whether `put` would have to wait. A queue of size 0 is always full and empty."""
        return self.maxsize == 0 or not self._accepts()

    def getting(self) -> int:
        """Return how many green threads wait for an item."""
        return len(self.getters)

    def putting(self) -> int:
        """Return how many green threads wait for room."""
        return len(self.putters)

    # -- putting ---------------------------------------------------------------------------

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in. Does not yield when there is room.

        Args:
            item: anything.
            block: False never waits; then `timeout` has no meaning.
            timeout: seconds to wait for room; None waits for ever; 0 or less yields once.

        Raises:
            Full: there is no room. The item will never be in the queue.
            ShutDown: the queue was shut down.
        """
        with self._mutex:
            if self.is_shutdown:
                raise ShutDown
            if self.maxsize is None or self._accepts():
                self._store(item)
                return
        if not block:
            raise Full
        self._wait_to_put(item, timeout)

    def put_nowait(self, item: T) -> None:
        """Put an item in without waiting; also from a callback of the hub.

        Raises:
            Full: there is no room, or no getter waits for it if `maxsize` is 0.
            ShutDown: the queue was shut down.
        """
        self.put(item, False)

    def _accepts(self) -> bool:
        maxsize = self.maxsize
        if maxsize is None:
            return True
        if maxsize == 0:
            return bool(self.getters)
        return self.qsize() + self._promised_items + self._promised_room < maxsize

    def _store(self, item: T) -> None:
        self._put(item)
        if self.getters.tickets:
            self._serve_getters()

    def _serve_putters(self) -> None:
        while self.putters and self.maxsize != 0 and self._accepts():
            if self.putters.wake_first(_PROMISED) is not None:
                self._promised_room += 1

    def _wait_to_put(self, item: T, timeout: float | None) -> None:
        hub = get_hub()
        ticket = hub.ticket()
        try:
            if self._put_or_queue(item, ticket):
                return
            value = hub.park(ticket, timeout)
        except BaseException:
            self._withdraw_putter(ticket)
            raise
        if value is _TAKEN:
            return
        if value is not _PROMISED:
            self._withdraw_putter(ticket)
            # When the time is up, look once more: room may have come before we could run.
            self.put(item, block=False)
            return
        with self._mutex:
            del self._offers[ticket]
            self._promised_room -= 1
            if self.is_shutdown:
                raise ShutDown
            try:
                self._store(item)
            finally:
                self._serve_putters()  # a subclass may have used no room for it

    def _put_or_queue(self, item: T, ticket: Ticket) -> bool:
        with self._mutex:
            if self.is_shutdown:
                raise ShutDown
            if self._accepts():  # another OS thread made room in between
                self._store(item)
                return True
            self._offers[ticket] = item
            self.putters.append(ticket)
            return False

    def _withdraw_putter(self, ticket: Ticket) -> None:
        with self._mutex:
            ticket.state |= SPENT  # also when a signal handler raised before the park
            self.putters.discard(ticket)
            self._offers.pop(ticket, None)
            if ticket.value is _PROMISED:
                self._promised_room -= 1
                self._serve_putters()

    # -- getting ---------------------------------------------------------------------------

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take an item out. Does not yield when one is there.

        Args:
            block: False never waits; then `timeout` has no meaning.
            timeout: seconds to wait for an item; None waits for ever; 0 or less yields once.

        Raises:
            Empty: there is none.
            ShutDown: the queue was shut down and is empty.
        """
        with self._mutex:
            if self.qsize() > 0 or (self.maxsize == 0 and self._accept_offer()):
                return self._take()
            if self.is_shutdown:
                raise ShutDown
        if not block:
            raise Empty
        return self._wait_to_get(timeout)

    def get_nowait(self) -> T:
        """Take an item out without waiting; also from a callback of the hub.

        Raises:
            Empty: there is none, and no putter offers one if `maxsize` is 0.
            ShutDown: the queue was shut down and is empty.
        """
        return self.get(False)

    def _has_item(self) -> bool:
        return self.qsize() > 0 or (self.maxsize == 0 and self._accept_offer())

    def _accept_offer(self) -> bool:
        ticket = self.putters.wake_first(_TAKEN)
        if ticket is None:
            return False
        self._put(self._offers.pop(ticket))
        return True

    def _take(self) -> T:
        item = self._get()
        if self.putters.tickets:
            self._serve_putters()
        return item

    def _serve_getters(self) -> None:
        while self.getters and self.qsize() > 0:
            if self.getters.wake_first(_PROMISED) is not None:
                self._promised_items += 1

    def _wait_to_get(self, timeout: float | None) -> T:
        hub = get_hub()
        deadline = None if timeout is None else hub.clock() + timeout
        while True:
            ticket = hub.ticket()
            try:
                with self._mutex:
                    if self._has_item():  # another OS thread brought one in between
                        return self._take()
                    if self.is_shutdown:
                        raise ShutDown
                    self.getters.append(ticket)
                value = hub.park(ticket, timeout)
            except BaseException:
                self._withdraw_getter(ticket)
                raise
            if value is EXPIRED:
                self._withdraw_getter(ticket)
                return self.get(block=False)  # one may have come before we could run
            if value is _PROMISED:
                with self._mutex:
                    self._promised_items -= 1
                    try:
                        if self._has_item():
                            return self._take()
                    finally:
                        self._serve_getters()  # a subclass may have left the item in
            # Shut down; or the storage was emptied by hand, and the promise is void.
            timeout = None if deadline is None else deadline - hub.clock()

    def _withdraw_getter(self, ticket: Ticket) -> None:
        with self._mutex:
            ticket.state |= SPENT  # also when a signal handler raised before the park
            self.getters.discard(ticket)
            if ticket.value is _PROMISED:
                self._promised_items -= 1
                self._serve_getters()

    # -- changing the queue ------------------------------------------------------------------

    def resize(self, size: int | None) -> None:
        """Change `maxsize`. More room wakes those who wait for it; items are never dropped."""
        with self._mutex:
            self.maxsize = _limit(size)
            self._serve_putters()

    def shutdown(self, immediate: bool = False) -> None:
        """Let nothing more in: `put` raises ShutDown, and `get` does once it is empty.

        Who waits is woken with ShutDown; the items of waiting putters are not stored.

        Args:
            immediate: True drops the items that are in it; they count as done.
        """
        with self._mutex:
            self.is_shutdown = True
            if immediate:
                self._drop_items()
            self.getters.wake_all(_SHUT_DOWN)
            self.putters.wake_all(_SHUT_DOWN)

    def _drop_items(self) -> None:
        for _ in range(self.qsize() + self._promised_items):
            self._get()


class Queue(LightQueue[T]):
    """A FIFO queue that knows which items are done.

    Args:
        maxsize: items it holds before `put` waits; None or less than 0 is no limit; 0
            makes each `put` wait until its item is taken, unlike in the standard `queue`.

    Attributes:
        unfinished_tasks: items that were put in and are not `task_done()` yet.
    """

    def __init__(self, maxsize: int | None = None) -> None:
        self.unfinished_tasks = 0
        self._joiners = WaitQueue()
        super().__init__(maxsize)

    def _store(self, item: T) -> None:
        super()._store(item)
        self.unfinished_tasks += 1

    def _accept_offer(self) -> bool:
        accepted = super()._accept_offer()
        self.unfinished_tasks += accepted
        return accepted

    def _drop_items(self) -> None:
        before = self.qsize() + self._promised_items
        super()._drop_items()
        self._finish_tasks(min(before, self.unfinished_tasks))

    def task_done(self) -> None:
        """Say that an item that was taken out is done.

        Raises:
            ValueError: called more often than items were put in.
        """
        with self._mutex:
            if self.unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self._finish_tasks(1)

    def _finish_tasks(self, count: int) -> None:
        self.unfinished_tasks -= count
        if self.unfinished_tasks == 0:
            self._joiners.wake_all()

    def join(self) -> None:
        """Wait until every item that was put in is done."""
        if self.unfinished_tasks == 0:
            return
        hub = get_hub()
        ticket = hub.ticket()
        try:
            with self._mutex:
                if self.unfinished_tasks == 0:
                    return
                self._joiners.append(ticket)
            hub.park(ticket)
        except BaseException:
            self._joiners.discard(ticket)
            ticket.state |= SPENT
            raise


class PriorityQueue(Queue[T]):
    """A queue that gives the lowest item first; pairs (priority, item) are usual."""

    def _init(self, maxsize: int | None) -> None:
        self.queue: list[Any] = []

    def _put(self, item: T) -> None:
        heapq.heappush(self.queue, item)

    def _get(self) -> T:
        item: T = heapq.heappop(self.queue)
        return item


class LifoQueue(Queue[T]):
    """A queue that gives the latest item first."""

    def _init(self, maxsize: int | None) -> None:
        self.queue: list[T] = []

    def _put(self, item: T) -> None:
        self.queue.append(item)

    def _get(self) -> T:
        return self.queue.pop()


def _limit(maxsize: int | None) -> int | None:
    try:
        return None if maxsize is None or maxsize < 0 else maxsize
    except TypeError:
        raise TypeError(f"a queue holds a number of items or None, not {maxsize!r}") from None
