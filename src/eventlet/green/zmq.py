"""Green `zmq`: 0MQ sockets whose calls park only the calling green thread.

Theory of operation
-------------------
0MQ does its I/O in threads of its own, which leave notes in a socket's mailbox. The
descriptor of a socket (`FD`) is readable while there are notes; what they say is known only
after any call on the socket has read them, and then the descriptor is silent again. So the
state is in the option EVENTS, and the descriptor says when to look at it.

A call is made without waiting. After EAGAIN the caller reads EVENTS, which takes all notes,
and parks on the descriptor if that brought nothing. Any call takes notes that may concern
*others* who wait: so each is followed by a look at EVENTS if anybody waits, and who has what
he waits for is woken. While nobody waits nobody listens, and notes may lie there at no cost.

One green thread at a time sends, and one receives: a line, first come, first served, for each
direction. It keeps the parts of a message together.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

import zmq as _plain
from greenlet import getcurrent

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.poller import READ, WRITE
from eventlet._core.wait_queue import SPENT, Ticket, wake
from eventlet._core.waiting import may_park_here
from eventlet._errors import DescriptorClosed
from eventlet._thread_pool import ThreadPool
from eventlet._unpatched import monotonic
from eventlet.semaphore import Semaphore

if TYPE_CHECKING:
    from zmq import *

    def __getattr__(name: str) -> Any: ...
else:
    for _name, _value in vars(_plain).items():
        if not _name.startswith("__") or _name in _plain.__all__:
            globals()[_name] = _value
    del _name, _value

__all__ = ["Context", "LockReleaseError", "Poller", "Socket", "select", "zmq_poll"]
__all__ += [name for name in _plain.__all__ if name not in __all__]

_RECEIVE, _SEND = int(_plain.POLLIN), int(_plain.POLLOUT)
_TIME_LIMITS = {_RECEIVE: _plain.RCVTIMEO, _SEND: _plain.SNDTIMEO}
_ANY = -1  # a mask that every waiter's mask meets

_CLAIMED_PAUSE = 0.01
"""Seconds between tries where EVENTS says ready and the call does not agree.

A ROUTER with ROUTER_MANDATORY can always be written to, it says, also when the one peer that
a message is for takes no more.
"""

_enders = ThreadPool(limit=64)
"""OS threads in which contexts end; they may have to wait for ever, so they are not tpool's."""


class LockReleaseError(Exception):
    """A lock was released that nobody holds."""


