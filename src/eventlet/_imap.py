"""The machinery of `GreenPool.imap`: a function over a source, results in order.

Theory of operation
-------------------
    source --producer--> jobs --workers--> places --consumer--> caller of next()

One green thread, the producer, pulls from the source, so a generator is never resumed from
two of them. Each item gets a *place* in the order of the results and is queued as a job. The
producer parks while size + 1 places are out, and goes on when the consumer takes one.

Starting a greenlet costs more than most jobs, so workers are parked and used again, and only
as many start as are needed. A start is announced (`starting`) until the worker runs; it then
starts two more if jobs are left. Jobs that park soon reach full width within a few passes;
jobs that never park are done by one or two workers, one after the other.

A worker is used again only if its job left nothing behind: no reference to the green thread,
weak or not (a `Timeout` still counting is one), no link, no attribute. Else it ends with the
job's outcome, as if it had been spawned for it. Each job has a copy of the context in which
`imap` was called, empty `corolocal` variables and a name of its own.

Consumers take the first place only. While one is `called`, that place is promised to it:
who comes now queues behind. Nobody in here refers to the iterator; when it is dropped the
producer is ended, parked workers end, running jobs finish and nothing new starts.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from sys import getrefcount
from typing import Any, Final, Generic, Self, TypeVar
from weakref import getweakrefcount

from greenlet import GreenletExit, getcurrent

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.thread import GreenThread, throw_into
from eventlet._core.wait_queue import SPENT, Ticket, WaitQueue, wake
from eventlet.corolocal import forget_locals

__all__ = ["OrderedResults", "ordered_results"]

R = TypeVar("R")

_TURNS: Final = 64
"""Jobs that a worker does in a row before it lets others run."""


class OrderedResults(Generic[R]):
    """Iterator over the results of `imap`, in the order of the input.

    An exception of the function is raised at its place and iteration may go on. One of the
    source is raised after the last result.
    """

    def __init__(self, line: "Line") -> None:
        self._line = line

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R:
        line = self._line
        del self  # the traceback of a killed consumer must not keep the iterator
        places = line.places
        # No call stands between the test and the popleft: other OS threads take too.
        place = (
            places.popleft()
            if places and places[0].is_done and not line.is_called
            else line.wait_for_place()
        )
        if line.producer_ticket is not None:
            line.make_room()
        if line.consumers.tickets:
            line.call_consumer()
        if place.exc is None:
            value: R = place.value
            return value
        try:
            raise place.exc
        finally:
            del place  # the traceback refers to this frame

    def next(self) -> R:
        """Return the next result: `__next__` by its old name."""
        return self.__next__()

    def __del__(self) -> None:
        self._line.abandon()


class Place:
    """An item's place in the results. `value` is its arguments first, then the result."""

    __slots__ = ("exc", "is_done", "value")

    def __init__(self, arguments: Iterable[Any]) -> None:
        self.is_done = False
        self.value: Any = arguments
        self.exc: BaseException | None = None


