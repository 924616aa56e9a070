"""A hub inside somebody else's loop: `fileno`, `deadline`, `run_once`, `on_earlier`.

The outer loop waits for `fileno()` to be readable or for `deadline()` to come, then calls
`run_once()`, which switches into the hub's greenlet for one pass. Between two passes the
hub is *at rest*: work made then reaches the outer loop by `on_earlier` or by `fileno()`.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import greenlet
from greenlet import getcurrent

from eventlet._core.poller import Poller
from eventlet._core.timers import Timers
from eventlet._core.wait_queue import SPENT, Ticket
from eventlet._errors import EmbeddingError
from eventlet._unpatched import get_ident

__all__ = ["WAIT_AFTER_WORK", "Embedding"]

_Greenlet = greenlet.greenlet
_LONGEST_WAIT: Final = 24 * 3600.0  # seconds; the kernel's limit is about 24 days

# A signal that comes between CPython's last look for one and the kernel call does not end that
# call: its handler runs when something else does. So a hub that runs by itself looks again, at
# first soon, for signals like to answer what we have just done, then after ever longer waits.
WAIT_AFTER_WORK: Final = 0.03
_LONGEST_QUIET_WAIT: Final = 60.0


class Embedding:
    """The part of a hub that lets another loop drive it.

    Attributes:
        outer_loop_runs: tells, while `on_earlier` is set, whether the outer loop is running.
            When it is not, its greenlet may park: the hub then runs by itself.
        around_parks: see `add_around_park`.
    """

    ident: int
    clock: Callable[[], float]
    ready: deque[Ticket]
    timers: Timers
    poller: Poller
    greenlet: _Greenlet
    asleep: bool
    _switch: Callable[[], Any]
    _rebuild: Callable[[], None]
    _at_rest: bool
    _notified: bool
    _hear_notifier: Callable[[], None]
    _pass_error: BaseException | None

    def __init__(self) -> None:
        self._embedder: _Greenlet | None = None
        self._on_earlier: Callable[[], None] | None = None
        self._joined_midway = False
        self._pass_limit: float | None = None
        self._quiet_wait = WAIT_AFTER_WORK
        self.outer_loop_runs: Callable[[], bool] = _always
        self.around_parks: tuple[Callable[[Callable[[], Any]], Any], ...] = ()

    def fileno(self) -> int:
        """Descriptor that is readable when `run_once` has I/O to do; -1 if there is none."""
        return self.poller.fileno()

    def deadline(self) -> float | None:
        """Moment of the next work in seconds on the hub's clock; None when nothing is due."""
        if self._has_ready():
            return self.clock()
        return self.timers.next_deadline()

    def _has_ready(self) -> bool:
        """Whether a thread or call is ready to run; not merely the mark that ends a batch."""
        return any(not ticket.state & SPENT for ticket in self.ready.copy())

    def _time_to_wait(self, limit: float | None) -> float:
        """Return how long a pass that finds nothing ready may wait, in seconds."""
        if self._embedder is None:
            wait = self._quiet_wait
            self._quiet_wait = min(2 * wait, _LONGEST_QUIET_WAIT)  # until something runs again
        else:
            wait = _LONGEST_WAIT if limit is None else min(limit, _LONGEST_WAIT)
        deadline = self.timers.next_deadline()
        return wait if deadline is None else min(max(deadline - self.clock(), 0.0), wait)

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
        self._joined_midway = not self._at_rest
        self.asleep = False
        if self._notified:
            self._hear_notifier()  # this pass sees what it was about; it need not cut it short
        self._switch = self._enter
        try:
            self._switch()
        finally:
            self._embedder = None
            self._pass_limit = None
            self.asleep = True
            error, self._pass_error = self._pass_error, None
            if self._on_earlier is not None:
                self._switch = self._refuse_to_park
        if error is not None:
            raise error

    @property
    def on_earlier(self) -> Callable[[], None] | None:
        """What the embedder wants called when work is made between two `run_once`.

        Called in the hub's OS thread; other OS threads make `fileno()` readable. While it
        is set, nobody can park outside `run_once`: that would stop the outer loop.
        """
        return self._on_earlier

    @on_earlier.setter
    def on_earlier(self, notice: Callable[[], None] | None) -> None:
        self._on_earlier = notice
        if notice is None:
            self.outer_loop_runs = _always  # for the next embedder to say
        elif self._embedder is None:
            self.asleep = True
            self._switch = self._refuse_to_park

    def _enter(self) -> Any:
        """Stand-in for the switch to the hub's greenlet when that may have to be made first."""
        if self.greenlet.dead:
            self._rebuild()
        elif self.greenlet:
            self._switch = self._way_in()
        return self._way_in()()

    def _way_in(self) -> Callable[[], Any]:
        switch: Callable[[], Any] = self.greenlet.switch
        for around in self.around_parks:
            switch = partial(around, switch)
        return switch

    def add_around_park(self, around: Callable[[Callable[[], Any]], Any]) -> None:
        """Have each park from now on made by `around(switch)`, which calls `switch` once.

        For what an OS thread has one of, and a greenlet must not leave behind when it parks.
        Adding the same again changes nothing.
        """
        if around not in self.around_parks:
            self._set_around_parks((*self.around_parks, around))

    def remove_around_park(self, around: Callable[[Callable[[], Any]], Any]) -> None:
        """Undo `add_around_park` for the parks that begin from now on."""
        self._set_around_parks(tuple(each for each in self.around_parks if each != around))

    def _set_around_parks(
        self, around_parks: tuple[Callable[[Callable[[], Any]], Any], ...]
    ) -> None:
        is_way_in = isinstance(self._switch, partial) or self._switch == self.greenlet.switch
        self.around_parks = around_parks
        if is_way_in:  # else it is a stand-in, which asks for the way in when its time has come
            self._switch = self._way_in()

    def _end_embedded_pass(self, embedder: _Greenlet) -> None:
        if self._joined_midway:  # that was the rest of a pass; the embedder gets a whole one
            self._joined_midway = False
            return
        self._at_rest = True
        embedder.switch()
        self._at_rest = False

    def _refuse_to_park(self) -> Any:
        """Stand-in for the switch to the hub while another loop drives it."""
        notice = self._on_earlier
        if notice is None:  # the embedder has let go of the hub
            self._switch = self._enter
            return self._switch()
        if self.outer_loop_runs():
            raise EmbeddingError(
                "this greenlet runs the loop that drives the hub; parking it would stop both; "
                "call functions that wait by `await eventlet.asyncio.to_green(func, *args)`, "
                "or spawn a green thread for them"
            )
        # Nobody drives the hub now: it runs by itself until this park is over.
        self._on_earlier = None
        self._switch = self._enter
        try:
            return self._switch()
        finally:
            self.on_earlier = notice


def _always() -> bool:
    return True
