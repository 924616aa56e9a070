"""The purse that bounds what a client may do."""

from __future__ import annotations

from eventlet._http2.allowance import Allowance


def test_what_is_in_it_can_be_spent_at_once() -> None:
    purse = Allowance(3, 1, 0.0)

    assert [purse.spend(0.0) for _ in range(4)] == [True, True, True, False]


def test_it_fills_with_time_up_to_its_bound() -> None:
    purse = Allowance(3, 1, 0.0)
    purse.spend(0.0, 3)

    assert purse.spend(2.0, 2)
    assert not purse.spend(2.0)
    assert [purse.spend(100.0) for _ in range(4)] == [True, True, True, False]


def test_what_is_earned_can_be_spent_up_to_its_bound() -> None:
    purse = Allowance(3, 0, 0.0)
    purse.spend(0.0, 3)

    purse.earn(2)
    assert purse.spend(0.0, 2)
    purse.earn(100)
    assert not purse.spend(0.0, 4)
    assert purse.spend(0.0, 3)


def test_the_time_in_which_it_was_full_adds_nothing() -> None:
    purse = Allowance(3, 1, 0.0)
    assert [purse.spend(100.0) for _ in range(4)] == [True, True, True, False]


def test_what_was_charged_beyond_it_is_owed_until_time_has_made_up_for_it() -> None:
    purse = Allowance(3, 1, 0.0)
    for _ in range(5):
        purse.charge(0.0)

    assert [purse.is_owing(now) for now in (0.0, 1.9, 2.0)] == [True, True, False]
    assert not purse.spend(2.9)
    assert purse.spend(3.0)


def test_a_debt_grows_no_larger_than_what_it_can_hold() -> None:
    purse = Allowance(3, 1, 0.0)
    for _ in range(100):
        purse.charge(0.0)

    assert [purse.is_owing(now) for now in (2.9, 3.0)] == [True, False]
