"""Answers that are kept for as long as their servers allow, and not without bounds."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from eventlet._unpatched import Mutex, monotonic

__all__ = ["Cache"]

V = TypeVar("V")


class Cache(Generic[V]):
    """The most recently used answers. Safe to share between OS threads.

    Args:
        limit: how many are kept; the one not used for longest goes first.
        longest: seconds that any is kept, whatever its server says.
        clock: tells the moment, in seconds.
    """

    def __init__(
        self, limit: int = 2000, longest: float = 3600.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self.limit = limit
        self.longest = longest
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._lock = Mutex()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> V | None:
        """Return what is kept under this key; None when nothing is, or no longer."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            until, value = entry
            if self._clock() >= until:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return value

    def put(self, key: Hashable, value: V, ttl: float) -> None:
        """Keep a value for `ttl` seconds; not at all when that is 0."""
        if ttl <= 0:
            return
        with self._lock:
            self._entries[key] = (self._clock() + min(ttl, self.longest), value)
            self._entries.move_to_end(key)
            while len(self._entries) > self.limit:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()
