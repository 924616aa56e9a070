"""Timers with the old vocabulary, and how the hub runs and purges them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import greenlet
import pytest
from greenlet import getcurrent

from eventlet.greenthread import sleep, spawn
from eventlet.hubs import get_hub, timer
from eventlet.hubs.hub import BaseHub
from eventlet.hubs.timer import LocalTimer, Timer

from tests.unit.conftest import Pipe


def noop() -> None:
    """Do nothing when it is due."""


# -- the timer itself --------------------------------------------------------------------


def test_a_new_timer_is_pending_and_not_scheduled() -> None:
    calls: list[Any] = []
    made = Timer(0, calls.append, 1)

    sleep(0)
    sleep(0)

    assert (made.pending, made.called, made.seconds, calls) == (True, False, 0, [])
    assert made.tpl == (calls.append, (1,), {})


def test_schedule_returns_the_timer_which_calls_once_in_the_hubs_greenlet() -> None:
    calls: list[Any] = []
    made = Timer(0.001, lambda *args, **kw: calls.append((getcurrent(), args, kw)), 1, a=2)

    assert made.schedule() is made
    sleep(0.005)

    assert calls == [(get_hub().greenlet, (1,), {"a": 2})]
    assert (made.pending, made.called, made.tpl) == (False, True, None)


def test_called_is_true_during_the_call() -> None:
    seen: list[bool] = []
    made = Timer(0, lambda: seen.append(made.called)).schedule()

    sleep(0)

    assert seen == [True]


@pytest.mark.parametrize("seconds", [0, 0.001])
def test_a_cancelled_timer_is_not_called(seconds: float) -> None:
    calls: list[int] = []
    made = Timer(seconds, calls.append, 1).schedule()

    made.cancel()
    made.cancel()
    sleep(0.003)

    assert (calls, made.pending, made.called, made.tpl) == ([], False, True, None)


def test_cancelling_an_unscheduled_timer_counts_nothing() -> None:
    before = get_hub().timers_canceled

    Timer(5, noop).cancel()

    assert get_hub().timers_canceled == before


def test_cancelling_after_the_call_is_harmless() -> None:
    made = Timer(0, noop).schedule()
    sleep(0)

    made.cancel()

    assert made.called


@pytest.mark.parametrize("end", ["cancel", "call"])
def test_a_timer_that_ended_releases_function_and_arguments(end: str) -> None:
    class Held:
        pass

    held = Held()
    watch = weakref.ref(held)
    made = Timer(0, lambda _: None, held).schedule()
    del held
    if end == "cancel":
        made.cancel()
    sleep(0)
    gc.collect()

    assert watch() is None


def test_copy_makes_an_unscheduled_timer_for_the_same_call() -> None:
    calls: list[int] = []
    first = Timer(0, calls.append, 1)
    second = first.copy()
    first.schedule()
    second.schedule()

    sleep(0)

    assert calls == [1, 1]


def test_copy_of_one_that_ended_is_refused() -> None:
    made = Timer(5, noop)
    made.cancel()

    with pytest.raises(ValueError, match="no call left"):
        made.copy()


def test_repr_shows_the_call_and_where_it_was_made_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = repr(Timer(1, noop, 2, a=3))
    monkeypatch.setattr(timer, "_g_debug", True)
    traced = repr(Timer(1, noop))

    assert plain == f"Timer(1, {noop!r}, *(2,), **{{'a': 3}})"
    assert __file__ in traced


def test_a_local_timer_dies_with_the_greenlet_that_made_it_and_a_global_one_does_not() -> None:
    calls: list[str] = []
    timers: list[LocalTimer] = []

    def schedule() -> None:
        get_hub().schedule_call_global(0.001, calls.append, "global")
        timers.append(get_hub().schedule_call_local(0.001, calls.append, "local"))

    spawn(schedule).wait()
    pending = timers[0].pending
    sleep(0.005)

    assert calls == ["global"]
    assert (pending, timers[0].called) == (False, True)


def test_a_local_timer_runs_while_its_greenlet_lives() -> None:
    calls: list[str] = []
    made = get_hub().schedule_call_local(0.001, calls.append, "local")

    pending = made.pending
    sleep(0.005)

    assert (pending, calls) == (True, ["local"])


def test_a_timer_for_a_greenlet_that_ended_is_harmless() -> None:
    order: list[str] = []
    main = getcurrent()
    plain = greenlet.greenlet(lambda: order.append("ran"), main)
    plain.switch()
    # Switching to the dead would land in the parent: here, in the middle of the sleep.
    get_hub().schedule_call_global(0.001, plain.switch, "stray")
    clock = get_hub().clock
    started = clock()

    sleep(0.01)

    assert clock() - started >= 0.01


# -- on the hub --------------------------------------------------------------------------


def test_add_timer_returns_the_deadline(hub: BaseHub) -> None:
    made = Timer(5, noop)
    before = hub.clock() + 5

    deadline = hub.add_timer(made)

    assert before <= deadline <= hub.clock() + 5
    assert hub.get_timers_count() == 1
    made.cancel()


def test_equal_deadlines_are_served_first_come_first_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[int] = []
    hub = get_hub()
    now = hub.clock()
    with monkeypatch.context() as patch:
        patch.setattr(hub, "clock", lambda: now)
        for number in range(50):
            hub.schedule_call_global(0.001, order.append, number)

    sleep(0.01)

    assert order == list(range(50))


def test_a_timer_made_while_timers_run_waits_for_the_next_pass_behind_io(
    hub: BaseHub, pipe: Pipe
) -> None:
    order: list[str] = []

    def first() -> None:
        order.append("first")
        pipe.write(b"x")
        hub.schedule_call_global(0, order.append, "second")

    def readable(_: int) -> None:
        order.append("io")
        hub.remove(listener)

    listener = hub.add(hub.READ, pipe.reader, readable, noop, noop)
    hub.schedule_call_global(0, first)
    hub.schedule_call_global(0, order.append, "same pass")
    sleep(0)
    sleep(0)

    assert order == ["first", "same pass", "io", "second"]


def test_a_failing_timer_is_printed_and_the_hub_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []
    hub = get_hub()
    hub.schedule_call_global(0, lambda: 1 / 0)
    hub.schedule_call_global(0, calls.append, 1)

    sleep(0)
    sleep(0)

    assert calls == [1]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_set_timer_exceptions_silences_them(
    capsys: pytest.CaptureFixture[str], hub: BaseHub
) -> None:
    hub.set_timer_exceptions(False)
    hub.schedule_call_global(0, lambda: 1 / 0)
    sleep(0)

    assert capsys.readouterr().err == ""


def test_cancelled_timers_are_purged_when_they_are_many() -> None:
    hub = get_hub()
    counted = hub.get_timers_count()

    for _ in range(2000):
        hub.schedule_call_global(60, noop).cancel()
        assert hub.timers_canceled <= hub.get_timers_count() + 1

    assert hub.get_timers_count() <= 1000 + counted
    assert hub.timers_canceled <= 1000


def test_cancelled_timers_stay_while_they_are_the_minority() -> None:
    hub = get_hub()
    kept = [hub.schedule_call_global(60, noop) for _ in range(2500)]
    for _ in range(1200):
        hub.schedule_call_global(60, noop).cancel()
    unpurged = hub.timers_canceled

    for each in kept:
        each.cancel()

    assert unpurged >= 1200
    assert hub.timers_canceled <= 1000 + unpurged


def test_what_is_purged_leaves_the_others_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = get_hub()
    order: list[int] = []
    now = hub.clock()
    with monkeypatch.context() as patch:
        patch.setattr(hub, "clock", lambda: now)
        hub.schedule_call_global(0.002, order.append, 2)
        hub.schedule_call_global(0.001, order.append, 1)
    for _ in range(1100):
        hub.schedule_call_global(60, noop).cancel()

    sleep(0.01)

    assert order == [1, 2]


def test_a_cancelled_sleep_counts_as_a_cancelled_timer() -> None:
    hub = get_hub()
    for _ in range(1100):
        thread = spawn(sleep, 60)
        sleep(0)
        thread.kill()

    assert hub.get_timers_count() <= 1000


def test_next_timers_are_those_of_the_next_pass() -> None:
    hub = get_hub()
    made = hub.schedule_call_global(0, noop)
    hub.schedule_call_global(60, noop).cancel()

    assert [each for _, each in hub.next_timers] == [made]
    sleep(0)
    assert hub.next_timers == ()


def test_timers_can_be_listed_by_deadline() -> None:
    hub = get_hub()
    late, soon = hub.schedule_call_global(60, noop), hub.schedule_call_global(30, noop)
    hub.schedule_call_global(45, noop).cancel()

    listed = [ticket for _, ticket in hub.timers if isinstance(ticket, Timer)]

    assert listed == [soon, late]
    late.cancel()
    soon.cancel()