class Line:
    """One production line: a source, a function, and the green threads between them."""

    def __init__(
        self,
        hub: Hub,
        function: Callable[..., Any],
        source: Iterator[Iterable[Any]],
        size: int,
    ) -> None:
        self.hub = hub
        self.function = function
        self.size = size
        self.context = copy_context()
        self.producer: GreenThread | None = GreenThread(hub, self.produce, (source,), depth=5)
        self.producer.link(self._producer_ended)
        self.origin = self.producer._origin
        self.producer_ticket: Ticket | None = None
        self.places: deque[Place] = deque()
        self.jobs: deque[Place] = deque()
        self.consumers = WaitQueue()
        self.is_called = False
        self.is_exhausted = False
        self.is_abandoned = False
        self.error: BaseException | None = None
        self.workers = 0
        self.starting = 0
        self.unstarted: set[GreenThread] = set()
        self.resting: list[Ticket] = []

    # -- the producer --------------------------------------------------------------------

    def start(self) -> None:
        """Have the producer run when the caller yields."""
        if self.producer is not None:
            self.hub.start(self.producer)

    def _producer_ended(self, thread: GreenThread) -> None:
        if not self.is_exhausted:  # killed before it ran
            self.error = thread._exc
            self._end_of_source()

    def produce(self, source: Iterator[Iterable[Any]]) -> None:
        """Pull from `source` until it ends, never more than size + 1 ahead."""
        try:
            while not self.is_abandoned:
                if len(self.places) > self.size:
                    self._wait_for_room()
                    continue
                try:
                    place = Place(next(source))
                except StopIteration:
                    break
                self._add_job(place)
                del place
        except BaseException as exc:
            if not self.is_abandoned:
                self.error = _without_own_frame(exc)
            if not isinstance(exc, Exception):
                raise
        finally:
            del source  # this green thread read it, this one lets it go
            self._end_of_source()

    def _wait_for_room(self) -> None:
        ticket = self.producer_ticket = self.hub.ticket()
        if len(self.places) <= self.size or self.is_abandoned:
            wake(ticket)  # another OS thread took a place in between
        self.hub.park(ticket)

    def make_room(self) -> None:
        """Let the producer go on: a place was taken."""
        ticket, self.producer_ticket = self.producer_ticket, None
        if ticket is not None:
            wake(ticket)

    def _add_job(self, place: Place) -> None:
        if self.size == 0:
            raise ValueError("a GreenPool of size 0 has no place for a job; imap needs at least 1")
        self.places.append(place)
        self.jobs.append(place)
        if not self.starting:
            self._start_worker()

    def _end_of_source(self) -> None:
        self.is_exhausted = True
        self.producer = None
        self._dismiss_resting()
        self.call_consumer()

    # -- the workers ---------------------------------------------------------------------

    def _start_worker(self) -> bool:
        while self.resting:
            if wake(self.resting.pop(), True):
                self.starting += 1
                return True
        if self.workers >= self.size:
            return False
        self.workers += 1
        self.starting += 1
        thread = GreenThread(self.hub, self._work)
        thread._origin = self.origin
        thread.link(self._worker_ended)
        self.unstarted.add(thread)
        self.hub.start(thread)
        return True

    def _worker_runs(self) -> None:
        self.starting -= 1
        for _ in range(min(2, len(self.jobs) - 1 - self.starting)):
            if not self._start_worker():
                break

    def _worker_ended(self, thread: GreenThread) -> None:
        self.workers -= 1
        if thread in self.unstarted:  # killed before it ran
            self.unstarted.discard(thread)
            self.starting -= 1
        if self.jobs and not self.starting:
            self._start_worker()

    def _work(self) -> Any:
        """Do jobs until there are no more, or until one left something behind."""
        thread: Any = getcurrent()
        self.unstarted.discard(thread)
        references = getrefcount(thread)
        weak_references = getweakrefcount(thread)
        self._worker_runs()
        turns = _TURNS
        while True:
            if not self.jobs:
                if not self._rest():
                    return None
                continue
            place = self.jobs.popleft()
            failure = self._do(place)
            forget_locals(thread)
            if (
                getrefcount(thread) > references
                or getweakrefcount(thread) > weak_references
                or len(thread._links) > 1
                or thread._scope is not None  # a cancel scope that the job did not leave
                or self.hub.forked_thread is thread
                or thread.__dict__
            ):
                if failure is not None:
                    raise failure
                return place.value
            if failure is not None:
                self.hub.report(thread, failure)
            del place, failure
            thread.renumber()
            turns -= 1
            if not turns:
                turns = _TURNS
                self.hub.yield_()

    def _do(self, place: Place) -> Exception | None:
        """Run one job, settle its place, return what it raised."""
        failure: Exception | None = None
        try:
            place.value = self.context.copy().run(self.function, *place.value)
        except StopIteration as exc:
            # Raised by `__next__` it would mean the end of the results.
            failure = RuntimeError(f"the function given to imap raised {exc!r}")
            failure.__cause__ = _without_own_frame(exc)
        except Exception as exc:
            failure = _without_own_frame(exc)
        except BaseException as exc:
            self._settle(place, _without_own_frame(exc))
            raise
        self._settle(place, failure)
        return failure

    def _settle(self, place: Place, exc: BaseException | None) -> None:
        place.exc = exc
        place.is_done = True
        if self.places and self.places[0] is place:
            self.call_consumer()

    def _rest(self) -> bool:
        """Park until there is a job.

        Returns:
            False when there will be none.
        """
        if self.is_exhausted or self.is_abandoned:
            return False
        ticket = self.hub.ticket()
        self.resting.append(ticket)
        try:
            is_wanted: bool = self.hub.park(ticket)
        except BaseException:
            if ticket.was_woken and ticket.value:
                self.starting -= 1
            raise
        if is_wanted:
            self._worker_runs()
        return is_wanted

    def _dismiss_resting(self) -> None:
        while self.resting:
            wake(self.resting.pop(), False)

    # -- the consumers -------------------------------------------------------------------

    def wait_for_place(self) -> Place:
        """Wait until the first place is done and ours; take it.

        Raises:
            StopIteration: there are no more.
            BaseException: what the source raised, once.
        """
        if not self._claim():
            self._wait_for_turn()
        place = self.places.popleft() if self.places else None
        self.is_called = False
        if place is not None:
            return place
        self.call_consumer()
        error, self.error = self.error, None
        if error is None:
            raise StopIteration
        try:
            raise error
        finally:
            del error  # the traceback refers to this frame

    def _claim(self) -> bool:
        if self.is_called:
            return False
        self.is_called = True
        if self._is_ready():
            return True
        self.is_called = False
        return False

    def _wait_for_turn(self) -> None:
        hub = get_hub()
        ticket = hub.ticket()
        self.consumers.append(ticket)
        try:
            self.call_consumer()  # settled by another OS thread in between
            hub.park(ticket)
        except BaseException:
            ticket.state |= SPENT  # also when a signal handler raised before the park
            if ticket.was_woken:
                self.is_called = False
                self.call_consumer()
            else:
                self.consumers.discard(ticket)
            raise

    def _is_ready(self) -> bool:
        return self.places[0].is_done if self.places else self.is_exhausted

    def call_consumer(self) -> None:
        """Wake the first consumer if there is something for it; it is promised the place."""
        while not self.is_called and self.consumers and self._is_ready():
            self.is_called = True
            if self.consumers.wake_first() is None:
                self.is_called = False

    # -- the end ---------------------------------------------------------------------------

    def abandon(self) -> None:
        """End the line: nobody will take results any more. Callable from anywhere."""
        self.is_abandoned = True
        self.jobs.clear()
        self.places.clear()
        self.error = None
        if not self.is_exhausted:
            self.hub.call_soon(self._stop)

    def _stop(self) -> None:
        self._dismiss_resting()
        if self.producer is not None:
            throw_into(self.producer, GreenletExit())


def ordered_results(
    function: Callable[..., R], source: Iterable[Iterable[Any]], size: int
) -> OrderedResults[R]:
    """Apply `function` to the items of `source`, up to `size` at the same time.

    To be called by the method that the user calls: its caller counts as the spawner.

    Args:
        function: what to call.
        source: the arguments of each call.
        size: how many calls may run at the same time.

    Raises:
        TypeError: `source` is not iterable.
    """
    hub = get_hub()
    line = Line(hub, function, iter(source), size)
    line.start()
    return OrderedResults(line)


def _without_own_frame(exc: Any) -> Any:
    """Take our frame off a traceback: it would keep the job, and it helps nobody."""
    trace = exc.__traceback__
    return exc.with_traceback(None if trace is None else trace.tb_next)
