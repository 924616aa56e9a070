"""Green threads that wait for each other's results: a graph without cycles, by keys.

Theory of operation
-------------------
A key has a *value*, or an *owner* that is at work on it, or neither: then somebody may
still post it or spawn it. Whoever wants several keys holds an `_Arrivals`: the keys that
are still missing, and those that came and were not taken yet, in the order of their coming.
Posting moves the key over in all of them and wakes who parks there. Nothing is handed over
with the wake-up: what came stays until it is taken, so an interrupt loses nothing.

`_Arrivals` belongs to the pool, which must find it; `_Results` is what a caller holds. When
the caller drops it, the pool forgets the other, at the next chance: `__del__` may run in the
middle of anything.

An owner that was killed is no owner any more, whatever it still does: its key is free for
the next, and what it returns has no place.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Self

from greenlet import GreenletExit, getcurrent

from eventlet._core.current import get_hub
from eventlet._core.thread import GreenThread, kill
from eventlet._core.wait_queue import SPENT, WaitQueue
from eventlet._unpatched import Mutex

__all__ = ["Collision", "DAGPool", "PropagateError"]

_NOT_GIVEN: Final[Any] = object()

Keys = Iterable[Hashable]
Items = Mapping[Any, Any] | Iterable[tuple[Hashable, Any]]


class Collision(Exception):
    """A key has a value, or a green thread that will give it one, already."""


class PropagateError(Exception):
    """The function for a key failed; raised wherever its value is asked for.

    Functions that depend on it and let it through fail in turn, so `exc` may be another
    PropagateError, nearer to the origin.

    Attributes:
        key: whose function failed.
        exc: what it raised.
        msg: the text.
    """

    def __init__(self, key: Any, exc: BaseException) -> None:
        super().__init__(key, exc)
        self.key = key
        self.exc = exc
        self.msg = f"PropagateError({key}): {type(exc).__name__}: {exc}"
        self.__cause__ = exc

    def __str__(self) -> str:
        return self.msg


class DAGPool:
    """Green threads by key, each started with the results it depends on.

    Args:
        preload: values to begin with, as a mapping or as pairs; copied.
    """

    def __init__(self, preload: Items = MappingProxyType({})) -> None:
        self._values: dict[Any, Any] = dict(preload)
        self._owners: dict[Any, _Owner] = {}
        self._awaited: dict[Any, dict[_Arrivals, None]] = {}
        self._dropped: deque[_Arrivals] = deque()
        self._mutex = Mutex()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} at {id(self):#x}: {len(self._values)} values, "
            f"{self.running()} running, {self.waiting()} waiting>"
        )

    # -- starting and ending ---------------------------------------------------------------

    def spawn(
        self, key: Hashable, depends: Keys, function: Callable[..., Any], *args: Any, **kwds: Any
    ) -> None:
        """Start `function(key, results, *args, **kwds)`, which makes the value of `key`.

        `results` is an iterator over pairs (key, value) for the keys in `depends`: first
        those that are there, then the others as they come. A failed one is raised there as
        a PropagateError.

        What the function returns becomes the value, unless it posted one for `key` itself.
        What it raises becomes a PropagateError, and is raised to all who want the value.

        Raises:
            Collision: `key` has a value or is being worked on.
        """
        self._start({key: depends}, function, args, kwds)

    def spawn_many(
        self, depends: Mapping[Any, Keys], function: Callable[..., Any], *args: Any, **kwds: Any
    ) -> None:
        """Spawn `function` for each key of `depends` with the keys that it depends on.

        Raises:
            Collision: one of them has a value or is being worked on; none was started.
        """
        self._start(depends, function, args, kwds)

    def _start(
        self,
        graph: Mapping[Any, Keys],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwds: dict[str, Any],
    ) -> None:
        hub = get_hub()
        wanted = {key: dict.fromkeys(keys) for key, keys in graph.items()}
        with self._mutex:
            for key in wanted:
                if key in self._values or key in self._owners:
                    raise Collision(key)
            for key, keys in wanted.items():
                results = _Results(self, keys)
                owner = _Owner(results.arrivals)
                work = (owner, function, key, results, args, kwds)
                owner.thread = thread = GreenThread(hub, self._run, work, depth=4)
                self._owners[key] = owner
                thread.link(self._dismiss, key, owner)
                hub.start(thread)

    def _run(
        self,
        owner: "_Owner",
        function: Callable[..., Any],
        key: Any,
        results: "_Results",
        args: tuple[Any, ...],
        kwds: dict[str, Any],
    ) -> None:
        try:
            value = function(key, results, *args, **kwds)
        except (GreenletExit, KeyboardInterrupt, SystemExit):
            raise  # it was told to stop: the key is free again
        except BaseException as exc:  # a Timeout too; else all who want the value wait for ever
            if not self._settle(key, owner, PropagateError(key, exc)):
                raise  # there is no place for it, so it is reported
        else:
            self._settle(key, owner, value)

    def _settle(self, key: Any, owner: "_Owner", value: Any) -> bool:
        with self._mutex:
            if self._owners.get(key) is not owner or key in self._values:
                return False
            del self._owners[key]
            self._store(key, value)
            return True

    def _dismiss(self, _thread: GreenThread, key: Any, owner: "_Owner") -> None:
        with self._mutex:
            if self._owners.get(key) is owner:
                del self._owners[key]

    def post(self, key: Hashable, value: Any, replace: bool = False) -> None:
        """Give `key` a value. A green thread may do so for its own key, and go on.

        Args:
            key: any key, except one that another green thread is at work on.
            value: anything; a PropagateError is raised to those who want it.
            replace: allow that there is a value. Who has taken it already keeps the old.

        Raises:
            Collision: another green thread is at work on `key`, or it has a value.
        """
        with self._mutex:
            owner = self._owners.get(key)
            if owner is not None and owner.thread is not getcurrent():
                raise Collision(key)
            if key in self._values and not replace:
                raise Collision(key)
            self._store(key, value)

    def _store(self, key: Any, value: Any) -> None:
        self._values[key] = value
        for arrivals in self._awaited.pop(key, ()):
            arrivals.come(key)

    def kill(self, key: Hashable) -> None:
        """Kill the green thread that is at work on `key`, which is free for another then.

        Raises:
            KeyError: there is none.
        """
        with self._mutex:
            owner = self._owners.pop(key)
        kill(owner.thread)

    # -- waiting -----------------------------------------------------------------------------

    def wait(self, keys: Keys = _NOT_GIVEN) -> dict[Any, Any]:
        """Wait for the values of `keys`; without, for all that are known now.

        Returns:
            Key -> value.

        Raises:
            PropagateError: one of them failed; the first that did.
        """
        return dict(self.wait_each(keys))

    def waitall(self) -> dict[Any, Any]:
        """Wait for all keys that have a value or are being worked on now; see `wait`."""
        return self.wait()

    def wait_each(self, keys: Keys = _NOT_GIVEN) -> Iterator[tuple[Any, Any]]:
        """Return an iterator over pairs (key, value), each as soon as it is there.

        The iterator raises PropagateError in the place of a failed one, and goes on behind
        it when asked again.

        Args:
            keys: what to wait for; without, all that is known now.
        """
        return _Results(self, self._wanted(keys))

    def wait_each_success(self, keys: Keys = _NOT_GIVEN) -> Iterator[tuple[Any, Any]]:
        """Like `wait_each`, without those that failed."""
        return _Successes(self, self._wanted(keys))

    def wait_each_exception(self, keys: Keys = _NOT_GIVEN) -> Iterator[tuple[Any, Any]]:
        """Like `wait_each`, but only those that failed; the values are the PropagateErrors."""
        return _Failures(self, self._wanted(keys))

    def _wanted(self, keys: Keys) -> dict[Any, None]:
        if keys is not _NOT_GIVEN:
            return dict.fromkeys(keys)
        with self._mutex:
            return dict.fromkeys([*self._values, *self._owners])

    def _register(self, arrivals: "_Arrivals", keys: Keys) -> None:
        with self._mutex:
            while self._dropped:
                self._forget(self._dropped.popleft())
            for key in keys:
                if key in self._values:
                    arrivals.ready.append(key)
                else:
                    arrivals.missing[key] = None
                    self._awaited.setdefault(key, {})[arrivals] = None

    def _forget(self, arrivals: "_Arrivals") -> None:
        for key in arrivals.missing:
            others = self._awaited[key]
            others.pop(arrivals, None)
            if not others:
                del self._awaited[key]

    # -- looking -----------------------------------------------------------------------------

    def __getitem__(self, key: Hashable) -> Any:
        """Wait for the value of `key` and return it.

        Raises:
            PropagateError: its function failed.
        """
        return next(_Results(self, [key]))[1]

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the value of `key`, or `default` when there is none yet. Never waits.

        Raises:
            PropagateError: its function failed.
        """
        return _value_or_raise(self._values.get(key, default))

    def keys(self) -> tuple[Any, ...]:
        """Return the keys that have a value, in the order they got it."""
        return tuple(self._values)

    def items(self) -> tuple[tuple[Any, Any], ...]:
        """Return the pairs (key, value) that are there, in the order they came.

        Raises:
            PropagateError: one of them failed.
        """
        return tuple((key, _value_or_raise(value)) for key, value in self._values.copy().items())

    def running(self) -> int:
        """Return how many green threads are at work, those that wait for others included."""
        return len(self._owners)

    def running_keys(self) -> tuple[Any, ...]:
        """Return the keys that are being worked on."""
        return tuple(self._owners)

    def waiting(self) -> int:
        """Return how many green threads depend on keys that have no value yet."""
        return len(self.waiting_for())

    def waiting_for(self, key: Hashable = _NOT_GIVEN) -> Any:
        """Tell what is missing.

        Args:
            key: whose green thread is meant.

        Returns:
            The set of keys that the work on `key` depends on and that have no value yet;
            empty if `key` has one. Without `key`, such sets by key, of those that have
            something missing.

        Raises:
            KeyError: `key` has no value and is not being worked on.
        """
        with self._mutex:
            if key is _NOT_GIVEN:
                return {
                    each: set(owner.arrivals.missing)
                    for each, owner in self._owners.items()
                    if owner.arrivals.missing
                }
            if key in self._owners:
                return set(self._owners[key].arrivals.missing)
            if key in self._values:
                return set()
        raise KeyError(key)


