"""A call in a green thread of its own, and what is registered for it anywhere."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import PENDING, WOKEN, Ticket, live_ticket
from eventlet.greenthread import sleep, spawn

from tests.leaks import find_leaks, take_snapshot
from tests.unit.parks.stage import Stage

__all__ = ["Attempt", "Registered", "Tickets", "settle", "spin"]

PATIENCE = 30.0  # seconds that anything here may take
MANY = 50  # passes without an event
CALL_FIELDS = 5  # of what `_thread_pool` queues
Tickets = list[Ticket | None]
_NOT_YET: Any = object()


class Attempt:
    """A call that is being made in a green thread.

    Attributes:
        thread: the green thread.
        outcome: the result of the call, or its exception without traceback.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self.outcome: Any = _NOT_YET
        self.raised = False
        self.thread = spawn(self._make, call)

    def _make(self, call: Callable[[], Any]) -> None:
        try:
            self.outcome = call()
        except BaseException as exc:
            self.raised = True
            self.outcome = _bare(exc)

    @property
    def is_over(self) -> bool:
        return self.outcome is not _NOT_YET

    @property
    def ticket(self) -> Ticket | None:
        """The ticket of the park it is in."""
        return live_ticket(self.thread) if self.thread else None

    @property
    def is_parked(self) -> bool:
        ticket = self.ticket
        return ticket is not None and ticket.state == PENDING

    @property
    def is_woken(self) -> bool:
        """Whether it was woken and has not run yet."""
        ticket = self.ticket
        return ticket is not None and ticket.state == WOKEN

    def wait_until_parked(self) -> None:
        """Let everybody run until the call waits and nothing moves any more."""
        settle()
        spin(lambda: self.is_parked or self.is_over)
        assert not self.is_over, f"it did not park, but ended with {self.outcome!r}"

    def wait_until_switched(self) -> None:
        """Let everybody run until the call waits in a plain switch, without a ticket."""
        settle()
        assert self.ticket is None
        assert not self.is_over, f"it did not wait, but ended with {self.outcome!r}"

    def wait_until_yielding(self) -> None:
        """Stop where the call has only let others run."""
        sleep(0)
        assert self.is_woken, self.outcome

    def wait_until_woken(self, times: int) -> bool:
        """Stop in the instant after the call was woken so many times; False: it was over before."""
        for _ in range(times):
            seen = self.ticket if self.is_woken else None
            spin(partial(self._is_woken_again, seen))
        return not self.is_over

    def _is_woken_again(self, seen: Ticket | None) -> bool:
        return self.is_over or (self.is_woken and self.ticket is not seen)

    def watch(self) -> Ticket | None:
        """Wait until the call is over; return the ticket of its last park."""
        last = None
        give_up = time.monotonic() + PATIENCE
        while not self.is_over:
            last = self.ticket or last
            assert time.monotonic() < give_up, f"not over within {PATIENCE} seconds"
            sleep(0.0005)
        return last

    def end(self) -> Any:
        """Wait until the call is over; return its outcome."""
        spin(lambda: self.thread.dead)
        self.thread._ticket = None  # of its last park: it may keep that
        return self.outcome

    def end_well(self) -> Any:
        """`end` of a call that must not fail."""
        outcome = self.end()
        assert not self.raised, f"it raised {outcome!r}"
        return outcome


def spin(has_come: Callable[[], bool]) -> None:
    """Let others run until something has come; without timers, since clocks are played with."""
    give_up = time.monotonic() + PATIENCE
    for count in itertools.count():
        if has_come():
            return
        assert time.monotonic() < give_up, f"it did not come within {PATIENCE} seconds"
        if count > MANY:
            time.sleep(0.0005)  # an OS thread, a process or the kernel has to do its part
        sleep(0)


def settle(passes: int = 12) -> None:
    """Let everybody run who can."""
    for _ in range(passes):
        sleep(0)


