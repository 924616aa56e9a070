"""Tests of `eventlet.semaphore`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from eventlet import semaphore as semaphore_module
from eventlet._core.current import get_hub
from eventlet._unpatched import start_new_thread
from eventlet.event import Event
from eventlet.greenthread import sleep, spawn, spawn_n
from eventlet.semaphore import BoundedSemaphore, CappedSemaphore, Semaphore
from eventlet.timeout import Timeout

from tests.conftest import RunIsolated
from tests.unit.actors import Actor, dismiss, settle

# --- construction -----------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 3, "3", 2.9, True])
def test_the_value_is_what_int_makes_of_it(value: Any) -> None:
    assert Semaphore(value).counter == int(value)


@pytest.mark.parametrize("value", ["three", None, [], object()])
def test_a_value_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        Semaphore(value)


@pytest.mark.parametrize("kind", [Semaphore, BoundedSemaphore])
def test_a_negative_value_is_refused(kind: Callable[[int], object]) -> None:
    with pytest.raises(ValueError, match=r">= 0, not -1"):
        kind(-1)


# --- acquire ----------------------------------------------------------------------------


def test_a_free_permit_is_taken_without_a_yield() -> None:
    semaphore = Semaphore(2)
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")

    assert semaphore.acquire() is True
    assert semaphore.acquire(timeout=1) is True
    assert journal == []
    assert semaphore.counter == 0
    sleep(0)


def test_acquire_without_blocking_never_yields() -> None:
    semaphore = Semaphore(1)
    journal: list[str] = []
    spawn_n(journal.append, "somebody else")

    assert semaphore.acquire(blocking=False) is True
    assert semaphore.acquire(False) is False
    assert semaphore.acquire(blocking=False, timeout=-1) is False
    assert journal == []
    sleep(0)


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_acquire_gives_up_when_the_time_is_up(timeout: float) -> None:
    semaphore = Semaphore(0)

    assert semaphore.acquire(timeout=timeout) is False
    assert (semaphore.counter, semaphore.balance) == (0, 0)


def test_acquire_for_no_time_yields_once_and_looks_again() -> None:
    semaphore = Semaphore(0)
    spawn_n(semaphore.release)

    assert semaphore.acquire(timeout=0) is True
    assert semaphore.counter == 0


def test_a_timeout_of_minus_one_waits_for_ever() -> None:
    semaphore = Semaphore(0)
    waiter = spawn(semaphore.acquire, timeout=-1)
    sleep(0)

    semaphore.release()

    assert waiter.wait() is True


@pytest.mark.parametrize("timeout", [-2, -0.5])
def test_a_negative_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="at least 0 seconds"):
        Semaphore().acquire(timeout=timeout)


@pytest.mark.parametrize("timeout", [0, 1])
def test_a_timeout_for_a_call_that_does_not_block_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="non-blocking"):
        Semaphore().acquire(blocking=False, timeout=timeout)


# --- hand-over --------------------------------------------------------------------------


def test_release_hands_the_permit_to_the_first_waiter_without_a_yield() -> None:
    semaphore = Semaphore(0)
    journal: list[Actor] = []
    actors = [Actor(str(number), journal, semaphore.acquire) for number in range(5)]

    results = [semaphore.release() for _ in actors]

    assert results == [True] * 5
    assert journal == []
    settle()
    assert journal == actors


def test_a_permit_that_was_handed_over_cannot_be_taken_by_others() -> None:
    semaphore = Semaphore(0)
    waiter = spawn(semaphore.acquire)
    sleep(0)

    semaphore.release()

    assert semaphore.acquire(blocking=False) is False
    assert waiter.wait() is True


def test_trap_14_the_releaser_cannot_take_the_permit_again_for_ever() -> None:
    semaphore = Semaphore(1)
    turns: list[str] = []

    def take_turns(name: str) -> None:
        for _ in range(50):
            with semaphore:
                turns.append(name)
                sleep(0)

    threads = [spawn(take_turns, name) for name in "ab"]
    for thread in threads:
        thread.wait()

    assert turns == ["a", "b"] * 50


def test_a_waiter_that_is_killed_after_the_release_passes_the_permit_on() -> None:
    semaphore = Semaphore(0)
    first, second = Actor("first", [], semaphore.acquire), Actor("second", [], semaphore.acquire)

    semaphore.release()
    first.interrupt()
    settle()

    assert first.exc is not None
    assert second.value is True


def test_a_permit_nobody_is_left_for_becomes_free() -> None:
    semaphore = Semaphore(0)
    waiter = Actor("waiter", [], semaphore.acquire)

    semaphore.release()
    waiter.interrupt()
    settle()

    assert semaphore.counter == 1


def test_a_killed_waiter_leaves_nothing_behind() -> None:
    semaphore = Semaphore(0)
    waiter = spawn(semaphore.acquire)
    sleep(0)

    waiter.kill()

    assert semaphore.balance == 0
    semaphore.release()
    assert semaphore.counter == 1


def test_a_timeout_around_acquire_is_raised() -> None:
    with pytest.raises(Timeout), Timeout(0):
        Semaphore(0).acquire()


MOVES = ("release", "pass", "interrupt 0", "interrupt 1", "expire 0", "expire 1")


def play(moves: tuple[str, ...]) -> str | None:
    """Play `moves` on a semaphore with two waiters; return what is wrong at the end."""
    semaphore = Semaphore(0)
    journal: list[Actor] = []
    actors = [
        Actor(str(number), journal, lambda: semaphore.acquire(timeout=3600)) for number in range(2)
    ]
    for move in moves:
        act(move, semaphore, actors)
    settle()
    acquired = [actor for actor in journal if actor.has_returned and actor.value]
    waiting = [actor for actor in actors if actor.is_waiting]
    state = f"{actors}, counter {semaphore.counter}"
    dismiss(actors)
    if semaphore.counter + len(acquired) != moves.count("release"):
        return f"a permit was lost or doubled: {state}"
    if semaphore.counter and waiting:
        return f"somebody waits beside a free permit: {state}"
    in_time = [actor for actor in acquired if f"expire {actor.name}" not in moves]
    if in_time != sorted(in_time, key=actors.index):
        return f"out of order: {state}"
    return None


def act(move: str, semaphore: Semaphore, actors: list[Actor]) -> None:
    verb, _, number = move.partition(" ")
    if verb == "release":
        semaphore.release()
    elif verb == "pass":
        sleep(0)
    elif verb == "interrupt":
        actors[int(number)].interrupt()
    else:
        actors[int(number)].expire()


def test_trap_2_every_order_of_four_moves_keeps_the_permits() -> None:
    wrong = {moves: play(moves) for moves in product(MOVES, repeat=4)}

    assert {moves: fault for moves, fault in wrong.items() if fault} == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
def test_trap_2_every_order_of_five_moves_keeps_the_permits() -> None:
    wrong = {moves: play(moves) for moves in product(MOVES, repeat=5)}

    assert {moves: fault for moves, fault in wrong.items() if fault} == {}


# --- looking ----------------------------------------------------------------------------


def test_the_balance_counts_waiters_against_permits() -> None:
    semaphore = Semaphore(1)
    assert semaphore.balance == 1
    actors = [Actor(str(number), [], semaphore.acquire) for number in range(3)]

    assert semaphore.balance == -2

    dismiss(actors)


def test_locked_and_bounded() -> None:
    semaphore = Semaphore(1)
    assert (semaphore.locked(), semaphore.bounded()) == (False, False)

    semaphore.acquire()

    assert (semaphore.locked(), semaphore.bounded()) == (True, False)


def test_with_takes_a_permit_and_gives_it_back() -> None:
    semaphore = Semaphore(1)

    with semaphore as taken:
        assert taken is True
        assert semaphore.locked()
    assert semaphore.counter == 1

    with pytest.raises(KeyError), semaphore:
        raise KeyError
    assert semaphore.counter == 1


def test_the_text_of_a_semaphore_tells_its_state() -> None:
    assert repr(Semaphore(2)).endswith(": counter 2, 0 waiting>")


# --- hub callbacks and other OS threads -------------------------------------------------


def test_a_callback_of_the_hub_can_release_and_try() -> None:
    semaphore = Semaphore(0)
    tried = Event()

    def in_the_hub() -> None:
        tried.send(semaphore.acquire(blocking=False))
        semaphore.release()

    get_hub().call_soon(in_the_hub)

    assert semaphore.acquire() is True
    assert tried.wait() is False


def test_a_callback_of_the_hub_cannot_wait() -> None:
    outcome = Event()

    def in_the_hub() -> None:
        try:
            Semaphore(0).acquire()
        except RuntimeError as exc:
            outcome.send(str(exc))

    get_hub().call_soon(in_the_hub)

    assert outcome.wait().startswith("do not call blocking functions from the mainloop")


def test_another_os_thread_can_release() -> None:
    semaphore = Semaphore(0)

    start_new_thread(semaphore.release, ())

    assert semaphore.acquire(timeout=10) is True


def test_a_release_just_before_the_park_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = get_hub()
    semaphore = Semaphore(0)

    def release_then_get_hub() -> Any:
        """What another OS thread could do between the waiter's look and its park."""
        semaphore.release()
        return hub

    monkeypatch.setattr(semaphore_module, "get_hub", release_then_get_hub)

    assert semaphore.acquire() is True
    assert semaphore.balance == 0


