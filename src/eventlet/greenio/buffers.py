"""Buffered files that green threads may share, as OS threads share the ordinary ones.

The buffers of `io` have a lock each, held by an OS thread. While one green thread waits for the
raw file inside such a call, another one of the same OS thread would be refused with "reentrant
call inside". So each of these has a lock for green threads around the calls that may come to the
raw file: the others take their turns, first come, first served. A call out of a call of the same
green thread, as `close` flushes or as a signal handler makes it, goes straight through.
"""

import io
import os
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent

from eventlet.lock import Lock

__all__ = ["BufferedPair", "BufferedRandom", "BufferedReader", "BufferedWriter", "buffer_for"]

_READS = ("peek", "read", "read1", "readinto", "readinto1", "readline")
_WRITES = ("write", "flush")
_POSITIONS = ("seek", "tell", "truncate")
_ENDS = ("close", "detach")


class _Turn:
    """Whose turn it is: a lock, and the greenlet that has it."""

    __slots__ = ("holder", "lock", "process")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Be nobody's turn."""
        self.lock = Lock()
        self.holder: Any = None
        self.process = os.getpid()

    def take(self, current: Any) -> bool:
        """Wait for the turn; False when the interpreter is ending, and nobody can give it."""
        lock = self.lock
        if not lock.acquire(blocking=False):
            if self.process != os.getpid():  # who has it was left behind by a fork
                self.renew()
                lock = self.lock
            if not lock.acquire():
                return False
        self.holder = current
        return True

    def give(self) -> None:
        """Let the next one have it."""
        self.holder = None
        self.lock.release()


def _in_turn(base: Any, name: str, slot: str) -> Callable[..., Any]:
    """Take a method of a buffer of `io` so that it is called by one green thread at a time."""
    call = getattr(base, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        turn = getattr(self, slot)
        try:
            current = getcurrent()
        except RuntimeError:  # the interpreter is ending, and nobody else is there
            return call(self, *args, **kwargs)
        if turn.holder is current or not turn.take(current):
            return call(self, *args, **kwargs)
        try:
            return call(self, *args, **kwargs)
        finally:
            turn.give()

    method.__name__ = name
    method.__qualname__ = f"{base.__name__}.{name}"
    method.__doc__ = call.__doc__
    return method


def _turns(base: Any, names: tuple[str, ...], slot: str = "_turn") -> dict[str, Any]:
    return {name: _in_turn(base, name, slot) for name in names if hasattr(base, name)}


class _AsStandard:
    """Look like the standard buffer."""

    def __repr__(self) -> str:
        return f"<_io.{super().__repr__().removeprefix('<')}"


class BufferedReader(_AsStandard, io.BufferedReader):
    """An `io.BufferedReader` that green threads may share."""

    def __init__(self, raw: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._turn = _Turn()
        super().__init__(raw, buffer_size)

    vars().update(_turns(io.BufferedReader, (*_READS, "flush", *_POSITIONS, *_ENDS)))


class BufferedWriter(_AsStandard, io.BufferedWriter):
    """An `io.BufferedWriter` that green threads may share."""

    def __init__(self, raw: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._turn = _Turn()
        super().__init__(raw, buffer_size)

    vars().update(_turns(io.BufferedWriter, (*_WRITES, *_POSITIONS, *_ENDS)))


class BufferedRandom(_AsStandard, io.BufferedRandom):
    """An `io.BufferedRandom` that green threads may share."""

    def __init__(self, raw: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._turn = _Turn()
        super().__init__(raw, buffer_size)

    vars().update(_turns(io.BufferedRandom, (*_READS, *_WRITES, *_POSITIONS, *_ENDS)))


class _ReadByTurns(io.BufferedRWPair):
    _reading: _Turn

    vars().update(_turns(io.BufferedRWPair, (*_READS, "close"), "_reading"))


class BufferedPair(_ReadByTurns):
    """An `io.BufferedRWPair` that green threads may share: one may read and another write."""

    def __init__(self, reader: Any, writer: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE) -> None:
        self._reading = _Turn()
        self._writing = _Turn()
        super().__init__(reader, writer, buffer_size)

    vars().update(_turns(_ReadByTurns, (*_WRITES, "close"), "_writing"))


def buffer_for(raw: Any, size: int) -> Any:
    """Put the buffer on a raw file that its ways, reading, writing or both, call for."""
    if not raw.readable():
        return BufferedWriter(raw, size)
    if not raw.writable():
        return BufferedReader(raw, size)
    return BufferedPair(raw, raw, size)