def _bare(exc: BaseException) -> BaseException:
    """Take off the tracebacks, which keep alive whatever the call referred to."""
    for each in (exc.__context__, exc.__cause__):
        if each is not None:
            _bare(each)
    if isinstance(exc, BaseExceptionGroup):
        for each in exc.exceptions:
            _bare(each)
    return exc.with_traceback(None)


class Registered:
    """What is registered at one moment, apart from the calls that are being made."""

    def __init__(self, stage: Stage) -> None:
        hub = get_hub()
        self._stage = stage
        self._resources = take_snapshot()
        self._waiters = _waiters(stage)
        self._scopes = hub.scopes
        self._children = _children()

    def differences(self, tickets: Tickets) -> list[str]:
        """Tell what is there now and was not then, and who holds tickets of calls that are over.

        Takes them out of the list: nobody else may refer to them, the caller included.
        """
        settle(3)
        found = find_leaks(self._resources, self._stage.owns)
        found += [f"waiter: {waiter}" for waiter in _waiters(self._stage) - self._waiters]
        found += [f"child process: {child}" for child in _children() - self._children]
        if get_hub().scopes != self._scopes:
            found.append(f"{get_hub().scopes - self._scopes} scopes are open")
        while tickets:
            found += holders(tickets.pop())
        return found


def _waiters(stage: Stage) -> set[str]:
    """Name who waits for a descriptor, apart from those that the stage has wait there."""
    found = set()
    for fd, record in get_hub().descriptors.items():
        tickets = [record.reader, record.writer, *record.more_readers, *record.more_writers]
        tickets += [ticket for ticket, _ in record.foreign]
        found |= {
            f"{fd}: {ticket!r}" for ticket in tickets if ticket and not stage.has(ticket.thread)
        }
    return found


def _children() -> set[int]:
    """Number the child processes, also those that have ended and were not reaped."""
    tasks = Path("/proc/self/task")
    found = set()
    for task in os.listdir(tasks):
        try:
            found |= {int(pid) for pid in (tasks / task / "children").read_text().split()}
        except FileNotFoundError:
            continue  # an OS thread that has ended, or a kernel that does not tell
    return found


def holders(ticket: Ticket | None) -> list[str]:
    """Tell who else refers to the ticket of a call that is over; the caller must not.

    Some may: a dead entry in the heap of timers stays there until its deadline; a record keeps
    its reader's ticket for the next wait; a call that an OS thread has begun goes on, without
    anybody who waits for it.
    """
    if ticket is None:
        return []
    known = _known_holders(ticket)
    if sys.getrefcount(ticket) <= _count_of_an_argument(object()) + len(known):
        return []
    found = _other_holders(ticket, [*known, sys._getframe()])
    if found:
        gc.collect()  # what nobody refers to any more does no harm
        found = _other_holders(ticket, [*known, sys._getframe()])
    return found


def _count_of_an_argument(thing: object) -> int:
    """Return what `sys.getrefcount` says of an argument nobody else has; Pythons differ."""
    return sys.getrefcount(thing)


def _other_holders(ticket: Ticket, known: list[object]) -> list[str]:
    allowed = {id(each) for each in (*known, sys._getframe())}
    found = []
    for holder in gc.get_referrers(ticket):  # no comprehension: it would hold the ticket as well
        is_call = isinstance(holder, tuple) and _is_call_of_pool(holder)
        if not (id(holder) in allowed or is_call):
            found.append(f"the ticket is in {type(holder)}: {holder!r}"[:300])
    return found


def _known_holders(ticket: Ticket) -> list[object]:
    hub = get_hub()
    return [
        *(entry for entry in hub.timers.heap if entry[2] is ticket),
        *(record for record in hub.descriptors.values() if record.spare_reader is ticket),
    ]


def _is_call_of_pool(holder: tuple[Any, ...]) -> bool:
    return [*map(type, holder)][:1] == [Ticket] and len(holder) == CALL_FIELDS
