"""The hub: one per OS thread; it runs the green threads of that OS thread.

Theory of operation
-------------------
A green thread stops in one place, `Hub.park`, which switches to the hub's own greenlet.
That greenlet repeats one *pass*:

1. poll: not at all waiting while threads are ready, else until the next deadline;
2. each event renews a descriptor's beliefs and wakes its waiters;
3. expired timers are woken: a timer is a ticket whose thread is a callback;
4. the tickets that were ready when the batch began are run, in order.

What a batch makes ready waits for the next pass, so threads that never wait cannot starve
I/O. `wake` and `interrupt` only append to `ready`; nobody but the hub switches into a
parked thread.

While the hub may be waiting in the kernel, or while somebody else's loop drives it and it
is between two `run_once`, it is marked `asleep`. Whoever makes work then (another OS
thread, a signal handler, the garbage collector) also writes the wake-up descriptor; the
mark is set before the last look at the work and cleared after the poll, so no order of
events loses a wake-up.

An exception that escapes into the hub's greenlet goes to one place, `_escaped`: a
KeyboardInterrupt or SystemExit interrupts the greenlet that created the hub (normally main),
GreenletExit is silent, everything else is reported.
"""

import sys
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import greenlet
from greenlet import getcurrent

from eventlet._core.descriptor import Descriptor
from eventlet._core.notifier import Notifier
from eventlet._core.poller import Poller
from eventlet._core.pollers import default_poller
from eventlet._core.timers import Timer, Timers
from eventlet._core.wait_queue import EXPIRED, SPENT, WOKEN, Ticket, interrupt, wake
from eventlet._errors import EmbeddingError, HubClosed, IOClosed, MainloopBlocked
from eventlet._unpatched import get_ident, monotonic

__all__ = ["IO_BUDGET", "Hub"]

IO_BUDGET: Final = 64
"""I/O calls a green thread may make without parking before the next one yields."""


