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

An exception that escapes from a thread or a callback goes to one place, `_escaped`: a
KeyboardInterrupt or SystemExit interrupts the greenlet that created the hub (normally main),
GreenletExit is silent, everything else is reported. A signal handler may raise anywhere in
the hub's own code: `_recover` puts right what that left half done, and nothing is taken out
of a queue in one step and handed on in another where a handler could come between.
"""

import sys
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

import greenlet
from greenlet import getcurrent

from eventlet._core.closing import end_hub_greenlet, end_threads
from eventlet._core.descriptor import Descriptor
from eventlet._core.embedding import WAIT_AFTER_WORK, Embedding
from eventlet._core.foreign_waits import ForeignWaits
from eventlet._core.notifier import ClosedNotifier, Notifier
from eventlet._core.own_files import open_anew, regain
from eventlet._core.poller import Poller
from eventlet._core.pollers import default_poller
from eventlet._core.timers import Timer, Timers
from eventlet._core.wait_queue import (
    EXPIRED,
    SPENT,
    WOKEN,
    Ticket,
    interrupt,
    live_ticket,
    throw,
    wake,
)
from eventlet._errors import HubClosed, MainloopBlocked
from eventlet._unpatched import get_ident, monotonic

__all__ = ["IO_BUDGET", "Hub"]

IO_BUDGET: Final = 64
"""I/O calls a green thread may make without parking before the next one yields."""

_RawGreenlet: Final = greenlet.greenlet
_END_OF_BATCH: Final = Ticket.__new__(Ticket)
_END_OF_BATCH.state, _END_OF_BATCH.thread = SPENT, None


class Hub(Embedding, ForeignWaits):
    """Ready queue, timers, descriptors and poller of one OS thread."""

    def __init__(
        self,
        poller: Poller | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        Embedding.__init__(self)
        ForeignWaits.__init__(self)
        self.ident = get_ident()
        self.clock = clock
        self.ready: deque[Ticket] = deque()
        self.announced = self.ready
        self.timers = Timers()
        self.threads: set[greenlet.greenlet] = set()
        self.plain_threads: WeakSet[greenlet.greenlet] = WeakSet()
        self.poller: Poller = default_poller() if poller is None else poller
        self.notifier: Notifier | ClosedNotifier = Notifier()
        self._watch_notifier()
        self.asleep = False
        self.closed = False
        self.stopping = False
        self.budget = IO_BUDGET
        self.scopes = 0  # cancel scopes that are open here; see `scope`
        self.debug_exceptions = True
        self.forked_thread: greenlet.greenlet | None = None
        self._notified = False
        self._pass_error: BaseException | None = None
        self.frozen: object = None
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
        thread = ticket.thread
        if thread is None:  # the wake came while a signal handler waited
            return ticket.value
        thread._ticket = ticket
        if type(thread) is _RawGreenlet and thread.parent is not None:
            self._lead_back(thread)
        if self.scopes:
            self._refuse_cancelled(ticket)
        try:
            if timeout is None:
                return self._switch()
            self.timers.add(self.clock() + (timeout if timeout > 0 else 0), ticket)
            value = self._switch()
        except BaseException:
            # Spent also when somebody threw into this greenlet without the ticket.
            ticket.state |= SPENT
            ticket.exc = None  # its traceback refers to this frame
            if timeout is not None:
                self.timers.note_cancelled()
            raise
        if value is not EXPIRED:
            ticket.value = None  # the heap keeps the ticket, not what it brought
            self.timers.note_cancelled()
        return value

    def yield_(self) -> None:
        """Go to the end of the ready queue and let everybody else run once."""
        ticket = self.ticket()
        ticket.state = WOKEN
        thread = ticket.thread
        thread._ticket = ticket
        self.ready.append(ticket)
        if type(thread) is _RawGreenlet and thread.parent is not None:
            self._lead_back(thread)
        if self.scopes:
            self._refuse_cancelled(ticket)
        try:
            self._switch()
        except BaseException:
            ticket.state |= SPENT
            ticket.exc = None  # its traceback refers to this frame
            raise

    def _lead_back(self, thread: greenlet.greenlet) -> None:
        """See to it that the end of a greenlet that somebody else made does no harm.

        It leads to its maker. That is right where the maker waits for it in a plain switch;
        out of anything else, a park above all, it would tear the maker: then it leads to
        the hub.
        """
        self.plain_threads.add(thread)
        maker = thread.parent
        if maker is self.greenlet or thread is self.main_greenlet():
            return
        if maker is None or not (maker.dead or live_ticket(maker) is not None):
            return
        try:
            thread.parent = self.greenlet
        except ValueError:
            pass  # the hub was made below it

    def _refuse_cancelled(self, ticket: Ticket) -> None:
        scope = getattr(ticket.thread, "_scope", None)
        if scope is not None:
            scope.check(ticket)

    def spend(self) -> None:
        """Yield because the caller's I/O budget is used up.

        Harmless where nobody may yield: in the hub's own greenlet and for a hub of
        another OS thread.
        """
        self.budget = IO_BUDGET
        if get_ident() == self.ident and self.may_park():
            self.yield_()

    def may_park(self) -> bool:
        """Whether the calling greenlet can park: no loop runs in it, neither ours nor another."""
        if self._on_earlier is not None and self._embedder is None:
            return False
        return getcurrent() is not self.greenlet

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
        """Run a thread that has not started yet, in `seconds`; 0 or less is `start`."""
        if not seconds > 0:
            return self.start(thread)
        ticket = Ticket(self, thread)
        thread._ticket = ticket  # type: ignore[attr-defined]  # greenlets take attributes
        self._add_timer(self.clock() + seconds, ticket)
        return ticket

    def call_soon(self, func: Callable[..., object], *args: Any, **kwargs: Any) -> Timer:
        """Have the hub call `func` in its own greenlet, in the next batch."""
        timer = Timer(self, func, args, kwargs)
        self._make_due(timer)
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
        self._make_due(timer)
        return deadline

    def _make_due(self, timer: Timer) -> None:
        timer.state = WOKEN
        self.ready.append(timer)
        if self.asleep:
            self.notify()

    def _add_timer(self, deadline: float, ticket: Ticket) -> None:
        self.timers.add(deadline, ticket)
        if self.asleep and self.timers.heap[0][2] is ticket:
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
        if self._on_earlier is not None and self._embedder is None and get_ident() == self.ident:
            self._on_earlier()
        elif not self._notified:
            self._notified = True
            try:
                self.notifier.notify()
            except BaseException:  # a signal handler raised: the next one must write
                self._notified = False
                raise
        return True

    def foreign_descriptor(self, fd: int) -> Descriptor:
        """Return the record of a number for a foreign wait: its owner's, or a new one."""
        return self.descriptors.get(fd) or Descriptor(self, fd, owned=False)

    def describe(self, thread: Any) -> str:
        """Name a green thread in an error message."""
        name = getattr(thread, "name", None)
        return str(name) if name is not None else repr(thread)

    # -- the loop ----------------------------------------------------------------------------

    def _new_greenlet(self, parent: greenlet.greenlet | None = None) -> greenlet.greenlet:
        hub_greenlet = greenlet.greenlet(self._run, parent)
        self._switch: Callable[[], Any] = self._enter
        self._at_rest = True
        return hub_greenlet

    def _rebuild(self) -> None:
        ended = self.greenlet
        self._recover()
        self.stopping = False
        self.greenlet = self._new_greenlet(self.main_greenlet())
        for thread in [*self.threads, *self.plain_threads]:
            if not thread.dead and thread.parent is ended:
                thread.parent = self.greenlet

    def _run(self, _end_of_predecessor: object = None) -> None:
        try:
            self._at_rest = False
            self._switch = self._way_in()
            self._loop()
        finally:
            if not self.closed:
                self._switch = self._enter
        if live_ticket(self.main_greenlet()) is None:
            return
        # The end of a greenlet resumes its parent, here one that waits for a wake.
        if self.closed:
            raise HubClosed
        ended = self.greenlet
        self._rebuild()
        ended.parent = self.greenlet  # a successor takes over

    # Since CPython 3.13 what a signal handler raises at the end of a loop's turn passes by
    # an `except` around the loop. So a function that loops is guarded where it is called.

    def _loop(self) -> None:
        while not self.stopping:
            try:
                self._pass()
            except BaseException as exc:
                if self._recover():
                    self._escaped(exc)
                elif not (isinstance(exc, OSError) and regain(self)):
                    # A signal handler's, as a rule: raised where the program waits.
                    self.interrupt_main(exc)
            if self._embedder is not None:
                self._end_embedded_pass(self._embedder)

    def _pass(self) -> None:
        ready = self.ready
        limit = self._pass_limit
        if ready or limit == 0:
            wait: float | None = 0
        else:
            self.asleep = True
            wait = 0 if ready else self._time_to_wait(limit)
        events = self.poller.poll(wait)
        self.asleep = False
        if events:
            if ready:
                self.begin_announcing()
            descriptors = self.descriptors
            for fd, flags in events:
                descriptor = descriptors.get(fd)
                if descriptor is not None:
                    descriptor.announce(flags)
                elif fd == self.notifier.fd:
                    self._hear_notifier()
                else:
                    self.poller.forget(fd)
            if self.announced is not ready:
                self.end_announcing()
        if self.timers.heap:
            self.timers.expire(self.clock(), ready)
        if ready:
            self._quiet_wait = WAIT_AFTER_WORK
        self._run_batch(ready)

    def _run_batch(self, ready: "deque[Ticket]") -> None:
        ready.append(_END_OF_BATCH)
        # Between taking a ticket out and switching no signal handler can run and raise, or
        # the thread would be lost: CPython looks for signals at calls and backward jumps,
        # `iter` takes out without either, and nothing below calls but the switch.
        for ticket in iter(ready.popleft, _END_OF_BATCH):
            state = ticket.state
            if state & SPENT:
                continue
            ticket.state = state | SPENT
            thread = ticket.thread
            ticket.thread = None  # thread and ticket refer to each other
            self.budget = IO_BUDGET
            if state == WOKEN:
                thread.switch(ticket.value)
            elif (exc := ticket.exc) is not None:
                thread.throw(exc.__class__, exc, exc.__traceback__)

    def _recover(self) -> bool:
        """Put right what a pass that was cut short by an exception left half done.

        Returns:
            Whether the exception came out of the batch: from a thread or a callback.
        """
        self.asleep = False
        self.end_announcing()
        try:
            self.ready.remove(_END_OF_BATCH)  # the rest of the batch joins the next one
        except ValueError:
            # It came before the batch: events may have been dropped with it.
            self._pass = self._announce_again_and_pass  # type: ignore[method-assign]  # once
            return False
        return True

    def _announce_again_and_pass(self) -> None:
        """Make a pass after one whose events were dropped: the kernel tells them again."""
        self._notified = False
        self._watch_notifier()
        for descriptor in list(self.descriptors.values()):
            descriptor.announce_again()
        del self._pass  # the usual one again
        self._pass()

    def _hear_notifier(self) -> None:
        # Drained before the mark is taken back: who sees the mark may leave out the write.
        self.notifier.drain()
        self._notified = False
        self._watch_notifier()

    def _watch_notifier(self) -> None:
        self.poller.rearm(self.notifier.fd, True, False)

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
        if self.offer_main(exc):
            return
        main = self.main_greenlet()
        if main is None or main is getcurrent():
            raise exc
        if self._embedder is not None or live_ticket(main) is not None:
            self.call_soon(self.interrupt_main, exc)  # another interrupt comes first
        else:
            throw(main, exc)

    def offer_main(self, exc: BaseException) -> bool:
        """Have `exc` raised in the greenlet that made the hub, or in who embeds the hub.

        Returns:
            False when that greenlet does not wait for this hub, or is being interrupted.
        """
        ticket = live_ticket(self.main_greenlet())
        if ticket is not None and interrupt(ticket, exc):
            return True
        if self._embedder is None or self._pass_error is not None:
            return False
        self._pass_error = exc
        if self.asleep:
            self.notify()
        return True

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
        except Exception:  # noqa: S110  # standard error itself is broken: nowhere to say it
            pass

    # -- what is left ----------------------------------------------------------------------------

    def is_stalled(self) -> bool:
        """Whether nothing is left on this hub that could wake anybody.

        True means: no ready thread, no timer, nobody waiting on a descriptor, no embedder.
        Another OS thread or a signal handler could still make work.
        """
        if self._embedder is not None or self._on_earlier is not None:
            return False
        if self._has_ready() or self.timers.next_deadline() is not None:
            return False
        return not any(
            d.reader or d.writer or d.more_readers or d.more_writers or d.foreign
            for d in list(self.descriptors.values())
        )

    def after_fork(self) -> None:
        """Start afresh in a forked child: only the greenlet that forked is left.

        What belonged to the others is kept, and never touched again.
        """
        current = getcurrent()
        records = list(self.descriptors.values())
        waiting = [(d.reader, d.writer, d.more_readers, d.more_writers, d.foreign) for d in records]
        self.frozen = (self.ready.copy(), self.timers, self.threads, records, waiting)
        self.ident = get_ident()
        self.ready.clear()
        self.ready.append(_END_OF_BATCH)  # when a callback of the hub forked
        self.ready = self.announced = deque()
        self.timers = Timers()
        self.threads = set()
        self.plain_threads = WeakSet()
        for descriptor in records:
            descriptor.after_fork()
        self.descriptors = {}
        open_anew(self)
        self.asleep = False
        if self._embedder is not None:
            self._on_earlier = None  # the outer loop is frozen too
        self._embedder = self._pass_limit = self._pass_error = None
        if current is self.greenlet:
            self.stopping = True
        self.greenlet = self._new_greenlet(current)

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
        ours = get_ident() == self.ident
        if ours and getcurrent() is not self.greenlet:
            end_threads(self)
        self.closed = self.stopping = True
        self.asleep = True  # every wake asks `notify`, which says that we are closed
        self._switch = _refuse_when_closed
        self.ready.clear()
        self.ready.append(_END_OF_BATCH)  # for the batch that may be under way
        self.ready = self.announced = deque(maxlen=0)
        self.timers = Timers()
        for descriptor in list(self.descriptors.values()):
            descriptor.closed = True
        self.descriptors.clear()
        self.threads.clear()
        self.plain_threads.clear()
        self.notifier = ClosedNotifier()
        self.poller.close()
        if ours:
            end_hub_greenlet(self)


def _refuse_when_closed() -> Any:
    """Stand-in for the switch to the greenlet of a closed hub."""
    raise HubClosed
