"""Tests of `eventlet.event`."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet import event as event_module
from eventlet._core.current import get_hub
from eventlet._unpatched import start_new_thread
from eventlet.event import NOT_USED, Event
from eventlet.greenthread import sleep, spawn, spawn_n
from eventlet.timeout import Timeout

from tests.unit.actors import Actor, settle


def test_a_waiter_gets_the_result() -> None:
    event = Event()
    waiter = spawn(event.wait)
    sleep(0)

    event.send("result")

    assert waiter.wait() == "result"


def test_send_does_not_switch() -> None:
    event = Event()
    journal: list[str] = []
    waiter = spawn(lambda: journal.append(event.wait()))
    sleep(0)

    event.send("woken")
    journal.append("sent")

    waiter.wait()
    assert journal == ["sent", "woken"]


def test_a_sent_event_answers_without_a_yield() -> None:
    event = Event()
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")
    event.send(1)

    assert event.wait() == 1
    assert journal == []
    sleep(0)


def test_waiters_wake_in_the_order_of_their_arrival() -> None:
    event = Event()
    journal: list[Actor] = []
    actors = [Actor(str(number), journal, event.wait) for number in range(20)]

    event.send()
    settle()

    assert journal == actors


@pytest.mark.parametrize("timeout", [-1, 0, 0.001])
def test_a_wait_that_expires_returns_none(timeout: float) -> None:
    assert Event().wait(timeout) is None
    assert Event().wait(timeout=timeout) is None


def test_a_wait_of_no_time_yields_once() -> None:
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")

    Event().wait(0)

    assert journal == ["somebody else"]


def test_a_wait_that_expires_beside_a_send_returns_the_result() -> None:
    event = Event()
    spawn_n(event.send, "just in time")

    assert event.wait(0) == "just in time"


def test_an_expired_waiter_leaves_nothing_behind() -> None:
    event = Event()

    event.wait(0)

    assert len(event._waiters.tickets) == 0


def test_a_killed_waiter_leaves_nothing_behind() -> None:
    event = Event()
    waiter = spawn(event.wait)
    sleep(0)

    waiter.kill()

    assert len(event._waiters.tickets) == 0
    event.send()


def test_a_timeout_around_wait_is_raised() -> None:
    with pytest.raises(Timeout), Timeout(0):
        Event().wait()


def test_sending_twice_is_an_error() -> None:
    event = Event()
    event.send(1)

    with pytest.raises(AssertionError, match="already-triggered"):
        event.send(2)
    with pytest.raises(AssertionError, match="already-triggered"):
        event.send_exception(ValueError)
    assert event.wait() == 1


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("text"),
        (ValueError, "text"),
        (ValueError, ValueError("text")),
        (ValueError, ValueError("text"), None),
        (ValueError("text"),),
    ],
    ids=["instance", "class and text", "class and instance", "exc_info", "tuple of one"],
)
def test_every_form_of_an_exception_is_raised_in_the_waiter(exc: Any) -> None:
    event = Event()

    event.send(exc=exc)

    with pytest.raises(ValueError, match=r"^text$"):
        event.wait()


def test_an_exception_class_is_raised() -> None:
    event = Event()

    event.send(exc=KeyError)

    with pytest.raises(KeyError):
        event.wait()


@pytest.mark.parametrize(
    "args",
    [
        (ValueError("text"),),
        (ValueError, "text"),
        ((ValueError, ValueError("text"), None),),
    ],
    ids=["instance", "class and text", "one tuple"],
)
def test_send_exception_takes_the_arguments_of_throw(args: tuple[Any, ...]) -> None:
    event = Event()

    event.send_exception(*args)

    with pytest.raises(ValueError, match=r"^text$"):
        event.wait()


def test_send_exception_without_arguments_sends_greenlet_exit() -> None:
    event = Event()

    event.send_exception()

    with pytest.raises(GreenletExit):
        event.wait()


@pytest.mark.parametrize("exc", ["text", 5, object, (None, None, None)])
def test_what_cannot_be_raised_is_refused_and_the_event_stays_unsent(exc: Any) -> None:
    event = Event()

    with pytest.raises(TypeError, match="exceptions must be"):
        event.send(exc=exc)
    assert not event.ready()


def fail_here() -> None:
    raise ValueError("deep down")


def test_the_traceback_of_the_sender_is_kept() -> None:
    event = Event()
    try:
        fail_here()
    except ValueError:
        event.send_exception(*sys.exc_info())

    with pytest.raises(ValueError, match="deep down") as caught:
        event.wait()

    assert "fail_here" in [frame.name for frame in traceback.extract_tb(caught.tb)]


def test_the_traceback_does_not_grow_with_every_wait() -> None:
    event = Event()
    event.send(exc=ValueError())
    lengths = []

    for _ in range(3):
        with pytest.raises(ValueError) as caught:
            event.wait()
        lengths.append(len(traceback.extract_tb(caught.tb)))

    assert lengths == [lengths[0]] * 3


def test_several_waiters_get_the_same_exception() -> None:
    event = Event()
    actors = [Actor(str(number), [], event.wait) for number in range(3)]

    event.send_exception(KeyError("one"))
    settle()

    assert [repr(actor.exc) for actor in actors] == ["KeyError('one')"] * 3


def test_the_state_of_an_event_that_was_not_sent() -> None:
    event = Event()

    assert (event.ready(), event.has_result(), event.has_exception()) == (False, False, False)
    assert (event.poll(), event.poll("a"), event.poll_result("b")) == (None, "a", "b")
    assert event.poll_exception("c") == "c"
    assert event._result is NOT_USED
    assert event._exc is None


def test_the_state_of_an_event_with_a_result() -> None:
    event = Event()
    event.send(5)

    assert (event.ready(), event.has_result(), event.has_exception()) == (True, True, False)
    assert (event.poll(), event.poll_result(), event.poll_exception("no")) == (5, 5, "no")


def test_the_state_of_an_event_with_an_exception() -> None:
    event = Event()
    event.send(exc=ValueError())

    assert (event.ready(), event.has_result(), event.has_exception()) == (True, False, True)
    assert event.poll_result("no") == "no"
    with pytest.raises(ValueError):
        event.poll()
    with pytest.raises(ValueError):
        event.poll_exception()


def test_none_can_be_sent() -> None:
    event = Event()
    event.send()

    assert event.ready()
    assert event.has_result()
    assert event.poll("not ready") is None


def test_a_reset_event_can_be_sent_again() -> None:
    event = Event()
    event.send(exc=ValueError())
    event.reset()
    assert not event.ready()

    event.send(2)

    assert event.wait() == 2


def test_a_reset_does_not_rob_those_who_were_woken() -> None:
    event = Event()
    early = spawn(event.wait)
    sleep(0)

    event.send("first")
    event.reset()
    late = spawn(event.wait)
    sleep(0)
    event.send("second")

    assert (early.wait(), late.wait()) == ("first", "second")


def test_a_fresh_event_cannot_be_reset() -> None:
    with pytest.raises(AssertionError, match="re-reset"):
        Event().reset()


def test_a_callback_of_the_hub_can_send() -> None:
    event = Event()

    get_hub().call_soon(event.send, "from the hub")

    assert event.wait() == "from the hub"


def test_a_callback_of_the_hub_cannot_wait() -> None:
    outcome = Event()

    def wait_in_the_hub() -> None:
        try:
            Event().wait()
        except RuntimeError as exc:
            outcome.send(str(exc))

    get_hub().call_soon(wait_in_the_hub)

    assert outcome.wait().startswith("do not call blocking functions from the mainloop")


def test_another_os_thread_can_send() -> None:
    event = Event()

    start_new_thread(event.send, ("from afar",))

    assert event.wait(10) == "from afar"


def test_a_send_just_before_the_park_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = get_hub()
    event = Event()

    def send_then_get_hub() -> Any:
        """What another OS thread could do between the waiter's look and its park."""
        event.send("just in time")
        return hub

    monkeypatch.setattr(event_module, "get_hub", send_then_get_hub)

    assert event.wait() == "just in time"


def test_the_text_of_an_event_tells_its_state() -> None:
    event, failed = Event(), Event()
    waiting = repr(event)
    event.send(5)
    failed.send(exc=ValueError("x"))

    assert repr(NOT_USED) == "NOT_USED"
    assert "not sent, 0 waiting" in waiting
    assert "result 5" in repr(event)
    assert "exception ValueError('x')" in repr(failed)
