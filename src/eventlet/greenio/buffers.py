"""Buffered files that green threads may share, as OS threads share the ordinary ones.

The buffers of `io` have a lock each, held by an OS thread. While one green thread waits for the
raw file inside such a call, another one of the same OS thread would be refused with "reentrant
call inside". So each of these has a lock for green threads around the calls that may come to the
raw file: the others take their turns, first come, first served. A call out of a call of the same
green thread, as `close` flushes or as a signal handler makes it, goes straight through.
"""

import io
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from eventlet._core.fork import is_left_behind, lineage
from eventlet.lock import Lock

__all__ = ["BufferedPair", "BufferedRandom", "BufferedReader", "BufferedWriter", "buffer_for"]

_READS = ("peek", "read", "read1", "readinto", "readinto1", "readline")
_WRITES = ("write", "flush")
_POSITIONS = ("seek", "tell", "truncate")
_ENDS = ("close", "detach")

_ONE_ARGUMENT: dict[str, tuple[Any, ...]] = {
    "peek": (0,),
    "read": (-1,),
    "read1": (-1,),
    "readinto": (),
    "readinto1": (),
    "readline": (-1,),
    "truncate": (None,),
    "write": (),
}
"""The calls that take one argument, with what stands for it when it is left out."""


class _Turn:
    """Whose turn it is: that of the greenlet `holder`, nobody's while it is None.

    As a rule nobody waits. Then the turn is taken and given away by setting `holder`. The first
    who finds it taken makes a lock, which counts as held by the holder. While there is a lock,
    everybody takes the turn by taking the lock; who gives it away and sees nobody wait drops it.

    Other OS threads may be in here too. Test and change stand in one straight line of code (see
    `wait_queue`), so that who gives the turn away and who comes to wait cannot miss each other.
    """

    __slots__ = ("_lineage", "_waiting", "holder", "lock")

    def __init__(self) -> None:
        self.holder: Any = None
        self.lock: Lock | None = None
        self._waiting = 0
        self._lineage = 0

    def take(self, current: Any) -> bool:
        """Wait for the turn; False when the interpreter is ending, and nobody can give it."""
        spare, here = Lock(0), lineage()
        if self.lock is not None and self._lineage != here:
            self.lock, self._waiting = None, 0  # they were left behind by a fork
        if is_left_behind(self.holder):
            self.holder = None
            self.give()
        if self.lock is None:
            if self.holder is None:
                self.holder = current
                return True
            self.lock, self._lineage = spare, here
        lock = self.lock
        self._waiting += 1
        try:
            if not lock.acquire():
                return False
        finally:
            self._waiting -= 1
        self.holder = current
        return True

    def give(self) -> None:
        """Let the next one have it, by the lock; the caller has set `holder` to None."""
        if self._waiting and self.lock is not None:
            self.lock.release()
        else:
            self.lock = None


def _in_turn(base: Any, name: str) -> Callable[..., Any]:
    """Take a method of a buffer of `io` so that it is called by one green thread at a time."""
    call = getattr(base, name)

    # Twice the same: most calls take one argument, and collecting arguments costs a third more.
    def with_one_argument(self: Any, argument: Any, /) -> Any:
        turn = self._turn
        try:
            current = getcurrent()
        except RuntimeError:  # the interpreter is ending, and nobody else is there
            return call(self, argument)
        if turn.holder is None and turn.lock is None:
            turn.holder = current
        elif turn.holder is current or not turn.take(current):
            return call(self, argument)
        try:
            return call(self, argument)
        finally:
            turn.holder = None
            if turn.lock is not None:
                turn.give()

    def with_arguments(self: Any, *args: Any) -> Any:
        turn = self._turn
        try:
            current = getcurrent()
        except RuntimeError:
            return call(self, *args)
        if turn.holder is None and turn.lock is None:
            turn.holder = current
        elif turn.holder is current or not turn.take(current):
            return call(self, *args)
        try:
            return call(self, *args)
        finally:
            turn.holder = None
            if turn.lock is not None:
                turn.give()

    method: Callable[..., Any] = with_arguments
    if name in _ONE_ARGUMENT:
        with_one_argument.__defaults__ = _ONE_ARGUMENT[name]
        method = with_one_argument
    method.__name__ = name
    method.__qualname__ = f"{base.__name__}.{name}"
    method.__doc__ = call.__doc__
    return method


def _turns(base: Any, *names: str) -> dict[str, Any]:
    return {name: _in_turn(base, name) for name in names}


class _AsStandard:
    """Look like the standard buffer."""

    def __repr__(self) -> str:
        return f"<_io.{super().__repr__().removeprefix('<')}"


class BufferedReader(_AsStandard, io.BufferedReader):
    """An `io.BufferedReader` that green threads may share."""

    def __init__(self, raw: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._turn = _Turn()
        super().__init__(raw, buffer_size)

    vars().update(_turns(io.BufferedReader, *_READS, *_POSITIONS, *_ENDS))


class BufferedWriter(_AsStandard, io.BufferedWriter):
    """An `io.BufferedWriter` that green threads may share."""

    def __init__(self, raw: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._turn = _Turn()
        super().__init__(raw, buffer_size)

    vars().update(_turns(io.BufferedWriter, *_WRITES, *_POSITIONS, *_ENDS))


class BufferedRandom(_AsStandard, io.BufferedRandom):
    """An `io.BufferedRandom` that green threads may share."""

    def __init__(self, raw: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._turn = _Turn()
        super().__init__(raw, buffer_size)

    vars().update(_turns(io.BufferedRandom, *_READS, *_WRITES, *_POSITIONS, *_ENDS))


class BufferedPair(io.BufferedRWPair):
    """An `io.BufferedRWPair` that green threads may share: one may read and another write."""

    def __init__(self, reader: Any, writer: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._reader = BufferedReader(reader, buffer_size)
        self._writer = BufferedWriter(writer, buffer_size)
        super().__init__(reader, writer, 1)  # for what asks how it is; nothing goes through there

    def peek(self, size: int = 0, /) -> bytes:
        """Return bytes that come next, without taking them."""
        return self._reader.peek(size)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, or until the end."""
        return self._reader.read(size)

    def read1(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes, with one call of the raw file at most."""
        return self._reader.read1(size)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; return how many bytes came before the end."""
        return self._reader.readinto(buffer)

    def readinto1(self, buffer: Any, /) -> int:
        """Read into a buffer, with one call of the raw file at most."""
        return self._reader.readinto1(buffer)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, or `size` bytes of it."""
        return self._reader.readline(size)

    def write(self, buffer: Any, /) -> int:
        """Take bytes to be written; return how many."""
        return self._writer.write(buffer)

    def flush(self) -> None:
        """Write what was taken."""
        self._writer.flush()

    def close(self) -> None:
        """Close it for writing first; with the raw file, as a rule, nothing is left to read."""
        try:
            self._writer.close()
        finally:
            if self._writer.closed and not self._reader.closed:
                self._reader.close()


def buffer_for(raw: Any, size: int) -> Any:
    """Put the buffer on a raw file that its ways, reading, writing or both, call for."""
    if not raw.readable():
        return BufferedWriter(raw, size)
    if not raw.writable():
        return BufferedReader(raw, size)
    return BufferedPair(raw, raw, size)