class _Arrivals:
    """The keys somebody wants: missing, and ready to be taken."""

    __slots__ = ("missing", "parked", "ready")

    def __init__(self) -> None:
        self.missing: dict[Any, None] = {}
        self.ready: deque[Any] = deque()
        self.parked = WaitQueue()

    def come(self, key: Any) -> None:
        """Note that `key` has a value now."""
        self.missing.pop(key, None)
        self.ready.append(key)
        self.parked.wake_all()


class _Owner:
    """Who is at work on a key, and what it depends on."""

    __slots__ = ("arrivals", "thread")

    thread: GreenThread

    def __init__(self, arrivals: _Arrivals) -> None:
        self.arrivals = arrivals


class _Results:
    """An iterator over pairs (key, value) in the order they come; usable after an interrupt."""

    def __init__(self, pool: DAGPool, keys: Keys) -> None:
        self.arrivals = _Arrivals()
        self._pool = pool
        pool._register(self.arrivals, keys)

    def __del__(self) -> None:
        self._pool._dropped.append(self.arrivals)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, Any]:
        key, value = self._take()
        return key, _value_or_raise(value)

    def _take(self) -> tuple[Any, Any]:
        arrivals, mutex = self.arrivals, self._pool._mutex
        while True:
            with mutex:
                if arrivals.ready:
                    key = arrivals.ready.popleft()
                    return key, self._pool._values[key]
                if not arrivals.missing:
                    raise StopIteration
                hub = get_hub()
                ticket = hub.ticket()
                arrivals.parked.append(ticket)
            try:
                hub.park(ticket)
            except BaseException:
                arrivals.parked.discard(ticket)
                ticket.state |= SPENT  # also when a signal handler raised before the park
                raise


class _Successes(_Results):
    """`_Results` without the failed."""

    def __next__(self) -> tuple[Any, Any]:
        while True:
            key, value = self._take()
            if not isinstance(value, PropagateError):
                return key, value


class _Failures(_Results):
    """`_Results` of the failed only."""

    def __next__(self) -> tuple[Any, Any]:
        while True:
            key, value = self._take()
            if isinstance(value, PropagateError):
                return key, value


def _value_or_raise(value: Any) -> Any:
    if isinstance(value, PropagateError):
        # Without the traceback of those who asked before: it would grow each time.
        raise value.with_traceback(None)
    return value
