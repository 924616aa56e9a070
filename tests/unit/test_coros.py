"""Tests of `eventlet.coros`."""

from __future__ import annotations

import pytest

from eventlet.coros import metaphore

from tests.unit.actors import Actor, settle


def test_a_fresh_one_is_at_zero_and_lets_pass() -> None:
    metaphore().wait()


def test_waiters_go_on_when_the_counter_is_back_at_zero() -> None:
    work = metaphore()
    work.inc()
    work.inc(2)
    waiters = [Actor(str(number), [], work.wait) for number in range(2)]

    work.dec(2)
    settle()
    assert [waiter.is_waiting for waiter in waiters] == [True, True]

    work.dec()
    settle()
    assert [waiter.has_returned for waiter in waiters] == [True, True]
    assert work.counter == 0


def test_it_can_be_used_again() -> None:
    work = metaphore()
    for _ in range(2):
        work.inc()
        waiter = Actor("waiter", [], work.wait)
        assert waiter.is_waiting

        work.dec()
        settle()
        assert waiter.has_returned


def test_counting_up_at_once_does_not_hold_those_who_were_let_go() -> None:
    work = metaphore()
    work.inc()
    waiter = Actor("waiter", [], work.wait)

    work.dec()
    work.inc()
    settle()

    assert waiter.has_returned
    assert work.counter == 1


def test_counting_down_by_too_much_ends_at_zero() -> None:
    work = metaphore()
    work.inc()

    work.dec(3)

    assert work.counter == 0
    work.wait()


def test_counting_down_at_zero_is_an_error() -> None:
    work = metaphore()

    with pytest.raises(AssertionError, match="at zero already"):
        work.dec()
    assert work.counter == 0


@pytest.mark.parametrize("by", [0, -1])
@pytest.mark.parametrize("name", ["inc", "dec"])
def test_it_counts_by_numbers_above_zero(name: str, by: int) -> None:
    work = metaphore()
    work.inc(5)

    with pytest.raises(AssertionError, match="above zero"):
        getattr(work, name)(by)
    assert work.counter == 5
