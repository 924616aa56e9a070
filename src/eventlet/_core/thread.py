"""Green threads: start, result, links, interrupt.

A green thread is started by a ticket like any wake-up, so killing one that has not started
spends that ticket and its body never runs. Each runs in a copy of its spawner's context.
"""

import sys
from collections.abc import Callable, Generator
from contextvars import copy_context
from itertools import count
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any

import greenlet
from greenlet import GreenletExit, getcurrent

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.fork import end_forked_child, is_left_behind
from eventlet._core.hub import Hub
from eventlet._core.scope import shielded
from eventlet._core.timers import Timer
from eventlet._core.wait_queue import (
    SPENT,
    WOKEN,
    Ticket,
    interrupt,
    live_ticket,
    throw,
    wake,
)
from eventlet._errors import LeftBehind, WaitsForItself

if TYPE_CHECKING:
    from eventlet._core.awaiting import ThreadFuture

__all__ = [
    "GreenThread",
    "SpawnedGreenlet",
    "cancel",
    "exception_from",
    "kill",
    "throw_into",
    "throw_soon",
]

_numbers = count(1)


def _nothing(*_args: object, **_kwargs: object) -> None:
    """What a thread has to call that has begun, or never will."""


class SpawnedGreenlet(greenlet.greenlet):
    """A greenlet that the hub started: what `spawn_n` returns. It has no result."""

    __slots__ = (
        "_args",
        "_function",
        "_hub",
        "_kwargs",
        "_number",
        "_origin",
        "_place",
        "_scope",
        "_ticket",
    )

    _scope: Any  # the innermost cancel scope; see `scope`
    _ticket: Ticket | None
    _place: Any  # what stands for it in every `corolocal.local`
    _function: Callable[..., Any]

    def __init__(
        self,
        hub: Hub,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        depth: int = 2,
    ) -> None:
        super().__init__(None, hub.greenlet)
        self.gr_context = copy_context()
        frame = sys._getframe(depth)
        self._origin: tuple[CodeType, int] = (frame.f_code, frame.f_lasti)
        self._number = next(_numbers)
        self._hub = hub
        self._function = function
        self._args = args
        self._kwargs = kwargs or {}
        self._scope = None
        self._ticket = None
        hub.threads.add(self)

    def run(self, _start: object = None) -> Any:
        """Call the function; the hub reports what escapes."""
        try:
            function, args, kwargs = self._function, self._args, self._kwargs
            self._function, self._args, self._kwargs = _nothing, (), {}
            result = function(*args, **kwargs)
        except GreenletExit as exc:
            self._finish(exc)
            return exc
        except (KeyboardInterrupt, SystemExit) as exc:
            self._finish(exc)
            raise
        except BaseException as exc:
            self._finish(exc)
            self._hub.report(self, exc)
            return None
        finally:
            self._hub.threads.discard(self)
            self._ticket = None
        self._finish(None)
        return result

    def _finish(self, exc: BaseException | None) -> None:
        if self._hub.forked_thread is self:
            end_forked_child(exc)
        self._place = None

    def abandon(self, exc: BaseException) -> None:
        """End this thread before it starts: it is dead afterwards and never runs."""
        ticket = self._ticket
        if ticket is not None:
            if not ticket.state:
                self._hub.timers.note_cancelled()
            ticket.state |= SPENT
            ticket.thread = None
        self._function, self._args, self._kwargs = _nothing, (), {}
        self._hub.threads.discard(self)
        # A greenlet that never ran dies at a throw, and control goes to its parent.
        self.parent = getcurrent()
        self.throw(GreenletExit)

    @property
    def name(self) -> str:
        """Name in messages: "GreenThread-N", numbered in the order of spawning."""
        return f"GreenThread-{self._number}"

    def renumber(self) -> None:
        """Take a new number, and so a new name: a worker begins its next job."""
        self._number = next(_numbers)

    def spawned_at(self) -> str:
        """Return "file:line" of the call that spawned this thread."""
        code, lasti = self._origin
        line = code.co_firstlineno
        for start, end, number in code.co_lines():
            if start <= lasti < end and number is not None:
                line = number
                break
        return f"{code.co_filename}:{line}"

    def __repr__(self) -> str:
        if self.dead:
            state = "dead"
        elif self:
            state = "started"
        else:
            state = "not started"
        return f"<{self.name} {state}, spawned at {self.spawned_at()}>"