class _QueueLock:
    """A lock for green threads: re-entrant; who waits gets it in the order of arrival."""

    def __init__(self) -> None:
        self._turn = Semaphore(1)
        self._owner: Any = None
        self._depth = 0

    def __bool__(self) -> bool:
        return self._depth > 0

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take the lock, or take it once more; False when it cannot be had (in time)."""
        me = getcurrent()
        if self._owner is not me:
            if not self._turn.acquire(blocking, timeout):
                return False
            self._owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        """Give the lock back, to the next in line if there is one.

        Raises:
            LockReleaseError: nobody holds it.
        """
        if not self._depth:
            raise LockReleaseError("this lock is released already")
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._turn.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()


class _Waiting:
    """Who waits for what on one socket, and who may use it."""

    __slots__ = ("locks", "sending", "tickets")

    def __init__(self) -> None:
        self.tickets: dict[Ticket, int] = {}
        self.locks = {_RECEIVE: _QueueLock(), _SEND: _QueueLock()}
        self.sending = False  # a message of several parts has begun


class Socket(_plain.Socket):  # type: ignore[misc]  # pyzmq is not there when types are checked
    """A 0MQ socket for green threads of one hub.

    With NOBLOCK, or a time limit (RCVTIMEO, SNDTIMEO) that is over, it raises `zmq.Again`;
    in the latter case with an attribute `is_timeout`, which is True.
    """

    _waiting: _Waiting | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting = _Waiting()

    # -- calls that wait -------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0, *args: Any, **kwargs: Any) -> Any:
        """Send one part of a message; the arguments are those of `zmq.Socket.send`."""
        call = super().send
        return self._transfer(_SEND, flags, lambda how: call(data, how, *args, **kwargs))

    def recv(self, flags: int = 0, *args: Any, **kwargs: Any) -> Any:
        """Receive one part of a message; the arguments are those of `zmq.Socket.recv`."""
        call = super().recv
        return self._transfer(_RECEIVE, flags, lambda how: call(how, *args, **kwargs))

    def recv_into(self, buffer: Any, /, *, nbytes: int = 0, flags: int = 0) -> int:
        """Receive one part into a buffer; return its length (pyzmq 27 and later)."""
        call = super().recv_into
        return int(
            self._transfer(_RECEIVE, flags, lambda how: call(buffer, nbytes=nbytes, flags=how))
        )

    def send_multipart(self, msg_parts: Any, flags: int = 0, *args: Any, **kwargs: Any) -> Any:
        """Send a message of several parts; nobody's part comes between."""
        call = super().send_multipart
        with self._turn(_SEND, flags):
            return call(msg_parts, flags, *args, **kwargs)

    def recv_multipart(self, flags: int = 0, *args: Any, **kwargs: Any) -> Any:
        """Receive all parts of one message, as a list."""
        call = super().recv_multipart
        with self._turn(_RECEIVE, flags):
            return call(flags, *args, **kwargs)

    def _turn(self, side: int, flags: int) -> "_Turn":
        waiting = self._waiting
        if waiting is None or flags & _plain.NOBLOCK:
            return _Turn(self, side, None)
        return _Turn(self, side, waiting.locks[side])

    def _transfer(self, side: int, flags: int, call: Callable[[int], Any]) -> Any:
        """Make a call, without waiting in it, until it has something to say."""
        waiting = self._waiting
        if waiting is None or flags & _plain.NOBLOCK:
            return self._attempt(call, flags)
        with self._turn(side, flags) as turn:
            self._yield_in_turn(side)
            result = self._until_done(side, turn, call, flags | _plain.NOBLOCK)
            if side == _SEND:
                waiting.sending = bool(flags & _plain.SNDMORE)
            return result

    def _yield_in_turn(self, side: int) -> None:
        """Let others run after many calls that did not park, but not within a message."""
        hub = get_hub()
        hub.budget -= 1
        if hub.budget >= 0 or self._waiting is None:
            return
        within = self._waiting.sending if side == _SEND else super().get(_plain.RCVMORE)
        if not within:
            hub.spend()

    def _attempt(self, call: Callable[[int], Any], flags: int) -> Any:
        try:
            return call(flags)
        finally:
            if self._waiting is not None and self._waiting.tickets:
                self._look()

    def _until_done(self, side: int, turn: "_Turn", call: Callable[[int], Any], flags: int) -> Any:
        insisted = False
        while True:
            try:
                return self._attempt(call, flags)
            except _plain.Again:
                claimed = self._look() & side
            if claimed and not insisted:
                insisted = True
                continue
            left = turn.left()
            if left is not None and left <= 0:
                raise _timed_out()
            if claimed:
                left = _CLAIMED_PAUSE if left is None else min(left, _CLAIMED_PAUSE)
            _park([(self, side)], {}, left)
            insisted = False

    def _look(self) -> int:
        """Take the notes; wake who waits for what there is; return the events."""
        try:
            events = int(super().get(_plain.EVENTS))
        except _plain.ZMQError:  # closed, or its context ended: who waits shall see for himself
            events = _ANY
        if self._waiting is not None:
            for ticket, mask in list(self._waiting.tickets.items()):
                if mask & events:
                    wake(ticket)
        return events

    # -- the rest --------------------------------------------------------------------------

    def get(self, option: int) -> Any:
        """Read an option; see `zmq.Socket.get`."""
        value = super().get(option)
        if option == _plain.EVENTS and self._waiting is not None and self._waiting.tickets:
            self._look()
        return value

    getsockopt = get

    def poll(self, timeout: float | None = None, flags: int = _RECEIVE) -> int:
        """Wait for events: a mask, 0 when `timeout` (milliseconds) was over first."""
        return int(super().poll(timeout, flags))

    def close(self, linger: int | None = None) -> None:
        """Close the socket; who waits on it gets `zmq.ZMQError` (ENOTSOCK)."""
        hub, waiting = existing_hub(), self._waiting
        if waiting is not None and waiting.tickets and hub is not None and not self.closed:
            descriptor = hub.descriptors.get(super().get(_plain.FD))
            for ticket in list(waiting.tickets):
                wake(ticket)
            super().close(linger)
            if descriptor is not None:
                descriptor.close()
            return
        super().close(linger)


class _Turn:
    """The use of one direction of a socket by one green thread, within its time limit."""

    __slots__ = ("_deadline", "_lock", "_side", "_socket")

    def __init__(self, socket: Socket, side: int, lock: _QueueLock | None) -> None:
        self._socket = socket
        self._side = side
        self._lock = lock
        self._deadline: float | None = None

    def left(self) -> float | None:
        """Tell how many seconds are left; None: no limit. The first call starts the clock."""
        if self._deadline is None:
            limit_ms = int(self._socket.get(_TIME_LIMITS[self._side]))
            if limit_ms < 0:
                return None
            self._deadline = monotonic() + limit_ms / 1000
        return self._deadline - monotonic()

    def __enter__(self) -> Self:
        if self._lock is not None and not self._lock.acquire(blocking=False):
            left = self.left()
            if not self._lock.acquire(timeout=None if left is None else max(left, 0.0)):
                raise _timed_out()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._lock is not None:
            self._lock.release()


