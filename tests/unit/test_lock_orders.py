"""Locks in every order of acquire, release, kill and time-out, against a plain model.

However the moves are ordered: one at most has the lock; when nobody has it, it is free and
nobody waits; and those whose wait was not cut short get it in the order of their arrival.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet.greenthread import sleep
from eventlet.lock import Lock

from tests.depth import games
from tests.unit.actors import Actor, dismiss, settle


class Game:
    """A lock, those who want it, and who must have it."""

    def __init__(self, kind: type[Lock]) -> None:
        self.lock = kind()
        self.actors: list[Actor] = []
        self.journal: list[Actor] = []
        self.cut_short: set[Actor] = set()
        self.taken = 0
        self.released = 0
        self.faults: list[str] = []

    def play(self, move: str) -> None:
        verb, _, number = move.partition(" ")
        if verb in ("interrupt", "expire"):
            for actor in self.actors[int(number) : int(number) + 1]:
                getattr(actor, verb)()
                self.cut_short.add(actor)
        else:
            getattr(self, f"do_{verb}")()

    def do_pass(self) -> None:
        sleep(0)

    def do_acquire(self) -> None:
        name = f"acquirer {len(self.actors)}"
        self.actors.append(Actor(name, self.journal, lambda: self.lock.acquire(timeout=3600)))

    def do_try(self) -> None:
        self.taken += self.lock.acquire(blocking=False)
        self._check_holders()

    def do_release(self) -> None:
        is_locked = self.lock.locked()
        try:
            self.lock.release()
        except RuntimeError:
            self._check(not is_locked, "a release was refused")
            return
        self._check(is_locked, "a free lock was released")
        self.released += 1

    def _owners(self) -> int:
        """Tell how many have got the lock and were not seen to release it."""
        got = sum(actor.has_returned and actor.value is True for actor in self.actors)
        return got + self.taken - self.released

    def _check_holders(self) -> None:
        self._check(self._owners() <= 1, "two have the lock")

    def _check(self, is_right: object, fault: str) -> None:
        if not is_right:
            self.faults.append(fault)

    def fault(self) -> str | None:
        """Return what is wrong now that nothing moves any more."""
        settle()
        lock = self.lock
        state = f"{self.actors}, {lock!r}, {self._owners()} owners"
        waiting = [actor for actor in self.actors if actor.is_waiting]
        got = [actor for actor in self.journal if actor.value is True]
        in_turn = [actor for actor in got if actor not in self.cut_short]
        self._check_holders()
        self._check(lock.locked() == (self._owners() == 1), "the lock has the wrong state")
        self._check(lock.locked() or not waiting, "somebody waits beside a free lock")
        self._check(len(lock._waiters) == len(waiting), "a wrong count")
        self._check(in_turn == sorted(in_turn, key=self.actors.index), "out of order")
        dismiss(self.actors)
        self._check(not lock._waiters, "a ticket was forgotten")
        return f"{self.faults}: {state}" if self.faults else None


def play(moves: tuple[str, ...], kind: type[Lock] = Lock) -> str | None:
    game = Game(kind)
    for move in moves:
        game.play(move)
    return game.fault()


def faults(length: int) -> dict[tuple[str, ...], str]:
    """Play every order of `length` moves on a lock that is held and waited for by two."""
    start = ("try", "acquire", "acquire")
    found = {moves: play((*start, *moves)) for moves in product(EVERY_MOVE, repeat=length)}
    return {moves: fault for moves, fault in found.items() if fault}


CALLS = ("acquire", "try", "release", "pass")
EVERY_MOVE = (*CALLS, "interrupt 0", "interrupt 1", "expire 0", "expire 1")


def test_trap_2_two_waiters_in_every_order_of_three_moves() -> None:
    assert faults(3) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
def test_trap_2_two_waiters_in_every_order_of_four_moves() -> None:
    assert faults(4) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@given(
    st.lists(
        st.sampled_from(
            [*CALLS, "release"]
            + [f"{verb} {number}" for verb in ("interrupt", "expire") for number in range(8)]
        ),
        max_size=40,
    )
)
@games(300)
def test_trap_2_in_long_games_one_at_a_time_has_the_lock(moves: list[str]) -> None:
    assert play(tuple(moves)) is None


# --- the model finds what it is there for -----------------------------------------------


class Leaky(Lock):
    """Keeps the lock of a waiter that died after it was handed over."""

    def _adjust(self, change: int) -> None:
        self.counter += 0 * change


class Generous(Lock):
    """Hands the lock over and frees it as well."""

    def _hand_over(self) -> None:
        self._waiters.wake_first(True)


class Forgetful(Lock):
    """Hands over to nobody."""

    def _hand_over(self) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "moves", "fault"),
    [
        (Leaky, ("release", "interrupt 0"), "the lock has the wrong state"),
        (Generous, ("release", "try", "pass", "try"), "two have the lock"),
        (Forgetful, ("release",), "somebody waits beside a free lock"),
    ],
)
def test_the_model_finds_a_fault(kind: Any, moves: tuple[str, ...], fault: str) -> None:
    assert fault in str(play(("try", "acquire", *moves), kind))
