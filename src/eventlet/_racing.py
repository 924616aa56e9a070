"""Connecting to the first of several addresses that answers: RFC 8305, "Happy Eyeballs".

The addresses are tried in the order given, with the families taking turns. The next attempt
begins when the one before has failed, or has not succeeded for 250 ms; the others go on
meanwhile. The first connection wins; attempts under way are ended and their sockets closed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Final, Generic, TypeVar

from greenlet import GreenletExit

from eventlet._core.thread import GreenThread, throw_soon
from eventlet._settings import HAPPY_EYEBALLS
from eventlet.greenthread import spawn
from eventlet.queue import Empty, Queue

__all__ = ["ATTEMPT_DELAY", "AllFailed", "connect_to_any", "interleave", "race"]

ATTEMPT_DELAY: Final = 0.25
"""Seconds until the next attempt begins. Source: RFC 8305, section 8."""

T = TypeVar("T")
S = TypeVar("S")


class AllFailed(Exception):
    """No attempt succeeded.

    Attributes:
        failures: what each raised, in the order in which the attempts began.
    """

    def __init__(self, failures: list[OSError]) -> None:
        super().__init__(f"{len(failures)} attempts failed")
        self.failures = failures


def connect_to_any(
    targets: Sequence[T],
    family_of: Callable[[T], int],
    connect: Callable[[T], S],
    close: Callable[[S], object],
    happy_eyeballs: bool | None = None,
) -> S:
    """Connect to one of several addresses.

    Args:
        targets: the addresses, the preferred one first; at least one.
        family_of: tells the address family of one.
        connect: makes one attempt; see `race`.
        close: takes a connection back that came too late.
        happy_eyeballs: whether attempts overlap, or each waits for the end of the one before;
            None for what EVENTLET_HAPPY_EYEBALLS says.

    Raises:
        AllFailed: no attempt succeeded.
    """
    if len(targets) > 1 and (HAPPY_EYEBALLS.read() if happy_eyeballs is None else happy_eyeballs):
        return race(interleave(targets, family_of), connect, close)
    failures: list[OSError] = []
    for target in targets:
        try:
            return connect(target)
        except OSError as exc:
            failures.append(exc)
    raise AllFailed(failures)


def interleave(targets: Iterable[T], family_of: Callable[[T], int]) -> list[T]:
    """Let the address families take turns, beginning with that of the first target.

    Source: RFC 8305, section 4.
    """
    by_family: dict[int, list[T]] = {}
    for target in targets:
        by_family.setdefault(family_of(target), []).append(target)
    gap = object()
    turns = chain.from_iterable(zip_longest(*by_family.values(), fillvalue=gap))
    return [target for target in turns if target is not gap]  # type: ignore[misc]  # no gaps left


def race(
    targets: Sequence[T],
    connect: Callable[[T], S],
    close: Callable[[S], object],
    delay: float = ATTEMPT_DELAY,
) -> S:
    """Return the connection of the first attempt that succeeds.

    Args:
        targets: what to connect to, the preferred one first; at least one.
        connect: makes one attempt. It may park; interrupted, it closes what it opened.
        close: takes a connection back that came too late.
        delay: seconds after which the next attempt begins beside those before.

    Raises:
        AllFailed: none did; each raised an `OSError`.
        BaseException: what else an attempt raised, which ends the race.
    """
    runners = _Runners(connect, close)
    try:
        return runners.run(targets, delay)
    finally:
        runners.stop()


class _Runners(Generic[T, S]):
    """The attempts of one race; each runs in a green thread."""

    def __init__(self, connect: Callable[[T], S], close: Callable[[S], object]) -> None:
        self._connect = connect
        self._close = close
        self._ends: Queue[tuple[int, S | None, BaseException | None]] = Queue()
        self._threads: dict[int, GreenThread] = {}
        self._is_over = False

    def run(self, targets: Sequence[T], delay: float) -> S:
        """Start attempts one by one until one has succeeded or all have failed."""
        waiting = deque(enumerate(targets))
        failures: dict[int, OSError] = {}
        while waiting or self._threads:
            if waiting:
                place, target = waiting.popleft()
                self._threads[place] = spawn(self._attempt, place, target)
            try:
                place, connection, failure = self._ends.get(timeout=delay if waiting else None)
            except Empty:
                continue
            del self._threads[place]
            if failure is None:
                self._is_over = True
                return connection  # type: ignore[return-value]  # there is one without failure
            if not isinstance(failure, OSError):
                raise failure
            failures[place] = failure
        raise AllFailed([failures[place] for place in sorted(failures)])

    def _attempt(self, place: int, target: T) -> None:
        try:
            connection = self._connect(target)
        except BaseException as exc:  # a Timeout too: the caller would wait for ever
            self._ends.put((place, None, exc))
            return
        if self._is_over:
            self._close(connection)
        else:
            self._ends.put((place, connection, None))

    def stop(self) -> None:
        """End the attempts that still run, and give back what has come too late."""
        self._is_over = True
        for thread in self._threads.values():
            throw_soon(thread, GreenletExit())
        while True:
            try:
                _place, connection, _failure = self._ends.get_nowait()
            except Empty:
                return
            if connection is not None:
                self._close(connection)
