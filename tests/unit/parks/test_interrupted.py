"""Kill-anywhere: every call that parks is killed, timed out, cancelled, its descriptor closed.

Afterwards all is as if the call had never been made, or had been completed: nothing is
registered for it anywhere, and the same object serves the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet._core.scope import Cancelled, CancelScope
from eventlet.greenthread import sleep
from eventlet.timeout import Timeout

from tests.unit.parks.attempt import Attempt, Registered, Tickets, settle
from tests.unit.parks.catalogue import PARKS
from tests.unit.parks.park import Park, Wait
from tests.unit.parks.stage import Stage

SOON = 0.004  # seconds until a time-out: everybody who can run has run by then
WAKES = 12  # more often no call is woken before it returns
AT_ONCE = 30  # passes that a call takes which finds what it needs


def entries(is_meant: Callable[[Park], object] = bool) -> list[Any]:
    """Select parks by what they are."""
    return [
        pytest.param(park, id=name, marks=[pytest.mark.slow] if park.slow else [])
        for name, park in PARKS.items()
        if is_meant(park)
    ]


ALL = entries()
LONG_ONES = entries(lambda park: not park.yields)
SCOPED = entries(lambda park: not (park.ticketless or park.shielded))
REFUSED = entries(lambda park: not (park.ticketless or park.shielded or park.stubborn))
CLOSED = entries(lambda park: park.closes)


@contextmanager
def tried(park: Park) -> Iterator[tuple[Trial, Wait]]:
    with Stage() as stage:
        trial = Trial(park, stage)
        yield trial, trial.wait


class Trial:
    """One call that is going to be interrupted, and how things stood before it."""

    def __init__(self, park: Park, stage: Stage) -> None:
        self.park = park
        self.wait = park.build(stage)
        settle()
        self.state = self.wait.state()
        self.registered = Registered(stage)

    def start(self, call: Any = None) -> Attempt:
        """Make the call, up to where it waits."""
        attempt = Attempt(call or self.wait.call)
        if self.park.yields:
            attempt.wait_until_yielding()
        elif self.park.ticketless:
            attempt.wait_until_switched()
        else:
            attempt.wait_until_parked()
        return attempt

    def check_never_made(self, tickets: Tickets) -> None:
        """See that nothing is left of the call."""
        if self.wait.goes_on is not None:
            self.wait.goes_on()
        settle(3)
        assert self.wait.state() == self.state
        assert self.registered.differences(tickets) == []

    def check_next_call(self) -> None:
        """See that the same object serves the next call, which has to wait too."""
        if self.wait.spent:
            return
        self.wait.repair()
        if self.wait.ready_first:
            self.complete()
            attempt = Attempt(self.wait.call)
        else:
            attempt = self.start()
            self.complete()
        assert self.wait.is_right(attempt.end_well()), attempt.outcome

    def see_to_the_end(self, attempt: Attempt) -> None:
        """Complete an interrupted call that has something to see to its end."""
        if self.park.stubborn:
            settle()
            assert not attempt.is_over
            self.complete()

    def complete(self) -> None:
        Attempt(self.wait.complete).end_well()


@pytest.mark.parametrize("park", ALL)
def test_a_call_that_is_completed_leaves_nothing(park: Park) -> None:
    with tried(park) as (trial, wait):
        attempt = trial.start()
        tickets = [attempt.ticket]
        trial.complete()

        assert wait.is_right(attempt.end_well()), attempt.outcome
        assert trial.registered.differences(tickets) == []


@pytest.mark.parametrize("park", ALL)
def test_a_killed_call_was_never_made(park: Park) -> None:
    with tried(park) as (trial, _):
        attempt = trial.start()
        tickets = [attempt.ticket]
        attempt.thread.kill()
        trial.see_to_the_end(attempt)

        assert isinstance(attempt.end(), GreenletExit)
        trial.check_never_made(tickets)
        trial.check_next_call()


@pytest.mark.parametrize("park", LONG_ONES)
def test_a_call_that_timed_out_was_never_made(park: Park) -> None:
    with tried(park) as (trial, wait):
        made: list[Timeout] = []
        seconds = 10 * SOON if park.stubborn else SOON

        def call() -> Any:
            with Timeout(seconds) as timeout:
                made.append(timeout)
                return wait.call()

        attempt = Attempt(call)
        while park.stubborn and not (made and not made[0].pending):
            sleep(SOON)
        trial.see_to_the_end(attempt)
        tickets = [attempt.watch()]

        assert attempt.end() is made.pop()
        trial.check_never_made(tickets)
        trial.check_next_call()


@pytest.mark.parametrize("park", SCOPED)
def test_a_cancelled_call_was_never_made(park: Park) -> None:
    with tried(park) as (trial, wait):
        scope = CancelScope()

        def call() -> None:
            with scope:
                wait.call()

        attempt = trial.start(call)
        tickets = [attempt.ticket]
        scope.cancel()
        trial.see_to_the_end(attempt)

        attempt.end_well()
        assert scope.cancelled_caught or park.stubborn  # then the next park tells it
        trial.check_never_made(tickets)
        trial.check_next_call()


@pytest.mark.parametrize("park", REFUSED)
def test_every_call_in_a_cancelled_scope_is_refused(park: Park) -> None:
    with tried(park) as (trial, wait):
        with CancelScope() as scope:
            scope.cancel()
            for _ in range(2 if wait.goes_on is None else 1):
                with pytest.raises(Cancelled):
                    wait.call()
                wait.repair()

        trial.check_never_made([])
        trial.check_next_call()


@pytest.mark.parametrize("park", LONG_ONES)
def test_a_kill_that_overtakes_a_wake_loses_nothing(park: Park) -> None:
    for wake in range(1, WAKES):
        with tried(park) as (trial, wait):
            attempt = trial.start()
            completing = Attempt(wait.complete)
            if attempt.wait_until_woken(wake):
                tickets = [attempt.ticket]
                attempt.thread.kill()
                attempt.end()
                completing.end_well()
                assert attempt.raised or park.stubborn, "it never heard of the kill"
                if attempt.raised:
                    assert isinstance(attempt.outcome, GreenletExit)
                    assert trial.registered.differences(tickets) == []
                    check_call_after_overtaking(trial, has_all_it_needs=wake == 1)
                    continue
            completing.end_well()
            assert wait.is_right(attempt.end_well()), attempt.outcome
            return
    pytest.fail(f"it was woken {wake} times and is not done")


def check_call_after_overtaking(trial: Trial, has_all_it_needs: bool) -> None:
    """See that what an interrupted call was woken with is there for the next one."""
    wait = trial.wait
    if wait.spent:
        return
    wait.repair()
    attempt = Attempt(wait.call)
    if not (has_all_it_needs and wait.stays):
        settle(AT_ONCE)
        if not attempt.is_over:
            trial.complete()
    assert wait.is_right(attempt.end_well()), attempt.outcome


@pytest.mark.parametrize("park", CLOSED)
def test_closing_the_descriptor_ends_the_call(park: Park) -> None:
    with tried(park) as (trial, wait):
        attempt = trial.start()
        tickets = [attempt.ticket]
        assert wait.close is not None
        Attempt(wait.close).end_well()
        outcome = attempt.end()

        assert wait.when_closed(outcome), repr(outcome)
        assert trial.registered.differences(tickets) == []
