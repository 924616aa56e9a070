"""Time-outs: when they start, whom they reach, what they raise, what they swallow."""

from __future__ import annotations

import gc
import traceback
import weakref
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import wake
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout, is_timeout, with_timeout, wrap_is_timeout


class Failure(Exception):
    """What some time-outs of these tests raise."""


def pending_timers() -> int:
    return len(get_hub().timers)


# -- when it fires -----------------------------------------------------------------------


def test_it_is_a_base_exception_so_that_except_exception_does_not_eat_it() -> None:
    assert issubclass(Timeout, BaseException)
    assert not issubclass(Timeout, Exception)


def test_it_starts_at_construction() -> None:
    timeout = Timeout(0.002)

    with pytest.raises(Timeout) as caught:
        sleep(5)
    assert caught.value is timeout
    assert not timeout.pending


def test_none_never_fires() -> None:
    with Timeout(None) as timeout:
        sleep(0.001)
        assert not timeout.pending
    assert pending_timers() == 0


@pytest.mark.parametrize("seconds", [0, -1])
def test_nothing_or_less_fires_at_the_next_yield(seconds: float) -> None:
    reached: list[str] = []

    def body() -> None:
        reached.append("still here")
        sleep(0)
        reached.append("not here")

    with pytest.raises(Timeout), Timeout(seconds):
        body()

    assert reached == ["still here"]


def test_a_body_that_never_yields_is_not_interrupted() -> None:
    with Timeout(0):
        total = sum(range(1000))

    sleep(0)
    assert total == 499500


def test_it_reaches_the_thread_that_made_it() -> None:
    def make_and_wait() -> str:
        with pytest.raises(Timeout), Timeout(0.001):
            sleep(5)
        return "interrupted"

    assert spawn(make_and_wait).wait() == "interrupted"


def test_one_that_is_not_cancelled_fires_later_in_unrelated_code() -> None:
    def unrelated() -> None:
        while True:
            sleep(0.001)

    Timeout(0.002)

    with pytest.raises(Timeout):
        unrelated()


def test_it_outlives_the_thread_that_made_it_harmlessly() -> None:
    spawn(Timeout, 0.001).wait()

    sleep(0.005)

    assert pending_timers() == 0


def test_one_overtakes_a_wake_that_has_not_run_yet() -> None:
    hub = get_hub()
    ticket = hub.ticket()
    hub.call_soon(lambda: wake(ticket, "value"))

    with pytest.raises(Timeout), Timeout(0):
        hub.park(ticket)

    assert ticket.was_woken


def test_two_that_are_due_together_both_arrive() -> None:
    caught: list[Any] = []
    inner, outer = Timeout(0, False), Timeout(0)

    def body() -> None:
        with inner:
            sleep(5)
        caught.append("inner is over")
        sleep(5)

    with pytest.raises(Timeout) as last, outer:
        body()

    assert caught == ["inner is over"]
    assert last.value is outer


def test_one_that_is_cancelled_while_another_goes_first_does_not_arrive() -> None:
    first, second = Timeout(0, False), Timeout(0)

    with first:
        sleep(5)
    second.cancel()

    sleep(0)
    sleep(0)
    assert not second.pending


# -- what it raises ----------------------------------------------------------------------


@pytest.mark.parametrize("exception", [None, True])
def test_without_an_exception_it_raises_itself(exception: Any) -> None:
    timeout = Timeout(0, exception)

    with pytest.raises(Timeout) as caught, timeout:
        sleep(5)
    assert caught.value is timeout


def test_it_raises_an_instance_it_was_given() -> None:
    failure = Failure("mine")

    with pytest.raises(Failure) as caught, Timeout(0, failure):
        sleep(5)
    assert caught.value is failure


def test_it_raises_a_class_it_was_given() -> None:
    with pytest.raises(Failure), Timeout(0, Failure):
        sleep(5)


@pytest.mark.parametrize("exception", ["text", (Failure,), 5, object])
def test_what_cannot_be_raised_is_refused_at_construction(exception: Any) -> None:
    with pytest.raises(TypeError, match="Timeout"):
        Timeout(1, exception)
    assert pending_timers() == 0


def test_seconds_that_are_no_number_are_refused() -> None:
    with pytest.raises(TypeError):
        Timeout("1")  # type: ignore[arg-type]  # the subject


def test_the_class_itself_can_be_raised() -> None:
    with pytest.raises(Timeout) as caught:
        raise Timeout
    assert caught.value.seconds is None


# -- with --------------------------------------------------------------------------------


def test_false_is_swallowed_by_its_own_with() -> None:
    with Timeout(0, False):
        sleep(5)


def test_false_does_not_swallow_another_time_out() -> None:
    outer = Timeout(0)

    with pytest.raises(Timeout) as caught, outer, Timeout(5, False):
        sleep(5)
    assert caught.value is outer


def test_an_outer_false_swallows_what_passes_an_inner_one() -> None:
    reached: list[str] = []

    with Timeout(0, False):
        with Timeout(5):
            sleep(5)
        reached.append("behind the inner one")

    assert reached == []


def test_false_does_not_swallow_other_exceptions() -> None:
    with pytest.raises(Failure), Timeout(5, False):
        raise Failure


