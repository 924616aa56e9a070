"""The hub with the old vocabulary: `switch`, `add`, `remove`, `schedule_call_global` ...

Nothing inside calls these methods. They translate for programs and drivers that talk to
the hub directly; the work is done by `_core.hub.Hub`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from greenlet import getcurrent

from eventlet._core.hub import Hub
from eventlet._core.poller import READ as READ_FLAG
from eventlet._core.poller import WRITE as WRITE_FLAG
from eventlet._core.poller import Poller
from eventlet._core.pollers import default_poller
from eventlet._core.timers import Timer as CoreTimer
from eventlet._core.wait_queue import Ticket
from eventlet._errors import HubError, MainloopBlocked
from eventlet._unpatched import monotonic
from eventlet.hubs._listener import (
    READ,
    SIDES,
    WRITE,
    DebugListener,
    FdListener,
    Watch,
    noop,
)
from eventlet.hubs.timer import LocalTimer, Timer

__all__ = ["READ", "WRITE", "BaseHub", "DebugListener", "FdListener", "noop"]

_LONGEST_SLEEP: Final = 60.0


class BaseHub(Hub):
    """A hub as programs know it. Make one by `use_hub` and `get_hub`.

    A subclass chooses its poller by `make_poller`. One that brings the loop itself, a
    method `wait`, is refused: the loop is the core's, what the kernel offers is a `Poller`.

    Args:
        clock: seconds that only grow; the monotonic clock by default.

    Raises:
        HubError: the subclass defines `wait`.
    """

    READ = READ
    WRITE = WRITE
    SYSTEM_EXCEPTIONS = (KeyboardInterrupt, SystemExit)

    make_poller: Callable[[], Poller] = staticmethod(default_poller)
    clock: Callable[[], float] = staticmethod(monotonic)

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        refuse_own_loop(type(self))
        super().__init__(self.make_poller(), monotonic if clock is None else clock)
        self.lclass: type[FdListener] = FdListener
        self._watches: dict[FdListener, Watch] = {}

    @staticmethod
    def is_available() -> bool:
        """Whether this platform can run the hub."""
        return True

    # -- switching -----------------------------------------------------------------------

    def switch(self) -> Any:
        """Stop the calling greenlet until somebody switches into it; return what they gave.

        Whoever calls this sees to the way back: a timer or listener that calls `switch` of
        the greenlet. A wake-up from anywhere else arrives here as well.

        Raises:
            MainloopBlocked: called in the hub's own greenlet.
        """
        current = getcurrent()
        if current is self.greenlet:
            raise MainloopBlocked
        switch_out = getattr(current, "switch_out", None)
        if switch_out is not None:
            switch_out()
        self._lead_back(current)
        return self._switch()

    @property
    def running(self) -> bool:
        """Whether the loop has been entered and has not ended."""
        return bool(self.greenlet)

    def abort(self, wait: bool = False) -> None:
        """End the loop after this pass and drop all timers; the next park starts it again.

        Args:
            wait: return only when it has ended; for the greenlet that made the hub.

        Raises:
            HubError: `wait` in another greenlet, to which the loop's end would not return.
        """
        if wait and getcurrent() is not self.main_greenlet():
            raise HubError("abort(wait=True) belongs to the greenlet that made the hub")
        if self.running:
            self.stop()
            if wait:
                self._switch()
        self.timers.clear()

    def default_sleep(self) -> float:
        """Longest wait of one pass in seconds, for programs that ask; ours has no limit."""
        return _LONGEST_SLEEP

    # -- timers --------------------------------------------------------------------------

    def schedule_call_global(
        self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any
    ) -> Timer:
        """Have the hub call `cb(*args, **kw)` in its own greenlet, in `seconds`."""
        timer = Timer(seconds, cb, *args, **kw)
        timer.schedule_on(self)
        return timer

    def schedule_call_local(
        self, seconds: float, cb: Callable[..., object], *args: Any, **kw: Any
    ) -> LocalTimer:
        """`schedule_call_global` that is skipped when the calling greenlet has ended."""
        timer = LocalTimer(seconds, cb, *args, **kw)
        timer.schedule_on(self)
        return timer

    def add_timer(self, timer: Timer) -> float:
        """Schedule a timer made beforehand; return its deadline on the hub's clock."""
        return timer.schedule_on(self)

    def get_timers_count(self) -> int:
        """Count the scheduled timers, those that were cancelled but not purged included."""
        return len(self.timers.heap)

    @property
    def timers_canceled(self) -> int:
        """How many cancelled timers wait to be purged."""
        return self.timers.cancelled

    @property
    def next_timers(self) -> tuple[tuple[float, CoreTimer], ...]:
        """Timers due in the next pass: pairs (deadline, timer), in order."""
        now = self.clock()
        return tuple((now, ticket) for ticket in self.ready if isinstance(ticket, CoreTimer))

    def set_timer_exceptions(self, value: bool) -> None:
        """Choose whether exceptions that nobody caught are printed."""
        self.debug_exceptions = value

    # -- listeners -----------------------------------------------------------------------

    def add(
        self,
        evtype: str,
        fileno: int,
        cb: Callable[..., object],
        tb: Callable[..., object],
        mark_as_closed: Callable[[], object] | None,
    ) -> FdListener:
        """Have `cb(fileno)` called in the hub's greenlet whenever the descriptor is ready.

        Args:
            evtype: READ or WRITE.
            fileno: descriptor number.
            cb: called in every pass in which it is ready, until the listener is removed.
            tb: called with the exception that ends the wait.
            mark_as_closed: called at once when the number is found to name another file.

        Raises:
            DescriptorBusy: somebody waits for this side of the descriptor already.
            ValueError: `evtype` is something else.
            OSError: the kernel does not know the number.
        """
        if evtype not in SIDES:
            raise ValueError(f"evtype is {READ!r} or {WRITE!r}, not {evtype!r}")
        listener = self.lclass(evtype, fileno, cb, tb, mark_as_closed)
        watch = Watch(self, listener)
        watch.arm()
        self._watches[listener] = watch
        return listener

    def remove(self, listener: FdListener) -> None:
        """Take a listener out; harmless when it is spent or was removed before."""
        watch = self._watches.pop(listener, None)
        if watch is not None:
            watch.disarm()

    def remove_descriptor(self, fileno: int) -> None:
        """Forget a descriptor; who waits for it is called as if it were ready."""
        for listener in self._listeners_on(fileno):
            self.remove(listener)
            self.call_soon(listener.cb, fileno)
        descriptor = self.descriptors.get(fileno)
        if descriptor is not None:
            descriptor.announce(READ_FLAG | WRITE_FLAG)
            self.drop_descriptor(descriptor)

    def mark_as_reopened(self, fileno: int) -> None:
        """Note that the number names a new file: who waited for the old one gets `IOClosed`."""
        descriptor = self.descriptors.get(fileno)
        if descriptor is None:
            return
        for listener in self._listeners_on(fileno):
            listener.defang()
        self.recycle(descriptor)

    def notify_close(self, fileno: int) -> None:
        """Prepare for the number being closed: who waits for it gets EBADF."""
        descriptor = self.descriptors.get(fileno)
        if descriptor is not None:
            descriptor.close()

    def set_debug_listeners(self, value: bool) -> None:
        """Choose whether listeners remember where they were added."""
        self.lclass = DebugListener if value else FdListener

    def _listeners_on(self, fileno: int) -> list[FdListener]:
        return [listener for listener in self._watches if listener.fileno == fileno]

    # -- what waits: snapshots for debug tools ----------------------------------------------

    @property
    def listeners(self) -> dict[str, dict[int, FdListener]]:
        """Who waits first: event type -> descriptor number -> listener. A snapshot."""
        return {
            evtype: {fd: waiting[0] for fd, waiting in self._waiting(evtype)} for evtype in SIDES
        }

    @property
    def secondaries(self) -> dict[str, dict[int, list[FdListener]]]:
        """Who waits behind the first, in order of arrival. A snapshot."""
        return {
            evtype: {fd: waiting[1:] for fd, waiting in self._waiting(evtype) if waiting[1:]}
            for evtype in SIDES
        }

    def get_readers(self) -> list[FdListener]:
        """List those who wait to read."""
        return list(self.listeners[READ].values())

    def get_writers(self) -> list[FdListener]:
        """List those who wait to write."""
        return list(self.listeners[WRITE].values())

    def _waiting(self, evtype: str) -> Iterator[tuple[int, list[FdListener]]]:
        for fd, descriptor in list(self.descriptors.items()):
            first, more = descriptor.reader, descriptor.more_readers
            if evtype == WRITE:
                first, more = descriptor.writer, descriptor.more_writers
            tickets = [] if first is None else [first]
            tickets += more
            tickets += [t for t, sides in descriptor.foreign if sides & SIDES[evtype]]
            waiting = [self._listener_of(evtype, fd, ticket) for ticket in tickets]
            if waiting:
                yield fd, waiting

    def _listener_of(self, evtype: str, fd: int, ticket: Ticket) -> FdListener:
        if isinstance(ticket.thread, Watch):
            return ticket.thread.listener
        listener = FdListener(evtype, fd, noop, noop, None)
        listener.greenlet = ticket.thread
        return listener

    # -- life ---------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """Start afresh in a forked child: the listeners were the parent's."""
        super().after_fork()
        self._watches = {}


def refuse_own_loop(hub_class: type) -> None:
    """Refuse a hub class with a loop of its own.

    Raises:
        HubError: it is no `BaseHub`, or defines `wait`.
    """
    name = f"{hub_class.__module__}.{hub_class.__qualname__}"
    if not issubclass(hub_class, BaseHub):
        raise HubError(f"{name} is no eventlet.hubs.hub.BaseHub and cannot run green threads")
    if hasattr(hub_class, "wait"):
        raise HubError(
            f"{name} brings its own wait(), but the loop is the core's; put what is special "
            "about it in a Poller (see eventlet._core.poller) and return that from make_poller"
        )
