"""Semantics 9 to 15: events, queues, semaphores and time-outs.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import gc
import sys
import traceback
import weakref
from typing import Any

import pytest

import eventlet
from eventlet import event, queue, semaphore

from tests.conftest import RunIsolated
from tests.semantics.calls import error_of, in_hub


class Failure(Exception):
    """What events carry."""


# -- 9: Event.wait(timeout) returns None; send never switches; reset after send --------------


@pytest.mark.parametrize("timeout", [0, 0.005])
def test_semantic_09_a_wait_that_expires_returns_none(timeout: float) -> None:
    ran: list[str] = []
    eventlet.spawn(ran.append, "other")

    result = event.Event().wait(timeout=timeout)

    assert result is None
    assert ran == ["other"]


def test_semantic_09_a_wait_for_what_is_ready_does_not_yield() -> None:
    ran: list[str] = []
    sent = event.Event()
    sent.send("value")
    other = eventlet.spawn(ran.append, "other")

    assert (sent.wait(), sent.wait(timeout=0), ran) == ("value", "value", [])
    other.wait()


def test_semantic_09_send_never_switches() -> None:
    order: list[str] = []
    told = event.Event()
    waiters = [eventlet.spawn(lambda: order.append(told.wait())) for _ in range(3)]
    eventlet.sleep(0)

    told.send("waiter")
    order.append("sender")
    for waiter in waiters:
        waiter.wait()

    assert order == ["sender", "waiter", "waiter", "waiter"]


def test_semantic_09_reset_after_send_does_not_rob_those_who_waited() -> None:
    told = event.Event()
    waiters = [eventlet.spawn(told.wait) for _ in range(2)]
    eventlet.sleep(0)

    told.send("old")
    told.reset()
    told.send("new")

    assert [waiter.wait() for waiter in waiters] == ["old", "old"]
    assert told.wait() == "new"


def test_semantic_09_sending_twice_and_resetting_the_unsent_are_assertion_errors() -> None:
    told = event.Event()
    with pytest.raises(AssertionError):
        told.reset()
    told.send()
    with pytest.raises(AssertionError):
        told.send()


def test_semantic_09_the_assertions_survive_optimisation(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import eventlet.event
        told = eventlet.event.Event()
        for misuse in (told.reset, told.send, told.send):
            try:
                misuse()
            except AssertionError:
                print("refused")
            else:
                print("taken")
        """,
        flags=("-O",),
    )

    assert done.stdout.split() == ["refused", "taken", "refused"]


# -- 10: send(exc=) takes instance, class or tuple; send_exception keeps the traceback --------


@pytest.mark.parametrize(
    "exc", [Failure("told"), Failure, (Failure, "told"), (Failure, Failure("told"), None)]
)
def test_semantic_10_send_takes_an_instance_a_class_or_a_tuple(exc: Any) -> None:
    told = event.Event()
    waiter = eventlet.spawn(error_of, told.wait)
    eventlet.sleep(0)

    told.send(exc=exc)

    assert isinstance(waiter.wait(), Failure)
    assert told.has_exception()
    with pytest.raises(Failure):
        told.wait()


def test_semantic_10_send_exception_keeps_the_traceback() -> None:
    def culprit() -> None:
        raise Failure("told")

    told = event.Event()
    try:
        culprit()
    except Failure:
        told.send_exception(*sys.exc_info())

    with pytest.raises(Failure) as caught:
        told.wait()
    assert "culprit" in [frame.name for frame in traceback.extract_tb(caught.tb)]


def test_semantic_10_send_exception_takes_exc_info_as_one_tuple() -> None:
    told = event.Event()
    told.send_exception((Failure, Failure("told"), None))

    with pytest.raises(Failure, match="told"):
        told.wait()


# -- 11: Queue(0) is a rendezvous here, unbounded in patched `queue` --------------------------


def test_semantic_11_a_queue_of_size_0_is_a_rendezvous() -> None:
    order: list[str] = []
    meeting: Any = queue.Queue(0)

    def put() -> None:
        meeting.put("item")
        order.append("put returned")

    putter = eventlet.spawn(put)
    eventlet.sleep(0)
    assert (meeting.empty(), meeting.full(), meeting.putting(), order) == (True, True, 1, [])

    assert meeting.get() == "item"
    putter.wait()
    assert order == ["put returned"]