class GreenThread(SpawnedGreenlet):
    """A green thread with a result. Made by `spawn`, `spawn_after` and the pools."""

    __slots__ = ("_exc", "_exc_traceback", "_finished", "_links", "_value", "_waiters")

    def __init__(
        self,
        hub: Hub,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        depth: int = 3,
    ) -> None:
        super().__init__(hub, function, args, kwargs, depth)
        self._finished = False
        self._value: Any = None
        self._exc: BaseException | None = None
        self._exc_traceback: TracebackType | None = None
        self._links: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self._waiters: list[Ticket] = []

    def run(self, _start: object = None) -> Any:
        """Call the function, keep what comes of it, tell links and waiters."""
        function, args, kwargs = self._function, self._args, self._kwargs
        self._function, self._args, self._kwargs = _nothing, (), {}
        try:
            self._value = function(*args, **kwargs)
        except BaseException as exc:
            # Links see the failed state too; the escape goes on to the hub afterwards.
            del function, args, kwargs
            self._settle(exc)
            self._escape(exc)
            return None
        del function, args, kwargs
        self._settle(None)
        return None

    def _escape(self, exc: BaseException) -> None:
        """Do what is due when an exception ends this thread, whoever waits for it."""
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise exc
        self._report(exc)

    def _report(self, exc: BaseException) -> None:
        self._hub.report(self, exc)

    def _settle(self, exc: BaseException | None) -> None:
        """Store the outcome, run the links, wake the waiters, in this order."""
        if exc is not None:
            self._exc = exc
            self._exc_traceback = exc.__traceback__
        self._finished = True
        while self._links:
            func, args, kwargs = self._links.pop(0)
            self._call_link(func, args, kwargs)
        waiters, self._waiters = self._waiters, []
        for ticket in waiters:
            wake(ticket)
        self._hub.threads.discard(self)
        self._finish(exc)

    def _call_link(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            func(self, *args, **kwargs)
        except Exception as exc:
            self._hub.report(self, exc)  # one failing link must not stop the next
        except BaseException as exc:
            self._hub.call_soon(_raise, exc)  # nor may one that was told to stop or exit

    def wait(self) -> Any:
        """Return what the function returned, or raise what it raised.

        Any number of green threads may wait, any number of times.

        Raises:
            GreenletExit: the thread was killed without another exception.
            LeftBehind: it runs in the process that forked this one, not here.
            WaitsForItself: called in this very thread, before its end.
        """
        while not self._finished:
            self._park_until_finished()
        if self._exc is not None:
            raise self._exc.with_traceback(self._exc_traceback)
        return self._value

    def _park_until_finished(self) -> None:
        if is_left_behind(self):
            raise LeftBehind(self.name)
        if getcurrent() is self:
            raise WaitsForItself(self.name)
        ticket = get_hub().ticket()
        self._waiters.append(ticket)
        try:
            if self._finished:  # by another OS thread, in between
                ticket.state |= SPENT  # nobody parks on it, so nobody may wake it
            else:
                ticket.hub.park(ticket)
        finally:
            if ticket in self._waiters:
                self._waiters.remove(ticket)

    def link(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Have `func(thread, *args, **kwargs)` called when this thread finishes.

        It runs in the finishing thread, after the outcome is stored and before waiters
        wake, in the order of linking. On a finished thread it runs at once, here.
        """
        entry = (func, args, kwargs)
        self._links.append(entry)
        if not self._finished:
            return
        try:
            self._links.remove(entry)
        except ValueError:
            return  # the thread has finished on another OS thread, and taken it
        func(self, *args, **kwargs)

    def unlink(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Take back a link made with the same function and arguments.

        Returns:
            Whether there was one.
        """
        try:
            self._links.remove((func, args, kwargs))
        except ValueError:
            return False
        return True

    def kill(self, *throw_args: Any) -> None:
        """Raise `GreenletExit`, or what `throw_args` say, in this thread. See `kill`."""
        kill(self, *throw_args)

    def cancel(self, *throw_args: Any) -> None:
        """Kill this thread if it has not started yet; otherwise do nothing. See `cancel`."""
        cancel(self, *throw_args)

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the outcome in a coroutine; cancelling the `await` kills this thread.

        Raises:
            CancelledError: this thread was killed, or the awaiting task cancelled.
            LoopDoesNotDrive: the running loop keeps the hub from running.
        """
        return self.as_future().__await__()

    def as_future(self) -> "ThreadFuture":
        """Return the outcome as a future of the running loop; see `__await__`."""
        from eventlet._core.awaiting import ThreadFuture

        return ThreadFuture(self._hub is existing_hub(), self.link, self._interrupt_soon)

    def _interrupt_soon(self, exc: BaseException) -> None:
        """Interrupt this thread without a park of the caller; one that waits to start never does."""
        if not self and not self.dead and self._hub is existing_hub():
            self.abandon(exc)
        else:
            self._hub.call_soon(throw_soon, self, exc)

    def abandon(self, exc: BaseException) -> None:
        """End this thread before it starts; links and waiters are told."""
        super().abandon(exc)
        if not self._finished:
            self._settle(exc)


def exception_from(throw_args: tuple[Any, ...]) -> BaseException:
    """Make one exception of the arguments `greenlet.throw` takes.

    Args:
        throw_args: nothing (GreenletExit), an instance, a class, a class and its value, or
            class, value and traceback.

    Raises:
        TypeError: the first argument is no exception class or instance.
    """
    if not throw_args:
        return GreenletExit()
    kind = throw_args[0]
    value = throw_args[1] if len(throw_args) > 1 else None
    trace = throw_args[2] if len(throw_args) > 2 else None
    if isinstance(kind, BaseException):
        if value is not None:
            raise TypeError(f"instance exception {kind!r} may not have a separate value")
        exc = kind
    elif isinstance(kind, type) and issubclass(kind, BaseException):
        if isinstance(value, kind):
            exc = value
        elif value is None:
            exc = kind()
        elif isinstance(value, tuple):
            exc = kind(*value)
        else:
            exc = kind(value)
    else:
        raise TypeError(f"exceptions must be classes or instances of BaseException, not {kind!r}")
    return exc.with_traceback(trace) if trace is not None else exc


def throw_into(thread: Any, exc: BaseException) -> bool:
    """Have `exc` raised in a green thread of this hub, wherever it waits.

    One that has not started never runs; the dead are left alone.

    Returns:
        False when another interrupt is on its way to it. That one goes first; try again in
        the next batch.
    """
    if thread.dead or is_left_behind(thread):
        return True
    if isinstance(thread, SpawnedGreenlet) and not thread:
        thread.abandon(exc)
        return True
    ticket = live_ticket(thread)
    if ticket is not None:
        return interrupt(ticket, exc)
    # It waits in somebody else's switch, not in a park: only a throw reaches it.
    hub = get_hub()
    if getcurrent() is hub.greenlet:
        throw(thread, exc)
    else:
        hub.call_soon(throw_soon, thread, exc)
    return True


def throw_soon(thread: Any, exc: BaseException) -> None:
    """`throw_into` that follows another interrupt by itself."""
    if not throw_into(thread, exc):
        get_hub().call_soon(throw_soon, thread, exc)


def _home_elsewhere(thread: Any) -> Hub | None:
    """Return the hub that runs `thread`; None if it is the caller's, or none that we know."""
    home: Hub | None = getattr(thread, "_hub", None)
    if home is None:
        ticket: Ticket | None = getattr(thread, "_ticket", None)
        home = None if ticket is None else ticket.hub
    return None if home is existing_hub() else home


def _raise(exc: BaseException) -> None:
    raise exc


def kill(g: Any, *throw_args: Any) -> None:
    """Raise an exception in a green thread, now.

    The victim runs at once, then whatever was ready, then the caller. One that has not
    started never runs; its waiters get the exception. The dead are left alone. A thread
    of another OS thread is interrupted there, in its hub's next batch.

    Args:
        g: any greenlet.
        throw_args: what `greenlet.throw` takes; nothing means GreenletExit.
    """
    if g.dead or is_left_behind(g):
        return
    exc = exception_from(throw_args)
    if g is getcurrent():
        raise exc
    home = _home_elsewhere(g)
    if home is not None:
        home.call_soon(throw_soon, g, exc)  # nobody hears it when that OS thread has ended
        return
    hub = get_hub()
    if not g:
        _kill_unstarted(g, exc)
    else:
        _kill_started(hub, g, exc)
    if hub.may_park():
        with shielded():  # clean-up that kills several gets to the last, also when cancelled
            hub.yield_()


def cancel(g: Any, *throw_args: Any) -> None:
    """Kill `g` if it has not started yet; otherwise do nothing.

    A thread of another OS thread may start before its hub hears of it, and then goes on.
    """
    if g or g.dead:
        return
    home = _home_elsewhere(g)
    if home is None:
        kill(g, *throw_args)
    else:
        home.call_soon(_cancel_soon, g, exception_from(throw_args))


def _cancel_soon(thread: Any, exc: BaseException) -> None:
    if not thread:
        throw_into(thread, exc)


def _kill_unstarted(thread: Any, exc: BaseException) -> None:
    if isinstance(thread, SpawnedGreenlet):
        thread.abandon(exc)
    else:
        thread.parent = getcurrent()
        thread.throw(GreenletExit)


def _kill_started(hub: Hub, thread: Any, exc: BaseException) -> None:
    ticket = live_ticket(thread)
    if ticket is None or not interrupt(ticket, exc):
        follow = Timer(hub, _throw_next, (hub, thread, exc))
        follow.state = WOKEN
        hub.ready.appendleft(follow)
    if ticket is not None:
        # Run it next: a second entry in front; the one behind is skipped as spent.
        hub.ready.appendleft(ticket)


def _throw_next(hub: Hub, thread: Any, exc: BaseException) -> None:
    """`throw_into` for the hub's greenlet; the thread is the next to run."""
    ticket = live_ticket(thread)
    if not throw_into(thread, exc):
        hub.call_soon(throw_soon, thread, exc)
    elif ticket is not None:
        hub.ready.appendleft(ticket)
