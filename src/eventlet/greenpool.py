"""Pools of green threads: bounded concurrency, and results in order."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._core.thread import GreenThread
from eventlet._imap import OrderedResults, ordered_results
from eventlet._unpatched import Mutex
from eventlet.event import Event
from eventlet.queue import LightQueue
from eventlet.semaphore import Semaphore

__all__ = ["DEBUG", "GreenMap", "GreenPile", "GreenPool"]

R = TypeVar("R")

DEBUG = True
"""Whether exceptions of functions given to `spawn_n` are printed."""


class GreenPool:
    """At most `size` green threads at a time; who spawns more waits for a place.

    Args:
        size: anything `int()` takes. In a pool of size 0 every spawn waits.

    Attributes:
        size: the limit.
        coroutines_running: the green threads that are in the pool now.
        sem: the free places.
        no_coros_running: an event that is sent when the pool becomes idle.

    Raises:
        TypeError: `size` is no number.
        ValueError: `size` is negative.
    """

    def __init__(self, size: int = 1000) -> None:
        self.size = _checked_size(size)
        self.sem = Semaphore(self.size)
        self.coroutines_running: set[GreenThread] = set()
        self.no_coros_running = Event()
        self._entering = 0
        self._mutex = Mutex()

    # -- spawning ------------------------------------------------------------------------

    def spawn(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> GreenThread:
        """Run `function` in a green thread of the pool; wait while the pool is full.

        Called by one of the pool's own green threads while the pool is full, it runs the
        function at once in the caller, since waiting might never end. Then an exception
        of the function is raised here.

        Returns:
            The green thread; `wait()` gives its result.
        """
        if self._is_full_for_its_own():
            return _finished_thread(function(*args, **kwargs))
        self._enter()
        return self._start(function, args, kwargs)

    def spawn_n(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Run `function` like `spawn`, without a result.

        Its exceptions are printed if `DEBUG` is set and dropped otherwise.
        """
        if self._is_full_for_its_own():
            _call(function, args, kwargs)
        else:
            self._enter()
            self._start(_call, (function, args, kwargs), {})

    def _is_full_for_its_own(self) -> bool:
        return self.sem.counter <= 0 and getcurrent() in self.coroutines_running

    def _enter(self) -> None:
        # A place may be ours before we run again: until `_start` the pool is not idle.
        self._entering += 1
        try:
            self.sem.acquire()
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        with self._mutex:
            self._entering -= 1
            self._tell_if_idle()

    def _start(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> GreenThread:
        # The spawner is who called `spawn`, or who called the pile that did.
        depth = 5 if sys._getframe(2).f_globals is globals() else 4
        try:
            hub = get_hub()
            thread = GreenThread(hub, function, args, kwargs, depth)
        except BaseException:
            self.sem.release()
            self._give_up()
            raise
        with self._mutex:
            if self.no_coros_running.ready():
                self.no_coros_running = Event()
            self.coroutines_running.add(thread)
            self._entering -= 1
        thread.link(self._leave)
        hub.start(thread)
        return thread

    def _leave(self, thread: GreenThread) -> None:
        with self._mutex:  # no other OS thread sees the place of none, while a spawner waits
            self.coroutines_running.discard(thread)
            self.sem.release()
            self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if not (self.coroutines_running or self._entering or self.no_coros_running.ready()):
            self.no_coros_running.send()

    def waitall(self) -> None:
        """Wait until no green thread is in the pool, and nobody waits to enter it.

        Raises:
            AssertionError: called in a green thread of this pool, which would never end.
        """
        if getcurrent() in self.coroutines_running:
            raise AssertionError(
                "Calling waitall() from within one of the GreenPool's greenthreads "
                "will never terminate."
            )
        with self._mutex:
            is_idle = not self.coroutines_running and self._entering <= self.waiting()
            idle = self.no_coros_running
        if not is_idle:
            idle.wait()

    def resize(self, new_size: int) -> None:
        """Change the limit. More room lets waiting spawners in; nobody is thrown out.

        Raises:
            TypeError: `new_size` is no number.
            ValueError: `new_size` is negative.
        """
        new_size = _checked_size(new_size)
        change, self.size = new_size - self.size, new_size
        self.sem._adjust(change)

    # -- results in order ------------------------------------------------------------------

    def starmap(
        self, function: Callable[..., R] | None, iterable: Iterable[Iterable[Any]]
    ) -> OrderedResults[R]:
        """Call `function(*item)` for each item, up to `size` at a time; see `imap`."""
        return ordered_results(function or _as_tuple, iterable, self.size)

    def imap(
        self, function: Callable[..., R] | None, *iterables: Iterable[Any]
    ) -> OrderedResults[R]:
        """Call `function` for each item, up to `size` at a time.

        Nothing runs before the caller yields. Never more than `size` + 1 items are ahead
        of the results that were taken, so the input may be endless. The calls use places
        of their own: they are not in `running()`. When the iterator is dropped, running
        calls finish and no other starts.

        Args:
            function: None gives the items themselves, as tuples.
            iterables: as for the builtin `map`; all are read by one green thread.

        Returns:
            An iterator over the results in the order of the input. It raises an exception
            of the function at the place of its result, and one of the input after the
            last result.
        """
        return ordered_results(function or _as_tuple, zip(*iterables, strict=False), self.size)

    # -- looking ---------------------------------------------------------------------------

    def running(self) -> int:
        """Return how many green threads are in the pool."""
        return len(self.coroutines_running)

    def free(self) -> int:
        """Return how many places are free; negative after the pool was made smaller."""
        return self.sem.counter

    def waiting(self) -> int:
        """Return how many green threads wait to spawn."""
        return len(self.sem._waiters)


class GreenPile:
    """Green threads whose results are read in the order of spawning.

    Several piles may share a pool.

    Args:
        size_or_pool: the pool to run in, or the size of a new one.

    Attributes:
        pool: the pool.
        waiters: the green threads whose results were not read yet, in order.
        counter: how many results are to be read.
    """

    def __init__(self, size_or_pool: "GreenPool | int" = 1000) -> None:
        if isinstance(size_or_pool, GreenPool):
            self.pool = size_or_pool
        else:
            self.pool = GreenPool(size_or_pool)
        self.waiters = _Waiters()
        self.counter = 0

    def spawn(self, func: Callable[..., Any], *args: Any, **kw: Any) -> None:
        """Run `func` in the pool; its result becomes the last of the pile."""
        self.counter += 1
        try:
            self.waiters.put(self.pool.spawn(func, *args, **kw))
        except BaseException:
            if self.counter > 0:
                self.counter -= 1
            else:  # a reader waits for this result already
                self.waiters.put(None)
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self.counter <= 0:
            raise StopIteration
        self.counter -= 1  # before any call: readers of other OS threads count too
        return self._next()

    def next(self) -> Any:
        """Return the next result: `__next__` by its old name."""
        return self.__next__()

    def _next(self) -> Any:
        try:
            thread = self.waiters.get()
        except BaseException:
            self.counter += 1
            raise
        if thread is None:  # its spawn failed
            return self.__next__()
        try:
            return thread.wait()
        except BaseException as exc:
            if thread._exc is not exc:  # we were interrupted: the result is still to be read
                self.counter += 1
                self.waiters.put_back(thread)
            raise


class GreenMap(GreenPile):
    """A pile that is read while it is filled: `done_spawning` says where it ends.

    Until then a reader waits for more. No more results are unread at a time than the pool
    has places; who spawns more waits until one is read.

    Args:
        size_or_pool: the pool to run in, or the size of a new one.
    """

    def __init__(self, size_or_pool: "GreenPool | int") -> None:
        super().__init__(size_or_pool)
        self._unread = Semaphore(self.pool.size)

    def spawn(self, func: Callable[..., Any], *args: Any, **kw: Any) -> None:
        """Run `func` in the pool; its result is the next to be read after those before."""
        self._unread.acquire()
        try:
            thread = self.pool.spawn(func, *args, **kw)
        except BaseException:
            self._unread.release()
            raise
        self.counter += 1
        self.waiters.put(thread)

    def done_spawning(self) -> None:
        """Say that nothing more will be spawned: readers stop after the last result."""
        self.waiters.put(None)

    def __next__(self) -> Any:
        return self._next()

    def _next(self) -> Any:
        thread = self.waiters.get()
        if thread is None:
            self.waiters.put_back(None)  # for the next who asks
            raise StopIteration
        try:
            value = thread.wait()
        except BaseException as exc:
            if thread._exc is exc:
                self._count_as_read()
            else:  # we were interrupted: the result is still to be read
                self.waiters.put_back(thread)
            raise
        self._count_as_read()
        return value

    def _count_as_read(self) -> None:
        self.counter -= 1
        self._unread.release()


class _Waiters(LightQueue[GreenThread | None]):
    """The green threads of a pile."""

    def put_back(self, thread: GreenThread | None) -> None:
        """Make `thread` the next to be taken."""
        with self._mutex:
            self.queue.appendleft(thread)
            self._serve_getters()


def _checked_size(size: Any) -> int:
    try:
        size = int(size)
    except ValueError as exc:
        raise TypeError(f"the size of a GreenPool is a number, not {size!r}") from exc
    if size < 0:
        raise ValueError(f"the size of a GreenPool is at least 0, not {size!r}")
    return int(size)


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        function(*args, **kwargs)
    except Exception as exc:
        if DEBUG:
            get_hub().report(getcurrent(), exc)


def _finished_thread(value: Any) -> GreenThread:
    """Make a green thread that has ended with `value`."""
    thread = GreenThread(get_hub(), lambda: value)
    thread.parent = getcurrent()
    thread.switch()
    return thread


def _as_tuple(*args: Any) -> Any:
    return args