@pytest.mark.parametrize("size", [None, -1, -7])
def test_semantic_11_a_queue_without_size_or_with_a_negative_one_has_no_limit(
    size: int | None,
) -> None:
    unbounded: Any = queue.Queue(size)
    for number in range(100):
        unbounded.put_nowait(number)

    assert (unbounded.qsize(), unbounded.full(), unbounded.maxsize) == (100, False, None)


def test_semantic_11_the_green_standard_queue_of_size_0_has_no_limit() -> None:
    from eventlet.green import Queue

    unbounded: Any = Queue.Queue(0)
    for number in range(100):
        unbounded.put(number)

    assert (unbounded.qsize(), unbounded.full()) == (100, False)


def test_semantic_11_the_patched_queue_of_size_0_has_no_limit(run_isolated: RunIsolated) -> None:
    done = run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import queue
        unbounded = queue.Queue()
        for number in range(100):
            unbounded.put(number)
        print(unbounded.qsize(), unbounded.full(), eventlet.Queue(0).full())
    """)

    assert done.stdout == "100 False True\n"


# -- 12: nowait calls work in hub callbacks; dying waiters never lose or duplicate ------------


def test_semantic_12_put_nowait_in_a_callback_hands_over_on_a_channel() -> None:
    channel: Any = queue.LightQueue(0)
    getter = eventlet.spawn(channel.get)
    eventlet.sleep(0)

    in_hub(lambda: channel.put_nowait("item"))

    assert getter.wait() == "item"


def test_semantic_12_get_nowait_in_a_callback_takes_from_a_putter_on_a_channel() -> None:
    channel: Any = queue.LightQueue(0)
    putter = eventlet.spawn(channel.put, "item")
    eventlet.sleep(0)

    assert in_hub(channel.get_nowait) == "item"
    putter.wait()


def test_semantic_12_nowait_in_a_callback_on_a_queue_with_room() -> None:
    stored: Any = queue.Queue(1)

    assert in_hub(lambda: stored.put_nowait("item")) is None
    assert isinstance(in_hub(lambda: stored.put_nowait("more")), queue.Full)
    assert in_hub(stored.get_nowait) == "item"
    assert isinstance(in_hub(stored.get_nowait), queue.Empty)


@pytest.mark.parametrize("size", [None, 0, 1])
def test_semantic_12_a_getter_that_dies_after_the_put_loses_nothing(size: int | None) -> None:
    items: Any = queue.Queue(size)
    dying = eventlet.spawn(items.get)
    eventlet.sleep(0)

    putter = eventlet.spawn(items.put, "item")
    eventlet.spawn(eventlet.kill, dying)
    taken = []
    while not (dying.dead and putter.dead and items.empty() and items.putting() == 0):
        with eventlet.Timeout(0.01, False):
            taken.append(items.get())
    try:
        taken.append(dying.wait())
    except eventlet.greenlet.GreenletExit:
        pass

    assert taken == ["item"]


def test_semantic_12_the_item_of_a_putter_that_dies_is_never_enqueued() -> None:
    items: Any = queue.Queue(1)
    items.put("first")
    killed = eventlet.spawn(items.put, "killed")
    expired = eventlet.spawn(error_of, items.put, "expired", timeout=0.005)
    eventlet.sleep(0)
    eventlet.kill(killed)

    assert isinstance(expired.wait(), queue.Full)
    assert (items.get(), items.qsize(), items.putting()) == ("first", 0, 0)
    with pytest.raises(queue.Empty):
        items.get(timeout=0.005)


def test_semantic_12_a_time_out_of_a_getter_is_one_pass_if_not_positive() -> None:
    ran: list[str] = []
    eventlet.spawn(ran.append, "other")

    with pytest.raises(queue.Empty):
        queue.Queue[Any]().get(timeout=-1)
    assert ran == ["other"]


# -- 13: semaphore hand-off is fair; non-blocking acquire never yields ------------------------


def test_semantic_13_waiters_get_permits_in_order_and_nobody_overtakes_them() -> None:
    order: list[str] = []
    permit = semaphore.Semaphore(0)

    def take(name: str) -> None:
        permit.acquire()
        order.append(name)

    waiters = [eventlet.spawn(take, "first"), eventlet.spawn(take, "second")]
    eventlet.sleep(0)
    permit.release()
    permit.release()
    late = eventlet.spawn(take, "late")
    eventlet.sleep(0)
    assert order == ["first", "second"]
    permit.release()
    for thread in (*waiters, late):
        thread.wait()

    assert order == ["first", "second", "late"]


def test_semantic_13_acquire_queues_behind_waiters_also_when_a_permit_is_free() -> None:
    order: list[str] = []
    permit = semaphore.Semaphore(0)

    def take(name: str) -> None:
        permit.acquire()
        order.append(name)

    waiter = eventlet.spawn(take, "waiter")
    eventlet.sleep(0)
    permit.release()
    newcomer = eventlet.spawn(permit.release)
    take("newcomer")
    waiter.wait()
    newcomer.wait()

    assert order == ["waiter", "newcomer"]


def test_semantic_13_acquire_without_blocking_never_yields() -> None:
    ran: list[str] = []
    permit = semaphore.Semaphore(1)
    other = eventlet.spawn(ran.append, "other")

    answers = [permit.acquire(blocking=False), permit.acquire(blocking=False), permit.release()]

    assert answers == [True, False, True]
    assert ran == []
    other.wait()


def test_semantic_13_a_waiter_that_dies_after_the_release_passes_the_permit_on() -> None:
    permit = semaphore.Semaphore(0)
    dying = eventlet.spawn(permit.acquire)
    next_one = eventlet.spawn(permit.acquire)
    eventlet.sleep(0)

    permit.release()
    eventlet.kill(dying)

    assert next_one.wait() is True
    assert permit.balance == 0


# -- 14: Timeout starts at construction, is a BaseException, silences only itself -------------


def test_semantic_14_a_timeout_starts_at_construction_and_hits_who_made_it() -> None:
    limit = eventlet.Timeout(0.005)

    assert limit.pending
    with pytest.raises(eventlet.Timeout) as caught:
        eventlet.sleep(1)
    assert caught.value is limit
    assert not limit.pending


def test_semantic_14_a_timeout_passes_except_exception() -> None:
    caught: list[str] = []

    assert issubclass(eventlet.Timeout, BaseException)
    assert not issubclass(eventlet.Timeout, Exception)
    try:
        with eventlet.Timeout(0.005):
            try:
                eventlet.sleep(1)
            except Exception:
                caught.append("except Exception")
    except eventlet.Timeout:
        caught.append("except Timeout")

    assert caught == ["except Timeout"]


def test_semantic_14_a_silent_timeout_swallows_itself() -> None:
    with eventlet.Timeout(0.005, False):
        eventlet.sleep(1)
        pytest.fail("it did not fire")


def test_semantic_14_a_silent_timeout_swallows_no_other() -> None:
    with (
        pytest.raises(eventlet.Timeout) as caught,
        eventlet.Timeout(0.005) as other,
        eventlet.Timeout(30, False),
    ):
        eventlet.sleep(1)

    assert caught.value is other


def test_semantic_14_with_timeout_gives_its_value_for_its_own_time_out_only() -> None:
    def inner() -> None:
        eventlet.sleep(1)

    assert eventlet.with_timeout(0.005, inner, timeout_value="late") == "late"
    with pytest.raises(eventlet.Timeout), eventlet.Timeout(0.005):
        eventlet.with_timeout(30, inner, timeout_value="late")


# -- 15: Timeout(None) never fires, Timeout(0) at next yield; cancel drops references ---------


def test_semantic_15_a_timeout_of_none_never_fires() -> None:
    with eventlet.Timeout(None) as limit:
        eventlet.sleep(0.005)
        assert limit.seconds is None
        assert not limit.pending


@pytest.mark.parametrize("seconds", [0, -1])
def test_semantic_15_a_timeout_of_nothing_fires_at_the_next_yield(seconds: float) -> None:
    limit = eventlet.Timeout(seconds)
    went_on = ["without a yield"]

    with pytest.raises(eventlet.Timeout) as caught:
        eventlet.sleep(0)

    assert caught.value is limit
    assert went_on


def test_semantic_15_a_body_that_never_yields_does_not_time_out() -> None:
    with eventlet.Timeout(0) as limit:
        assert limit.pending
    eventlet.sleep(0)

    assert not limit.pending


def test_semantic_15_cancel_drops_references() -> None:
    class Thing(Exception):
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    thread_gone: list[weakref.ref[Any]] = []

    def limited(thing: Thing) -> eventlet.Timeout:
        thread_gone.append(weakref.ref(eventlet.getcurrent()))
        limit = eventlet.Timeout(30, thing)
        limit.cancel()
        limit.cancel()
        return limit

    limit = eventlet.spawn(limited, thing).wait()
    eventlet.sleep(0)
    assert limit.timer is None
    limit.exception = None
    del thing
    gc.collect()

    assert (gone(), thread_gone[0]()) == (None, None)
