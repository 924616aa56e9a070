"""An asyncio loop that parks only the green thread it runs in."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from inspect import iscoroutinefunction
from typing import Any, TypeVarTuple

from eventlet._aio import signal_handlers
from eventlet._resolver import system_getaddrinfo, system_getnameinfo
from eventlet.green.selectors import DefaultSelector
from eventlet.greenthread import spawn

__all__ = ["EventLoop"]

Ts = TypeVarTuple("Ts")


class EventLoop(asyncio.SelectorEventLoop):
    """The standard loop over a green selector.

    Any number of them run in green threads of one OS thread. Beyond the standard loop:
    other green threads of its OS thread may use `call_soon`, `call_later`, `call_at` and
    complete its futures; and several loops may have signal handlers at once.
    """

    def __init__(self) -> None:
        super().__init__(DefaultSelector())

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Have `callback` called in the next turn, also when the loop is waiting."""
        if self._is_waiting():
            return self.call_soon_threadsafe(callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have `callback` called at `when`, also when the loop is waiting for later."""
        handle = super().call_at(when, callback, *args, context=context)
        if self._is_waiting():
            self.call_soon_threadsafe(_nothing)  # so that it looks at its timers again
        return handle

    def _is_waiting(self) -> bool:
        """Whether the loop runs and the caller is not in it: then its greenlet is parked."""
        return self.is_running() and asyncio._get_running_loop() is not self

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Ask the OS resolver, as every loop does; the arguments are those of `socket`."""
        return await spawn(system_getaddrinfo, host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        """Ask the OS resolver, as every loop does; the arguments are those of `socket`."""
        return await spawn(system_getnameinfo, sockaddr, flags)

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Have the loop call `callback` after each signal `sig`.

        Raises:
            RuntimeError: not in the main OS thread, or the signal cannot be caught.
            ValueError: there is no such signal.
        """
        given: Any = callback
        if asyncio.iscoroutine(given) or iscoroutinefunction(given):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        signal_handlers.add(sig, self, lambda: self.call_soon_threadsafe(callback, *args))

    def remove_signal_handler(self, sig: int) -> bool:
        """Take the handler of `sig` back; tell whether there was one."""
        return signal_handlers.remove(sig, self)

    def close(self) -> None:
        """Close the loop; signal handlers are what they were before its own."""
        signal_handlers.remove_all(self)
        super().close()


def _nothing() -> None:
    """A turn of the loop is what matters."""