def test_leaving_with_cancels() -> None:
    with Timeout(5) as timeout:
        assert timeout.pending

    assert not timeout.pending
    assert pending_timers() == 0


def test_entering_restarts_a_cancelled_one() -> None:
    timeout = Timeout(0.001)
    timeout.cancel()

    with pytest.raises(Timeout), timeout:
        sleep(5)


def test_entering_does_not_start_twice() -> None:
    with Timeout(5):
        assert pending_timers() == 1


# -- start, cancel, attributes ---------------------------------------------------------------


def test_one_that_is_started_again_has_a_fresh_traceback() -> None:
    timeout = Timeout(None)
    timeout.seconds = 0
    lengths: list[int] = []

    for _ in range(2):
        with pytest.raises(Timeout), timeout:
            sleep(5)
        lengths.append(len(traceback.extract_tb(timeout.__traceback__)))

    assert lengths[0] == lengths[1]


def test_start_returns_itself_and_refuses_a_second_time() -> None:
    timeout = Timeout(5)

    with pytest.raises(AssertionError, match="already started"):
        timeout.start()
    timeout.cancel()
    assert timeout.start() is timeout
    timeout.cancel()


def test_cancel_may_be_repeated_and_drops_the_timer() -> None:
    timeout = Timeout(5)

    timeout.cancel()
    timeout.cancel()

    assert timeout.timer is None
    assert pending_timers() == 0


def test_a_cancelled_one_keeps_nobody_alive() -> None:
    timeout = Timeout(5, Failure("held by the timer"))
    held = weakref.ref(timeout)

    timeout.cancel()
    del timeout
    gc.collect()

    assert held() is None


def test_attributes_are_what_was_given() -> None:
    failure = Failure()
    with Timeout(7, failure) as timeout:
        assert (timeout.seconds, timeout.exception) == (7, failure)
        assert timeout.is_timeout
        assert timeout.timer is not None


@pytest.mark.parametrize(
    "seconds, exception, text",
    [
        (None, None, ""),
        (1, None, "1 second"),
        (5, None, "5 seconds"),
        (0.5, True, "0.5 seconds"),
        (5, False, "5 seconds (silent)"),
        (3, Failure("why"), "3 seconds (why)"),
    ],
)
def test_text(seconds: float | None, exception: Any, text: str) -> None:
    with Timeout(seconds, exception) as timeout:
        assert str(timeout) == text


def test_repr_tells_whether_it_is_pending() -> None:
    timeout = Timeout(5)
    pending = repr(timeout)
    timeout.cancel()

    assert pending == "<Timeout 5 None pending>"
    assert repr(timeout) == "<Timeout 5 None not pending>"


# -- with_timeout --------------------------------------------------------------------------


def test_with_timeout_returns_what_the_function_returns() -> None:
    assert with_timeout(5, lambda a, b: (a, b), 1, b=2) == (1, 2)
    assert pending_timers() == 0


def test_with_timeout_none_waits_for_ever() -> None:
    assert with_timeout(None, lambda: "result", timeout_value="unused") == "result"


def test_with_timeout_raises_when_the_time_is_up() -> None:
    with pytest.raises(Timeout):
        with_timeout(0.001, sleep, 5)
    assert pending_timers() == 0


def test_with_timeout_returns_the_value_instead() -> None:
    assert with_timeout(0.001, sleep, 5, timeout_value="instead") == "instead"
    assert with_timeout(0.001, sleep, 5, timeout_value=None) is None


def test_with_timeout_returns_the_value_only_for_its_own_time_out() -> None:
    inner = Timeout(0.001)

    with pytest.raises(Timeout) as caught:
        with_timeout(5, sleep, 5, timeout_value="instead")
    assert caught.value is inner
    assert pending_timers() == 0


def test_with_timeout_hands_on_the_errors_of_the_function() -> None:
    def fail() -> None:
        raise Failure

    with pytest.raises(Failure):
        with_timeout(5, fail, timeout_value="instead")
    assert pending_timers() == 0


# -- is_timeout ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "thing, answer",
    [
        (Timeout(), True),
        (TimeoutError(), True),
        (Failure(), False),
        (None, False),
        (type("Claims", (), {"is_timeout": True})(), True),
        (type("Denies", (), {"is_timeout": False})(), False),
    ],
)
def test_is_timeout(thing: Any, answer: bool) -> None:
    assert is_timeout(thing) is answer


def test_wrap_is_timeout_marks_a_class_for_good() -> None:
    class Late(Exception):
        pass

    assert wrap_is_timeout(Late) is Late
    assert is_timeout(Late())
    with pytest.raises(AttributeError):
        Late().is_timeout = False  # type: ignore[attr-defined]  # the subject: it is read-only


def test_wrap_is_timeout_marks_what_a_function_returns() -> None:
    make = wrap_is_timeout(lambda text: Failure(text.upper()))

    made = make("late")

    assert isinstance(made, Failure)
    assert made.args == ("LATE",)
    assert is_timeout(made)


@pytest.mark.parametrize("seconds", ["1", b"1", [], object()])
def test_seconds_that_are_no_number_are_refused_by_name(seconds: Any) -> None:
    with pytest.raises(TypeError, match="number of seconds or None, not"):
        Timeout(seconds)
