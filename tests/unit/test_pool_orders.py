"""Pools in every order of put, create, wake, kill and resize, against a plain model.

However the moves are ordered: each item that was made is used by one, free, or dropped because
the pool had shrunk; the size is right; and nobody waits beside an item or a place.
"""

from __future__ import annotations

from collections import Counter
from itertools import count, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet.event import Event
from eventlet.greenthread import sleep
from eventlet.pools import Pool, TokenPool

from tests.depth import games
from tests.unit.actors import Actor, dismiss, settle


class CannotMake(Exception):
    """What a failing `create` raises."""


class Game:
    """A pool, those who get from it, and what became of each item."""

    def __init__(self, kind: Any, size: int, as_stack: bool, is_slow: bool) -> None:
        self.is_slow = is_slow
        self.numbers = count(1)
        self.made: list[int] = []
        self.put: list[tuple[Actor, int]] = []
        self.has_shrunk = False
        self.making: list[Event] = []
        self.actors: list[Actor] = []
        self.journal: list[Actor] = []
        self.pool: Pool[int] = kind(max_size=size, order_as_stack=as_stack, create=self._create)

    def _create(self) -> int:
        if self.is_slow:
            event = Event()
            self.making.append(event)
            try:
                event.wait()
            finally:
                self.making.remove(event)
        self.made.append(next(self.numbers))
        return self.made[-1]

    def play(self, move: str) -> None:
        verb, _, number = move.partition(" ")
        if verb == "interrupt":
            for actor in self.actors[int(number) : int(number) + 1]:
                actor.interrupt()
        elif verb == "resize":
            self.has_shrunk |= int(number) < self.pool.max_size
            self.pool.resize(int(number))
        else:
            getattr(self, f"do_{verb}")()

    def do_pass(self) -> None:
        sleep(0)

    def do_get(self) -> None:
        name = f"getter {len(self.actors)}"
        self.actors.append(Actor(name, self.journal, self.pool.get))

    def do_put(self) -> None:
        for actor in self._holders()[:1]:
            self.put.append((actor, actor.value))
            self.pool.put(actor.value)

    def do_made(self) -> None:
        for event in [event for event in self.making if not event.ready()][:1]:
            event.send()

    def do_failed(self) -> None:
        for event in [event for event in self.making if not event.ready()][:1]:
            event.send_exception(CannotMake())

    def _holders(self) -> list[Actor]:
        done = [actor for actor, _ in self.put]
        return [actor for actor in self.actors if actor.has_returned and actor not in done]

    def fault(self) -> str | None:
        """Return what is wrong now that nothing moves any more."""
        settle()
        pool = self.pool
        state = f"{self.actors}, {pool!r}, free {list(pool.free_items)}, put {self.put}"
        waiting = [actor for actor in self.actors if actor.is_waiting]
        held = [actor.value for actor in self._holders()]
        there = Counter(held) + Counter(pool.free_items)
        served = [actor for actor in self.journal if actor.has_returned]
        faults: list[tuple[object, str]] = [
            (max(there.values(), default=0) > 1, "an item is in two places"),
            (set(there) - set(self.made), "an item came from nowhere"),
            (not self.has_shrunk and set(self.made) - set(there), "an item was lost"),
            (pool.current_size != there.total() + len(self.making), "a wrong size"),
            (not self.has_shrunk and pool.current_size > pool.max_size, "too many items"),
            (pool.waiting() and pool.free_items, "somebody waits beside an item"),
            (pool.waiting() and pool.current_size < pool.max_size, "somebody waits beside room"),
            (pool.waiting() != len(waiting) - len(self.making), "a wrong count"),
            (not self.is_slow and served != sorted(served, key=self.actors.index), "out of order"),
        ]
        dismiss(self.actors)
        faults.append((pool.current_size != there.total(), "a place was lost"))
        told = [fault for is_wrong, fault in faults if is_wrong]
        return f"{told}: {state}" if told else None


def play(
    moves: tuple[str, ...],
    size: int = 1,
    as_stack: bool = False,
    is_slow: bool = False,
    kind: Any = Pool,
) -> str | None:
    game = Game(kind, size, as_stack, is_slow)
    for move in moves:
        game.play(move)
    return game.fault()


QUICK_MOVES = ("put", "interrupt 1", "interrupt 2", "pass", "resize 0", "resize 2")
SLOW_MOVES = ("made", "failed", "put", "interrupt 0", "interrupt 1", "pass")


def faults(table: tuple[str, ...], length: int, **how: Any) -> dict[tuple[str, ...], str]:
    """Play every order of `length` moves behind three that get."""
    found = {
        moves: play(("get", "get", "get", *moves), **how) for moves in product(table, repeat=length)
    }
    return {moves: fault for moves, fault in found.items() if fault}


def test_trap_2_a_holder_and_two_waiters_in_every_order_of_three_moves() -> None:
    assert faults(QUICK_MOVES, 3) == {}


def test_trap_2_a_maker_and_two_waiters_in_every_order_of_three_moves() -> None:
    assert faults(SLOW_MOVES, 3, is_slow=True) == {}


@pytest.mark.slow
@pytest.mark.parametrize("as_stack", [False, True])
def test_trap_2_a_holder_and_two_waiters_in_every_order_of_four_moves(as_stack: bool) -> None:
    assert faults(QUICK_MOVES, 4, as_stack=as_stack) == {}


@pytest.mark.slow
def test_trap_2_a_maker_and_two_waiters_in_every_order_of_four_moves() -> None:
    assert faults(SLOW_MOVES, 4, is_slow=True) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@given(
    kind=st.sampled_from([Pool, TokenPool]),
    size=st.integers(0, 3),
    as_stack=st.booleans(),
    is_slow=st.booleans(),
    moves=st.lists(
        st.sampled_from(
            ["get", "get", "put", "put", "pass", "made", "failed"]
            + [f"resize {size}" for size in range(4)]
            + [f"interrupt {number}" for number in range(8)]
        ),
        max_size=40,
    ),
)
@games(500)
def test_trap_2_long_games_lose_and_double_nothing(
    kind: Any, size: int, as_stack: bool, is_slow: bool, moves: list[str]
) -> None:
    assert play(tuple(moves), size, as_stack, is_slow, kind) is None


# --- the model finds what it is there for -----------------------------------------------


class Leaky(Pool[int]):
    """Keeps what it gave to a waiter that died."""

    def _withdraw(self, ticket: Any) -> None:
        self._waiters.discard(ticket)


class Forgetful(Pool[int]):
    """Keeps the place of an item that could not be made."""

    def _leave_place(self) -> None:
        self._serve_waiters()


class Unfair(Pool[int]):
    """Serves nobody who waits."""

    def _serve_waiters(self) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "is_slow", "moves", "fault"),
    [
        (Leaky, False, ("get", "get", "put", "interrupt 1"), "an item was lost"),
        (Forgetful, True, ("get", "failed"), "a wrong size"),
        (Unfair, False, ("get", "get", "put"), "somebody waits beside an item"),
        (Unfair, False, ("get", "get", "resize 2"), "somebody waits beside room"),
    ],
)
def test_the_model_finds_a_fault(
    kind: type[Pool[int]], is_slow: bool, moves: tuple[str, ...], fault: str
) -> None:
    assert fault in str(play(moves, is_slow=is_slow, kind=kind))