class Poller(_plain.Poller):  # type: ignore[misc]  # as above
    """Wait for several sockets and descriptors; only the calling green thread parks."""

    def poll(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Park until something happens; return pairs (socket or descriptor, events).

        Args:
            timeout: milliseconds; None or less than 0 waits for ever.
        """
        return zmq_poll(self.sockets, timeout)


Socket._poller_class = Poller


def zmq_poll(
    sockets: Iterable[tuple[Any, int]], timeout: float | None = -1
) -> list[tuple[Any, int]]:
    """Park until one of several sockets and descriptors is ready.

    Args:
        sockets: pairs (socket, descriptor number or object with `fileno()`; event mask).
        timeout: milliseconds; None or less than 0 waits for ever.

    Returns:
        Pairs (what was given, events), empty when the time was up.

    Raises:
        zmq.ZMQError: one of the sockets is closed.
    """
    wanted = list(sockets)
    deadline = None if timeout is None or timeout < 0 else monotonic() + timeout / 1000
    ours = [(each, mask) for each, mask in wanted if isinstance(each, _plain.Socket)]
    numbers: dict[int, int] = {}
    for each, mask in wanted:
        if not isinstance(each, _plain.Socket):
            number = each if isinstance(each, int) else each.fileno()
            sides = (READ if mask & _RECEIVE else 0) | (WRITE if mask & _SEND else 0)
            numbers[number] = numbers.get(number, 0) | sides
    while True:
        if any(each.closed for each, _ in ours):  # plain zmq_poll would poll descriptor 0
            raise _plain.ZMQError(_plain.ENOTSOCK)
        ready: list[tuple[Any, int]] = _plain.zmq_poll(wanted, 0)
        for each, _ in ours:
            if isinstance(each, Socket) and each._waiting is not None and each._waiting.tickets:
                each._look()  # this look took notes that others may wait for
        left = None if deadline is None else deadline - monotonic()
        if ready or (left is not None and left <= 0):
            hub = get_hub()
            hub.budget -= 1
            if hub.budget < 0:
                hub.spend()
            return ready
        _park(ours, numbers, left)


def select(
    rlist: list[Any], wlist: list[Any], xlist: list[Any], timeout: float | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """Wait as `select.select` does, for 0MQ sockets too; `timeout` is in seconds."""
    masks: dict[Any, int] = {}
    lists = ((rlist, _RECEIVE), (wlist, _SEND), (xlist, int(_plain.POLLERR)))
    for given, event in lists:
        for each in given:
            masks[each] = masks.get(each, 0) | event
    ready = dict(zmq_poll(masks.items(), None if timeout is None else timeout * 1000))
    readable, writable, failed = (
        [each for each, events in ready.items() if events & event] for _, event in lists
    )
    return readable, writable, failed


class Context(_plain.Context):  # type: ignore[misc]  # as above
    """Make green sockets."""

    _socket_class = Socket
    _instance: Any = None  # not the plain one, when `zmq.Context.instance()` made that first
    _being_dropped = False

    def term(self) -> None:
        """End the context. Waits, parked, until its sockets are closed and have sent all.

        Who waits on one of its sockets gets `zmq.ContextTerminated` and closes it.
        """
        if may_park_here() and not self._being_dropped and not self.closed:
            _enders.run(super().term)
        else:
            super().term()

    def __del__(self) -> None:
        self._being_dropped = True  # whoever the collector interrupts must not park
        super().__del__()


def _park(sockets: list[tuple[Any, int]], numbers: dict[int, int], timeout: float | None) -> None:
    """Park until there are notes for a socket, a descriptor is ready, or the time is up.

    Args:
        sockets: pairs (socket, mask of events waited for).
        numbers: descriptor number -> READ, WRITE or both.
        timeout: seconds; None waits for ever.
    """
    hub = get_hub()
    ticket = hub.ticket()
    watched: list[int] = []
    lines: list[_Waiting] = []
    try:
        for socket, mask in sockets:
            if isinstance(socket, Socket) and socket._waiting is not None:
                lines.append(socket._waiting)
                socket._waiting.tickets[ticket] = mask
            watched.append(int(socket.get(_plain.FD)))
            hub.foreign_descriptor(watched[-1]).add_foreign(ticket, READ, shared=True)
        for number, sides in numbers.items():
            watched.append(number)
            hub.foreign_descriptor(number).add_foreign(ticket, sides)
        hub.park(ticket, timeout)
    except DescriptorClosed:
        pass  # the caller looks again, and is told so
    finally:
        ticket.state |= SPENT
        for waiting in lines:
            waiting.tickets.pop(ticket, None)
        for number in watched:
            descriptor = hub.descriptors.get(number)
            if descriptor is not None:
                descriptor.discard_foreign(ticket)


def _timed_out() -> Exception:
    error: Exception = _plain.Again()
    error.is_timeout = True  # type: ignore[attr-defined]  # the old library's way to tell
    return error