class Hub:
    """Ready queue, timers, descriptors and poller of one OS thread."""

    def __init__(
        self,
        poller: Poller | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.ident = get_ident()
        self.clock = clock
        self.ready: deque[Ticket] = deque()
        self.timers = Timers()
        self.descriptors: dict[int, Descriptor] = {}
        self.threads: set[greenlet.greenlet] = set()
        self.poller: Poller = default_poller() if poller is None else poller
        self.notifier = Notifier()
        self._watch_notifier()
        self.asleep = False
        self.closed = False
        self.stopping = False
        self.budget = IO_BUDGET
        self.debug_exceptions = True
        self.on_earlier: Callable[[], None] | None = None
        self.forked_thread: greenlet.greenlet | None = None
        self._notified = False
        self._embedder: greenlet.greenlet | None = None
        self._pass_limit: float | None = None
        self._pass_error: BaseException | None = None
        self._rebuilt = False
        self.greenlet = self._new_greenlet()

    # -- the one place where a green thread stops --------------------------------------

    def ticket(self) -> Ticket:
        """Make the ticket of the calling green thread's next park.

        Raises:
            MainloopBlocked: the caller is the hub's own greenlet, which must never wait.
        """
        thread = getcurrent()
        if thread is self.greenlet:
            raise MainloopBlocked
        return Ticket(self, thread)

    def park(self, ticket: Ticket, timeout: float | None = None) -> Any:
        """Stop the calling green thread until its `ticket` is woken or interrupted.

        Args:
            ticket: made by `ticket()`, in the same green thread.
            timeout: seconds; None waits for ever; 0 or less lasts one pass.

        Returns:
            The value given to `wake`, or EXPIRED when `timeout` was up first.

        Raises:
            BaseException: what was given to `interrupt`.
        """
        ticket.thread._ticket = ticket
        if timeout is None:
            return self._switch()
        self.timers.add(self.clock() + (timeout if timeout > 0 else 0), ticket)
        try:
            value = self._switch()
        except BaseException:
            self.timers.note_cancelled()
            raise
        if value is not EXPIRED:
            self.timers.note_cancelled()
        return value

    def yield_(self) -> None:
        """Go to the end of the ready queue and let everybody else run once."""
        ticket = self.ticket()
        ticket.state = WOKEN
        self.ready.append(ticket)
        ticket.thread._ticket = ticket
        self._switch()

    def spend(self) -> None:
        """Yield because the caller's I/O budget is used up.

        Harmless where nobody may yield: in the hub's own greenlet and for a hub of
        another OS thread.
        """
        self.budget = IO_BUDGET
        if get_ident() == self.ident and getcurrent() is not self.greenlet:
            self.yield_()

    # -- making work ---------------------------------------------------------------------

    def start(self, thread: greenlet.greenlet) -> Ticket:
        """Run a thread that has not started yet, in the next batch."""
        ticket = Ticket(self, thread)
        ticket.state = WOKEN
        thread._ticket = ticket  # type: ignore[attr-defined]  # greenlets take attributes
        self.ready.append(ticket)
        if self.asleep:
            self.notify()
        return ticket

    def start_later(self, thread: greenlet.greenlet, seconds: float) -> Ticket:
        """Run a thread that has not started yet, in `seconds`."""
        ticket = Ticket(self, thread)
        thread._ticket = ticket  # type: ignore[attr-defined]  # greenlets take attributes
        self._add_timer(self.clock() + seconds, ticket)
        return ticket

    def call_soon(self, func: Callable[..., object], *args: Any, **kwargs: Any) -> Timer:
        """Have the hub call `func` in its own greenlet, in the next batch."""
        timer = Timer(self, func, args, kwargs)
        timer.state = WOKEN
        self.ready.append(timer)
        if self.asleep:
            self.notify()
        return timer

    def call_later(
        self, seconds: float, func: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Timer:
        """Have the hub call `func` in `seconds`; 0 or less is `call_soon`."""
        timer = Timer(self, func, args, kwargs)
        self.schedule(timer, seconds)
        return timer

    def call_at(
        self, deadline: float, func: Callable[..., object], *args: Any, **kwargs: Any
    ) -> Timer:
        """Have the hub call `func` at `deadline`, in seconds on the hub's clock."""
        timer = Timer(self, func, args, kwargs)
        self._add_timer(deadline, timer)
        return timer

    def schedule(self, timer: Timer, seconds: float) -> float:
        """Have a timer that is not scheduled yet called on this hub, in `seconds`.

        Returns:
            The deadline, in seconds on the hub's clock; 0 or less is the next batch.
        """
        timer.hub = self
        deadline = self.clock() + seconds
        if seconds > 0:
            self._add_timer(deadline, timer)
            return deadline
        timer.state = WOKEN
        self.ready.append(timer)
        if self.asleep:
            self.notify()
        return deadline

    def _add_timer(self, deadline: float, ticket: Ticket) -> None:
        self.timers.add(deadline, ticket)
        if self.asleep:
            self.notify()

    def call_from_thread(self, func: Callable[..., object], *args: Any) -> Timer:
        """`call_soon` for other OS threads, by its name; `call_soon` is safe there too.

        Raises:
            HubClosed: this hub's OS thread has ended.
        """
        if self.closed:
            raise HubClosed
        return self.call_soon(func, *args)

    wake_from_thread = staticmethod(wake)

    def notify(self) -> bool:
        """Tell a hub that is asleep, or its embedder, that there is work.

        Returns:
            False when the hub is closed and nothing will run.
        """
        if self.closed:
            return False
        if self.on_earlier is not None and get_ident() == self.ident:
            self.on_earlier()
        elif not self._notified:
            self._notified = True
            self.notifier.notify()
        return True

    # -- descriptors -----------------------------------------------------------------------

    def wait_foreign(
        self, fd: int, read: bool = False, write: bool = False, timeout: float | None = None
    ) -> Any:
        """Park until a descriptor that somebody else owns is ready.

        Returns:
            The ready flags (see `poller`), or EXPIRED when the time was up first.
        """
        sides = (1 if read else 0) | (4 if write else 0)
        ready = self.wait_foreign_many({fd: sides}, timeout)
        return ready[fd] if ready else EXPIRED

    def wait_foreign_many(
        self, wanted: dict[int, int], timeout: float | None = None
    ) -> dict[int, int]:
        """Park until one of several descriptors is ready.

        Args:
            wanted: descriptor number -> READ, WRITE or both.
            timeout: seconds; None waits for ever.

        Returns:
            Descriptor number -> ready flags; empty when the time was up first.
        """
        ticket = self.ticket()
        watched: list[int] = []
        try:
            for fd, sides in wanted.items():
                watched.append(fd)
                self.foreign_descriptor(fd).add_foreign(ticket, sides)
            value = self.park(ticket, timeout)
        finally:
            ticket.state |= SPENT  # a number before the one that was refused may have woken it
            for fd in watched:
                descriptor = self.descriptors.get(fd)
                if descriptor is not None:
                    descriptor.discard_foreign(ticket)
        return {} if value is EXPIRED else {value[0]: value[1]}

    def foreign_descriptor(self, fd: int) -> Descriptor:
        """Return the record of a number for a foreign wait: its owner's, or a new one."""
        return self.descriptors.get(fd) or Descriptor(self, fd, owned=False)

    def recycle(self, descriptor: Descriptor) -> None:
        """A new file has the number of `descriptor`: its waiters get `IOClosed`."""
        descriptor.closed = descriptor.recycled = True
        descriptor.can_read = descriptor.can_write = False  # its next call must not touch it
        descriptor.evict(IOClosed)
        self.drop_descriptor(descriptor)

    def drop_descriptor(self, descriptor: Descriptor) -> None:
        """Let the kernel and this hub forget `descriptor`."""
        if self.descriptors.get(descriptor.fd) is descriptor:
            del self.descriptors[descriptor.fd]
            self.poller.forget(descriptor.fd)
        descriptor.registered = False

    def describe(self, thread: Any) -> str:
        """Name a green thread in an error message."""
        name = getattr(thread, "name", None)
        return str(name) if name is not None else repr(thread)

    # -- the loop ----------------------------------------------------------------------------

    def _new_greenlet(self, parent: greenlet.greenlet | None = None) -> greenlet.greenlet:
        hub_greenlet = greenlet.greenlet(self._run, parent)
        self._switch: Callable[[], Any] = hub_greenlet.switch
        return hub_greenlet

    def _revive_and_switch(self) -> Any:
        """Stand-in for the switch of a hub greenlet that ended: make a new one."""
        if self.closed:
            raise HubClosed
        self.stopping = False
        self._rebuilt = True
        self.greenlet = self._new_greenlet(self.main_greenlet())
        return self._switch()

    def _run(self) -> None:
        try:
            while not self.stopping:
                try:
                    self._pass()
                except BaseException as exc:
                    self._escaped(exc)
                if self._embedder is not None:
                    self._embedder.switch()
        finally:
            self._switch = self._revive_and_switch
            ticket = getattr(self.main_greenlet(), "_ticket", None)
            if ticket is not None:
                ticket.state |= SPENT  # the end of this greenlet resumes it without a wake

    def _pass(self) -> None:
        ready = self.ready
        limit = self._pass_limit
        if ready or limit == 0:
            wait: float | None = 0
        else:
            self.asleep = True
            wait = 0 if ready else self._time_to_wait(limit)
        try:
            events = self.poller.poll(wait)
        finally:
            self.asleep = False
        if events:
            descriptors = self.descriptors
            for fd, flags in events:
                descriptor = descriptors.get(fd)
                if descriptor is not None:
                    descriptor.announce(flags)
                elif fd == self.notifier.fd:
                    self._notified = False
                    self.notifier.drain()
                    self._watch_notifier()
                else:
                    self.poller.forget(fd)
        if self.timers.heap:
            for ticket in self.timers.pop_expired(self.clock()):
                wake(ticket, EXPIRED)
        self._run_batch(len(ready))

    def _run_batch(self, size: int) -> None:
        popleft = self.ready.popleft
        for _ in range(size):
            ticket = popleft()
            state = ticket.state
            if state & SPENT:
                continue
            ticket.state = state | SPENT
            thread = ticket.thread
            ticket.thread = None  # thread and ticket refer to each other
            self.budget = IO_BUDGET
            if self._rebuilt:
                self._adopt(thread)
            if state == WOKEN:
                thread.switch(ticket.value)
            elif ticket.exc is not None:
                thread.throw(ticket.exc)

    def _time_to_wait(self, limit: float | None) -> float | None:
        deadline = self.timers.next_deadline()
        if deadline is None:
            return limit
        wait = max(deadline - self.clock(), 0.0)
        return wait if limit is None else min(wait, limit)

    def _watch_notifier(self) -> None:
        self.poller.rearm(self.notifier.fd, True, False)

    def _adopt(self, thread: Any) -> None:
        """Give a thread of a hub greenlet that ended the present one as its parent."""
        parent = getattr(thread, "parent", None)
        if parent is not None and parent is not self.greenlet and parent.dead:
            thread.parent = self.greenlet

    # -- exceptions that escape ----------------------------------------------------------------

    def _escaped(self, exc: BaseException) -> None:
        if isinstance(exc, greenlet.GreenletExit):
            return
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            self.interrupt_main(exc)
            return
        self.report(None, exc)

    def main_greenlet(self) -> greenlet.greenlet | None:
        """Return the greenlet that made this hub, normally the main one of the OS thread."""
        main = self.greenlet.parent
        while main is not None and main.dead:
            main = main.parent
        return main

    def interrupt_main(self, exc: BaseException) -> None:
        """Raise `exc` in the greenlet that made the hub, or in whoever embeds the hub."""
        main = self.main_greenlet()
        ticket = getattr(main, "_ticket", None)
        if ticket is not None and interrupt(ticket, exc):
            return
        if self._embedder is not None and self._pass_error is None:
            self._pass_error = exc
            return
        if main is not None and main is not getcurrent():
            main.throw(exc)
            return
        raise exc

    def report(self, thread: Any, exc: BaseException) -> None:
        """Print an exception that nobody caught, with the green thread it ended."""
        if not self.debug_exceptions or isinstance(exc, greenlet.GreenletExit):
            return
        stream = sys.stderr
        if stream is None:
            return
        where = f"Exception in {thread!r}\n" if thread is not None else "Exception in the hub\n"
        text = "".join(traceback.format_exception(exc))
        try:
            stream.write(where + text)
            stream.flush()
        except (OSError, ValueError):
            pass  # standard error itself is gone; there is nowhere left to say it

    # -- embedding -------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Descriptor that is readable when `run_once` has I/O to do; -1 if there is none."""
        return self.poller.fileno()

    def deadline(self) -> float | None:
        """Moment of the next work in seconds on the hub's clock; None when nothing is due."""
        if self.ready:
            return self.clock()
        return self.timers.next_deadline()

    def run_once(self, timeout: float | None = 0) -> None:
        """Make one pass, then return. For a loop that embeds this hub.

        Args:
            timeout: seconds to wait for work when there is none; None waits for ever.

        Raises:
            EmbeddingError: called inside a pass, or from the wrong OS thread.
        """
        if get_ident() != self.ident:
            raise EmbeddingError("run_once belongs to the OS thread of its hub")
        if self._embedder is not None or getcurrent() is self.greenlet:
            raise EmbeddingError("run_once inside run_once: the hub is already making a pass")
        self._embedder = getcurrent()
        self._pass_limit = timeout
        self.asleep = False
        try:
            self._switch()
        finally:
            self._embedder = None
            self._pass_limit = None
            self.asleep = True
        error, self._pass_error = self._pass_error, None
        if error is not None:
            raise error

    def is_stalled(self) -> bool:
        """Whether nothing is left on this hub that could wake anybody.

        True means: no ready thread, no timer, nobody waiting on a descriptor, no embedder.
        Another OS thread or a signal handler could still make work.
        """
        if self.ready or self._embedder is not None or self.on_earlier is not None:
            return False
        if self.timers.next_deadline() is not None:
            return False
        return not any(
            d.reader or d.writer or d.more_readers or d.more_writers or d.foreign
            for d in self.descriptors.values()
        )

    def after_fork(self) -> None:
        """Start afresh in a forked child: only the thread that forked is left."""
        self.ident = get_ident()
        self.ready = deque()
        self.timers = Timers()
        self.threads = set()
        for descriptor in self.descriptors.values():
            descriptor.after_fork()
        self.descriptors = {}
        self.poller.close()
        self.notifier.close()
        self.poller = type(self.poller)()
        self.notifier = Notifier()
        self._notified = False
        self._watch_notifier()
        self.asleep = False
        main = self.main_greenlet()
        self._embedder = None
        self.greenlet = self._new_greenlet(main)
        current = getcurrent()
        if current is not main:
            current.parent = self.greenlet

    # -- the end -----------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the loop after this pass; the next park starts it again."""
        self.stopping = True
        if self.asleep:
            self.notify()

    def close(self) -> None:
        """End the green threads of this hub and give its descriptors back.

        Called when the OS thread ends. Threads that wait again while they are ended get
        a few passes, then they are dropped.
        """
        if self.closed:
            return
        if get_ident() == self.ident and getcurrent() is not self.greenlet:
            self._end_threads()
        self.closed = True
        self.asleep = True
        self.ready.clear()
        self.timers = Timers()
        for descriptor in list(self.descriptors.values()):
            descriptor.closed = True
        self.descriptors.clear()
        self.threads.clear()
        self.notifier.close()
        self.poller.close()

    def _end_threads(self) -> None:
        for _ in range(_CLOSING_PASSES):
            living = [thread for thread in self.threads if not thread.dead]
            if not living or self._embedder is not None:
                return
            for thread in living:
                ticket = getattr(thread, "_ticket", None)
                if ticket is not None:
                    interrupt(ticket, greenlet.GreenletExit())
            self.run_once(0)


_CLOSING_PASSES: Final = 8
