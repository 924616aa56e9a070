"""What a green socket is apart from its calls: records, waits, mode, and its end."""

import errno
import os
import socket
from collections.abc import Callable
from functools import cache
from typing import Any, Self, SupportsIndex
from weakref import ref

import eventlet.hubs as hubs
from eventlet._core.current import existing_hub
from eventlet._core.descriptor import Descriptor, notice_reuse
from eventlet._core.wait_queue import EXPIRED
from eventlet._errors import IOClosed
from eventlet._unpatched import (
    base_socket,
    get_ident,
    monotonic,
    real_socket,
)
from eventlet.greenio.records import Records, give_away

__all__ = [
    "WaitingSocket",
    "get_family",
    "get_proto",
    "get_type",
    "limit_sending",
    "spend_budget",
]

AS_RECEIVING: float = -1.0  # no time-out of its own for sending

_set_c_blocking = base_socket.setblocking
_get_c_timeout = base_socket.gettimeout

get_family: Callable[[Any], int] = base_socket.family.__get__
get_type: Callable[[Any], int] = base_socket.type.__get__
get_proto: Callable[[Any], int] = base_socket.proto.__get__


class WaitingSocket(real_socket):
    """The base of `GreenSocket`; see `sockets` for the theory of operation."""

    _desc: Descriptor | None = None
    _records: Records | None = None
    _timeout: float | None = None
    _send_timeout: float | None = AS_RECEIVING
    _exact: bool | None = None
    _wrapped: Any = None
    _is_alone = False  # whether nobody else can have the file, so that its mode is ours alone

    def __init__(
        self, family: Any = socket.AF_INET, *args: Any, set_nonblocking: bool = True, **kwargs: Any
    ) -> None:
        if isinstance(family, (int, type(None))):
            self._open(-1 if family is None else family, *args, **kwargs)
            self._is_alone = opened = kwargs.get("fileno") is None and len(args) < 3
            timeout = _get_c_timeout(self)  # the default, or 0 for SOCK_NONBLOCK
        else:
            self._wrap(family)
            timeout = family.gettimeout()
            opened = not isinstance(family, WaitingSocket)
            if set_nonblocking and self.fileno() >= 0:
                _set_c_blocking(self, False)
        if self.fileno() >= 0:
            if opened:
                hubs.notify_opened(self.fileno())
            else:
                notice_reuse(existing_hub(), self.fileno())
        self._timeout = timeout

    def _open(
        self, family: int, type: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        if fileno is not None and family == socket.AF_INET:
            family = -1  # the default says nothing about an existing descriptor: detect it
        super().__init__(family, type, proto, fileno)

    def _wrap(self, existing: Any) -> None:
        fd = existing.fileno()
        if fd < 0:
            super().__init__(existing.family, existing.type, existing.proto)
            base_socket.close(self)
            self._closed = True
        else:
            super().__init__(existing.family, existing.type, existing.proto, fd)
        self._wrapped = existing
        if isinstance(existing, WaitingSocket):
            self._records = existing._find_records()
        elif type(existing) is not real_socket:
            own_class: Any = type(self)
            self.__class__ = _forwarding_class(own_class)

    # -- identity ----------------------------------------------------------------------

    @property
    def fd(self) -> Any:
        """The socket below: the wrapped one, or this one, which is a real socket itself."""
        return self if self._wrapped is None else self._wrapped

    @property
    def _sock(self) -> Self:
        return self

    # -- descriptor records ------------------------------------------------------------

    def _is_exact(self) -> bool:
        """Whether a short read proves that the receive buffer is empty: TCP only."""
        if self._exact is None:
            self._exact = (
                get_family(self) in (socket.AF_INET, socket.AF_INET6)
                and get_type(self) & 0xF == socket.SOCK_STREAM
                and get_proto(self) in (0, socket.IPPROTO_TCP)
            )
        return self._exact

    def _find_records(self) -> Records:
        records = self._records
        if records is None:
            self._records = records = Records(self.fileno(), self._is_exact())
            records.owner = ref(self)
        return records

    def forget_mode(self) -> None:
        """Block in the kernel, for a child that gets the file, until our own next call."""
        if self._timeout != 0.0 and self.fileno() >= 0:
            _set_c_blocking(self, True)
            self._desc = None

    def _bind_record(self) -> Descriptor | None:
        """Return the record to use for a blocking call; None means: make the raw call.

        From here on the kernel never blocks.
        """
        if self._timeout == 0.0 or self.fileno() < 0:
            return None
        if _get_c_timeout(self) != 0.0:
            _set_c_blocking(self, False)
        self._desc = self._find_records().here()
        return self._desc

    def _release(self) -> None:
        """Evict the waiters everywhere and let every hub forget the number."""
        self._desc = None
        fd = self.fileno()
        if fd >= 0:
            self._find_records().close()
        self._records = None

    def _deadline(self) -> float | None:
        """The moment until which a call that sends may wait."""
        seconds = self._send_timeout
        if seconds == AS_RECEIVING:
            seconds = self._timeout
        return None if seconds is None else monotonic() + seconds

    def _wait_read(self, deadline: float | None, shared: bool = False) -> float | None:
        """Park until readable; the first call of a loop passes None and keeps the result."""
        desc = self._find_records().here()
        if desc is not self._desc and self._timeout != 0.0:
            self._desc = desc
            if desc.can_read:
                return deadline  # this hub has not tried yet
        if deadline is None:
            if not self._timeout:  # 0: made non-blocking by somebody while we wait
                desc.wait_read(None, shared)
                return None
            deadline = monotonic() + self._timeout
        if desc.wait_read(deadline - monotonic(), shared) is EXPIRED:
            raise TimeoutError("timed out")
        return deadline

    def _wait_write(self, deadline: float | None, shared: bool = False) -> float | None:
        """`_wait_read` for the other side."""
        desc = self._find_records().here()
        if desc is not self._desc and self._timeout != 0.0:
            self._desc = desc
            if desc.can_write:
                return deadline
        if deadline is None:
            deadline = self._deadline() if self._timeout != 0.0 else None
            if deadline is None:
                desc.wait_write(None, shared)
                return None
        if desc.wait_write(deadline - monotonic(), shared) is EXPIRED:
            raise TimeoutError("timed out")
        return deadline

    def _current(self) -> Descriptor:
        """Return the record after a wait; raise EBADF if the socket was closed meanwhile."""
        desc = self._desc
        if desc is None:
            if self.fileno() < 0:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            desc = self._find_records().here()  # `settimeout` meanwhile: this call goes on
        return desc

    def _reading(self, call: Callable[..., Any], *args: Any, wait: bool = True) -> Any:
        """Make a receiving call, parking on EAGAIN; only EAGAIN means empty."""
        desc = self._desc or self._bind_record()
        if desc is None or not wait:
            return call(self, *args)
        deadline: float | None = None
        while True:
            if spend_budget(desc):
                bound = self._desc or self._bind_record()
                if bound is None:  # closed, or made non-blocking meanwhile
                    return call(self, *args)
                desc = bound
            if desc.can_read:
                try:
                    return call(self, *args)
                except BlockingIOError:
                    if desc.hub.ident == get_ident():  # else its hub may know better by now
                        desc.can_read = False
            try:
                deadline = self._wait_read(deadline)
            except IOClosed as exc:
                raise EOFError(str(exc)) from exc
            desc = self._current()

    def _accepting(self, call: Callable[..., Any]) -> Any:
        """Make the accepting call; for it there is no end that a recycled number could mean."""
        try:
            return self._reading(call)
        except EOFError as exc:
            raise IOClosed from exc

    def _writing(self, call: Callable[..., Any], *args: Any, wait: bool = True) -> Any:
        """Make a sending call, parking on EAGAIN."""
        desc = self._desc or self._bind_record()
        if desc is None or not wait:
            return call(self, *args)
        return self._write_until(self._deadline(), call, *args)

    def _write_until(self, deadline: float | None, call: Callable[..., Any], *args: Any) -> Any:
        desc = self._find_records().here()
        while True:
            if spend_budget(desc):
                bound = self._desc or self._bind_record()
                if bound is None:  # closed, or made non-blocking meanwhile
                    return call(self, *args)
                desc = bound
            if desc.can_write:
                try:
                    return call(self, *args)
                except BlockingIOError:
                    if desc.hub.ident == get_ident():  # else its hub may know better by now
                        desc.can_write = False
            try:
                deadline = self._wait_write(deadline)
            except IOClosed as exc:
                raise ConnectionResetError(errno.ECONNRESET, str(exc)) from exc
            desc = self._current()

    # -- mode ----------------------------------------------------------------------------------

    def settimeout(self, value: float | None) -> None:
        """Set the total time of a blocking call: None for ever, 0 for non-blocking mode."""
        if value is not None and value is not socket._GLOBAL_DEFAULT_TIMEOUT:  # type: ignore[attr-defined]
            if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
                raise TypeError(f"a timeout is a number of seconds or None, not {value!r}")
            value = float(value)
            if value < 0.0:
                raise ValueError(f"Timeout value out of range: {value!r} is negative")
        else:
            value = None
        if self.fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._set_kernel_mode(value is None)
        self._timeout = value
        self._desc = None  # the next call binds again, or stays raw

    def _set_kernel_mode(self, blocking: bool) -> None:
        """Give the file the mode that the user sees, for those who inherit it.

        Once it was used, it stays non-blocking.
        """
        if not blocking:
            if _get_c_timeout(self) != 0.0:
                _set_c_blocking(self, False)
        elif self._is_alone and self._records is None and _get_c_timeout(self) is not None:
            _set_c_blocking(self, True)

    def gettimeout(self) -> float | None:
        """Return what `settimeout` set: seconds, None or 0.0."""
        return self._timeout

    def setblocking(self, flag: bool | SupportsIndex) -> None:
        """Choose between waiting for ever and non-blocking mode."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Whether calls wait."""
        return self._timeout != 0.0

    @property
    def timeout(self) -> float | None:
        """What `gettimeout` returns."""
        return self._timeout

    @property
    def act_non_blocking(self) -> bool:
        """Whether calls surface EAGAIN instead of waiting; settable."""
        return self._timeout == 0.0

    @act_non_blocking.setter
    def act_non_blocking(self, flag: bool) -> None:
        self.setblocking(not flag)

    def setsockopt(self, *args: Any) -> None:
        """Set an option, as `socket.setsockopt`."""
        base_socket.setsockopt(self, *args)
        if args[:2] == (socket.SOL_SOCKET, socket.SO_RCVLOWAT):
            # Below the mark a read is not short, it is early: only EAGAIN means empty.
            self._exact = False
            self._find_records().end_exactness()

    # -- the end -------------------------------------------------------------------------------

    def _real_close(self, _ss: Any = base_socket) -> None:
        records, wrapped = self._records, self._wrapped
        recycled = records is not None and records.recycled
        if recycled:
            self._desc = self._records = None  # the number is a stranger's file by now
        else:
            self._release()
        if wrapped is None and not recycled:
            _ss.close(self)
            return
        base_socket.detach(self)
        if wrapped is not None and not recycled:
            wrapped.close()

    def detach(self) -> int:
        """Give the descriptor number away without closing it; waiters get EBADF."""
        self._desc = None
        if self._records is not None:
            self._records.leave()
            self._records = None
        fd = super().detach()
        if fd >= 0 and self._timeout != 0.0:
            give_away(fd)
        if self._wrapped is not None:
            self._wrapped.detach()
        return fd

    def dup(self) -> Any:
        """Return a green socket on a duplicate of the descriptor, with the same timeout."""
        fd = os.dup(self.fileno())
        self._is_alone = False
        copy = type(self)(get_family(self), get_type(self), get_proto(self), fileno=fd)
        copy.settimeout(self.gettimeout())
        return copy

    def _mark_as_closed(self) -> None:
        """Let every later wait fail: the number is not ours any more."""
        record = self._find_records().here()
        record.hub.recycle(record)

    def __del__(self) -> None:
        if self._wrapped is not None:
            # The wrapped socket closes itself when nobody refers to it any more.
            if self._records is not None and not isinstance(self._wrapped, WaitingSocket):
                self._records.close()
            base_socket.detach(self)
            return
        if self._records is not None:
            self._release()
        super().__del__()  # type: ignore[misc]  # warns about an unclosed one, and closes it


class _Forwarding:
    """Gives a wrapping socket the attributes its wrapped one has besides a socket's.

    Not in `GreenSocket` itself: a class with `__getattr__` pays for it at every attribute.
    """

    _wrapped: Any

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._wrapped, name)


@cache
def _forwarding_class(cls: Any) -> type[WaitingSocket]:
    return type(cls.__name__, (cls, _Forwarding), {"__module__": cls.__module__})


def limit_sending(sock: Any, seconds: float | None = AS_RECEIVING) -> bool:
    """Give a socket a time-out of its own for each call that sends and has to wait.

    Costs nothing while nothing has to wait, unlike a change of the time-out.

    Args:
        sock: a socket of any kind.
        seconds: None waits for ever; without it, the socket's time-out is for both sides.

    Returns:
        False when it is no socket of ours, and nothing was done.
    """
    if not isinstance(sock, WaitingSocket):
        return False
    sock._send_timeout = seconds
    return True


def spend_budget(desc: Descriptor) -> bool:
    """Count an I/O call that is about to be made; yield when there were too many.

    Before the call, not after it: an interrupt of the yield must not lose what it brought.

    Returns:
        Whether it yielded, so that the socket may have been closed meanwhile.
    """
    hub = desc.hub
    hub.budget -= 1
    if hub.budget >= 0:
        return False
    hub.spend()
    return True
