"""The green forms of `select`, `poll` and `epoll`: only the calling green thread parks.

Each look asks the kernel first, with a time-out of 0; only when nothing is ready does the
green thread park. What is ready is told all at once, as the plain calls do.
"""

import errno
import math
import os
import select as real
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from greenlet import getcurrent

from eventlet._core.current import existing_hub, get_hub
from eventlet._errors import MainloopBlocked
from eventlet._unpatched import real_epoll, real_poll
from eventlet.green import _ready

__all__ = ["error", "get_fileno", "select"]
if real_poll is not None:
    __all__ += ["poll"]
if real_epoll is not None:
    __all__ += ["epoll"]

error = OSError

_DEFAULT_EPOLL_MASK: int = getattr(real, "EPOLLIN", 1) | getattr(real, "EPOLLOUT", 4)
_DEFAULT_EPOLL_MASK |= getattr(real, "EPOLLPRI", 2)
_INT_MAX = 2**31 - 1
_USHRT_MAX = 2**16 - 1
_READABLE = _ready.POLLIN | _ready.POLLHUP | _ready.POLLERR
_WRITABLE = _ready.POLLOUT | _ready.POLLHUP | _ready.POLLERR


def get_fileno(obj: Any) -> int:
    """Return the descriptor number of a number or of an object with `fileno()`.

    Raises:
        TypeError: it is neither.
        ValueError: the number is negative.
    """
    fd = obj
    if not isinstance(obj, int):
        get = getattr(obj, "fileno", None)
        fd = obj if get is None else get()
    if not isinstance(fd, int):
        raise TypeError(f"Expected int or long, got {type(fd)}")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def select(
    read_list: Iterable[Any],
    write_list: Iterable[Any],
    error_list: Iterable[Any],
    timeout: float | None = None,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Park until a descriptor is ready; return which are, as the objects that were given.

    Args:
        read_list: descriptor numbers or objects with `fileno()` to read from.
        write_list: those to write to.
        error_list: those with an exceptional condition to wait for (urgent data).
        timeout: seconds; `None` waits for ever, 0 looks once.

    Raises:
        ValueError: `timeout` or a descriptor number is negative.
        OSError: a descriptor is not open.
        IOClosed: one of the numbers came to name another file while we waited.
        RuntimeError: called in the hub's own greenlet.
    """
    if getcurrent() is get_hub().greenlet:
        raise MainloopBlocked
    seconds = _seconds(timeout)
    readers, writers, others = _pairs(read_list), _pairs(write_list), _pairs(error_list)
    masks: dict[int, int] = {}
    for pairs, mask in ((readers, _ready.POLLIN), (writers, _ready.POLLOUT)):
        for fd, _ in pairs:
            masks[fd] = masks.get(fd, 0) | mask
    plain = not others
    for fd, _ in others:
        masks[fd] = masks.get(fd, 0) | _ready.POLLPRI
    deadline = _deadline(seconds)
    while True:
        events = _ready.poll_now(masks)
        found = (
            [each for fd, each in readers if events.get(fd, 0) & _READABLE],
            [each for fd, each in writers if events.get(fd, 0) & _WRITABLE],
            [each for fd, each in others if events.get(fd, 0) & _ready.POLLPRI],
        )
        if any(event & _ready.POLLNVAL for event in events.values()):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if any(found) or seconds == 0:
            _ready.spend_budget()
            return found
        left = _left(deadline)
        if left is not None and left <= 0:
            return found
        # What has an event nobody asked for would end the wait at once, again and again.
        waited_on = {fd: mask for fd, mask in masks.items() if fd not in events}
        (_ready.park_for_sides if plain else _ready.park_for_events)(waited_on, left)
        plain = False  # sides may be announced for more than was asked; look more closely now


def _pairs(given: Iterable[Any]) -> list[tuple[int, Any]]:
    return [(get_fileno(each), each) for each in given]


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    if not hasattr(type(timeout), "__float__") and not hasattr(type(timeout), "__index__"):
        raise TypeError(f"timeout must be a float or None, not {timeout!r}")
    seconds = float(timeout)
    if not seconds >= 0:
        raise ValueError(f"timeout must be non-negative, not {timeout!r}")
    return None if seconds == math.inf else seconds


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else get_hub().clock() + seconds


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - get_hub().clock()


class poll:  # noqa: N801 - the standard name
    """Green `select.poll`: the events of the descriptors registered with it."""

    def __init__(self) -> None:
        self._masks: dict[int, int] = {}
        self._is_polling = False

    def register(self, fd: Any, eventmask: int = real.POLLIN | real.POLLPRI | real.POLLOUT) -> None:
        """Watch a descriptor for the events of `eventmask`; again to change them."""
        self._masks[get_fileno(fd)] = _checked_mask(eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Change the events of a descriptor.

        Raises:
            FileNotFoundError: it is not registered.
        """
        number = get_fileno(fd)
        if number not in self._masks:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._masks[number] = _checked_mask(eventmask)

    def unregister(self, fd: Any) -> None:
        """Watch a descriptor no longer.

        Raises:
            KeyError: it is not registered.
        """
        del self._masks[get_fileno(fd)]

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """Park until something happens; return pairs (fd, events).

        Args:
            timeout: milliseconds; `None` or less than 0 waits for ever.

        Raises:
            RuntimeError: another green thread is in this call.
            OverflowError: `timeout` is more than an `int` of C.
        """
        if timeout is not None and timeout > _INT_MAX:
            raise OverflowError("timeout is too large")
        if self._is_polling:
            raise RuntimeError("concurrent poll() invocation")
        self._is_polling = True
        try:
            return self._poll(None if timeout is None or timeout < 0 else timeout / 1000)
        finally:
            self._is_polling = False

    def _poll(self, seconds: float | None) -> list[tuple[int, int]]:
        deadline = _deadline(seconds)
        while True:
            events = _ready.poll_now(self._masks)
            left = _left(deadline)
            if events or (left is not None and left <= 0):
                _ready.spend_budget()
                return list(events.items())
            _ready.park_for_events(dict(self._masks), left)


def _checked_mask(eventmask: int) -> int:
    if eventmask < 0:
        raise ValueError(f"event mask must be positive, not {eventmask!r}")
    if eventmask > _USHRT_MAX:
        raise OverflowError(f"event mask must fit in an unsigned short, not {eventmask!r}")
    return eventmask


class epoll:  # noqa: N801 - the standard name
    """Green `select.epoll`: a real one, on whose own descriptor the green thread parks."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        if real_epoll is None:
            raise NotImplementedError("this platform has no epoll")
        self._real: Any = real_epoll(sizehint, flags)

    @classmethod
    def fromfd(cls, fd: int) -> Self:
        """Make an object for an epoll descriptor that is open already."""
        if real_epoll is None:
            raise NotImplementedError("this platform has no epoll")
        green = cls.__new__(cls)
        green._real = real_epoll.fromfd(fd)
        return green

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return bool(self._real.closed)

    def close(self) -> None:
        """Close it; a green thread that waits for it gets EBADF."""
        if self.closed:
            return
        hub = existing_hub()
        waited_on = None if hub is None else hub.descriptors.get(self._real.fileno())
        if waited_on is not None:
            waited_on.close()
        self._real.close()

    def fileno(self) -> int:
        """Return the descriptor number of the epoll object itself."""
        return int(self._real.fileno())

    def register(self, fd: Any, eventmask: int = _DEFAULT_EPOLL_MASK) -> None:
        """Watch a descriptor; errors are those of the plain method."""
        self._real.register(fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Change the events of a descriptor."""
        self._real.modify(fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Watch a descriptor no longer."""
        self._real.unregister(fd)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Park until something happens; return pairs (fd, events).

        Args:
            timeout: seconds; `None` or less than 0 waits for ever.
            maxevents: how many pairs at most; -1 for no limit.
        """
        seconds = None if timeout is None or timeout < 0 else timeout
        deadline = _deadline(seconds)
        _ready.spend_budget()  # before: an interrupt must not take edges along
        while True:
            events: list[tuple[int, int]] = self._real.poll(0, maxevents)
            left = _left(deadline)
            if events or (left is not None and left <= 0):
                return events
            get_hub().wait_foreign(self.fileno(), read=True, timeout=left)

    def __enter__(self) -> Self:
        self._real.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