@pytest.mark.slow
def test_two_os_threads_exclude_each_other() -> None:
    semaphore, done = Semaphore(1), Semaphore(0)
    inside: list[int] = []
    most: list[int] = []

    def enter_and_leave() -> None:
        for _ in range(2000):
            with semaphore:
                inside.append(1)
                most.append(len(inside))
                inside.pop()
        done.release()

    for _ in range(2):
        start_new_thread(enter_and_leave, ())
    spawn(enter_and_leave)
    enter_and_leave()

    assert [done.acquire(timeout=20) for _ in range(4)] == [True] * 4
    assert len(most) == 8000
    assert max(most) == 1
    assert semaphore.counter == 1


def test_at_the_end_of_the_interpreter_acquire_does_not_wait(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        from eventlet.semaphore import Semaphore

        class Late:
            def __init__(self):
                self.semaphore = Semaphore(0)
            def __del__(self):
                print("acquired:", self.semaphore.acquire())

        late = Late()
        """
    )

    assert done.stdout == "acquired: False\n"


# --- bounded ----------------------------------------------------------------------------


def test_a_bounded_semaphore_refuses_one_release_too_many() -> None:
    semaphore = BoundedSemaphore(1)
    semaphore.acquire()
    semaphore.release()

    with pytest.raises(ValueError, match="released too many times"):
        semaphore.release()
    assert semaphore.counter == 1


def test_a_bounded_semaphore_hands_over() -> None:
    semaphore = BoundedSemaphore(1)
    semaphore.acquire()
    waiter = spawn(semaphore.acquire)
    sleep(0)

    semaphore.release()

    assert waiter.wait() is True
    assert semaphore.counter == 0


# --- capped -----------------------------------------------------------------------------


@pytest.mark.parametrize("count, limit", [(-1, 3), (4, 3), (0, -1)])
def test_a_count_outside_its_limits_is_refused(count: int, limit: int) -> None:
    with pytest.raises(ValueError, match="CappedSemaphore"):
        CappedSemaphore(count, limit)


def test_a_capped_semaphore_in_between_never_waits() -> None:
    semaphore = CappedSemaphore(1, 2)

    assert (semaphore.acquire(), semaphore.release(), semaphore.release()) == (True, True, True)
    assert (semaphore.lower_bound.counter, semaphore.upper_bound.counter) == (2, 0)


def test_the_ends_of_a_capped_semaphore() -> None:
    semaphore = CappedSemaphore(1, 1)
    assert (semaphore.locked(), semaphore.bounded(), semaphore.balance) == (False, True, 1)
    assert semaphore.release(blocking=False) is False

    assert semaphore.acquire() is True

    assert (semaphore.locked(), semaphore.bounded(), semaphore.balance) == (True, False, -1)
    assert semaphore.acquire(blocking=False) is False


def test_release_at_the_limit_waits_for_an_acquire() -> None:
    semaphore = CappedSemaphore(1, 1)
    releaser = Actor("releaser", [], semaphore.release)
    assert releaser.is_waiting

    semaphore.acquire()
    settle()

    assert releaser.value is True
    assert (semaphore.lower_bound.counter, semaphore.upper_bound.counter) == (1, 0)


@pytest.mark.parametrize("first, second", [("acquire", "release"), ("release", "acquire")])
def test_a_capped_semaphore_of_nothing_is_a_meeting_point(first: str, second: str) -> None:
    semaphore = CappedSemaphore(0, 0)
    early = Actor(first, [], getattr(semaphore, first))
    assert early.is_waiting

    assert getattr(semaphore, second)() is True

    settle()
    assert early.value is True
    assert semaphore.balance == 0


@pytest.mark.parametrize("call", ["acquire", "release"])
def test_an_interrupted_call_changes_nothing(call: str) -> None:
    semaphore = CappedSemaphore(0, 0)
    actor = Actor(call, [], getattr(semaphore, call))

    actor.interrupt()
    settle()

    assert (semaphore.lower_bound.counter, semaphore.upper_bound.counter) == (0, 0)
    assert semaphore.acquire(blocking=False) is False
    assert semaphore.release(blocking=False) is False


@pytest.mark.parametrize("first, second", [("acquire", "release"), ("release", "acquire")])
def test_a_call_interrupted_after_its_partner_came_is_paid_back(first: str, second: str) -> None:
    semaphore = CappedSemaphore(0, 0)
    early = Actor(first, [], getattr(semaphore, first))
    assert getattr(semaphore, second)() is True

    early.interrupt()
    settle()

    assert early.exc is not None
    assert getattr(semaphore, first)(blocking=False) is True
    assert semaphore.lower_bound.counter == semaphore.upper_bound.counter == 0


def test_with_a_capped_semaphore() -> None:
    semaphore = CappedSemaphore(1, 1)

    with semaphore as taken:
        assert taken is True
        assert semaphore.locked()

    assert semaphore.bounded()


def test_the_text_of_a_capped_semaphore_tells_its_state() -> None:
    assert "balance -1, lower <Semaphore" in repr(CappedSemaphore(0, 1))
