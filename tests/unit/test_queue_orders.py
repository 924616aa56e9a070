"""Queues in every order of put, get, wake, kill and time-out, against a plain model.

A move list is played on a queue where some green threads wait already. However the moves are
ordered: an item whose put returned is delivered once or still there, an item whose put failed
never shows up, and nobody waits beside what they wait for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet.greenthread import sleep
from eventlet.queue import Empty, Full, LifoQueue, PriorityQueue, Queue

from tests.depth import games
from tests.unit.actors import Actor, dismiss, settle

SIZES = (None, 0, 1, 2)
AFTERWARDS = ("interrupt 0", "interrupt 1", "expire 0", "expire 1", "pass")


@dataclass
class Game:
    """A queue, those who wait on it, and what became of each item."""

    items: Queue[int]
    actors: list[Actor] = field(default_factory=list)
    offered: int = 0
    stored: list[int] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    refused: dict[Actor, int] = field(default_factory=dict)

    def play(self, move: str) -> None:
        verb, _, number = move.partition(" ")
        if verb in ("interrupt", "expire"):
            chosen = self.actors[int(number) : int(number) + 1]
            for actor in chosen:
                getattr(actor, verb)()
        else:
            getattr(self, f"do_{verb}")()

    def do_pass(self) -> None:
        sleep(0)

    def do_try_put(self) -> None:
        item = self._next_item()
        try:
            self.items.put_nowait(item)
        except Full:
            return
        self.stored.append(item)

    def do_try_get(self) -> None:
        try:
            self.delivered.append(self.items.get_nowait())
        except Empty:
            return

    def do_put(self) -> None:
        item = self._next_item()

        def put() -> None:
            try:
                self.items.put(item, timeout=3600)
            except BaseException:
                self.refused[actor] = item
                raise
            self.stored.append(item)

        actor = Actor(f"putter of {item}", [], put)
        self.actors.append(actor)

    def do_get(self) -> None:
        def get() -> None:
            self.delivered.append(self.items.get(timeout=3600))

        self.actors.append(Actor(f"getter {len(self.actors)}", [], get))

    def _next_item(self) -> int:
        self.offered += 1
        return self.offered

    def fault(self) -> str | None:
        """Return what is wrong now that nothing moves any more."""
        settle()
        items = self.items
        state = f"{self.actors}, {items!r}, stored {self.stored}, delivered {self.delivered}"
        getting, putting = items.getting(), items.putting()
        faults: list[tuple[object, str]] = [
            (getting and items.qsize(), "somebody waits beside an item"),
            (putting and not items.full(), "somebody waits beside room"),
            (items.maxsize == 0 and getting and putting, "two wait for each other"),
            (items._promised_items or items._promised_room, "a promise was forgotten"),
            (len(items._offers) != putting, "an offer was forgotten"),
            (getting + putting != sum(a.is_waiting for a in self.actors), "a wrong count"),
        ]
        dismiss(self.actors)
        left = drain(items)
        arrived = Counter(self.delivered + left)
        faults += [
            (any(count > 1 for count in arrived.values()), "an item was doubled"),
            (set(self.stored) - set(arrived), "an item was lost"),
            (self._refused_but_arrived(arrived), "an item that was refused arrived"),
        ]
        told = [fault for is_wrong, fault in faults if is_wrong]
        return f"{told}: {state}, left {left}" if told else None

    def _refused_but_arrived(self, arrived: Counter[int]) -> set[int]:
        # On a meeting point an interrupt may reach a putter after its item was taken.
        maybe_taken = {
            item
            for actor, item in self.refused.items()
            if self.items.maxsize == 0 and not isinstance(actor.exc, Full)
        }
        return set(arrived) - set(self.stored) - maybe_taken


def drain(items: Queue[int]) -> list[int]:
    left = []
    while not items.empty():
        left.append(items.get_nowait())
    return left


def play(kind: Any, size: int | None, start: tuple[str, ...], moves: tuple[str, ...]) -> str | None:
    game = Game(kind(size))
    for move in (*start, *moves):
        game.play(move)
    return game.fault()


def faults(
    kind: Any, size: int | None, start: tuple[str, ...], calls: tuple[str, ...], length: int
) -> dict[tuple[str, ...], str]:
    found = {
        moves: play(kind, size, start, moves)
        for moves in product(calls + AFTERWARDS, repeat=length)
    }
    return {moves: fault for moves, fault in found.items() if fault}


@pytest.mark.parametrize("size", SIZES)
def test_trap_2_two_getters_in_every_order_of_three_moves(size: int | None) -> None:
    assert faults(Queue, size, ("get", "get"), ("try_put", "try_get"), 3) == {}


@pytest.mark.parametrize("size", [0, 1, 2])
def test_trap_2_two_putters_in_every_order_of_three_moves(size: int) -> None:
    start = ("try_put",) * size + ("put", "put")

    assert faults(Queue, size, start, ("try_put", "try_get"), 3) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@pytest.mark.parametrize("size", SIZES)
def test_trap_2_two_getters_in_every_order_of_five_moves(size: int | None) -> None:
    assert faults(Queue, size, ("get", "get"), ("try_put", "try_get"), 5) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@pytest.mark.parametrize("size", [0, 1, 2])
def test_trap_2_two_putters_in_every_order_of_five_moves(size: int) -> None:
    start = ("try_put",) * size + ("put", "put")

    assert faults(Queue, size, start, ("try_put", "try_get"), 5) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@pytest.mark.parametrize("kind", [Queue, LifoQueue, PriorityQueue])
@given(
    size=st.sampled_from(SIZES),
    moves=st.lists(
        st.sampled_from(
            ["put", "get", "try_put", "try_get", "pass"]
            + [f"{verb} {number}" for verb in ("interrupt", "expire") for number in range(6)]
        ),
        max_size=30,
    ),
)
@games(300)
def test_trap_2_long_games_lose_and_double_nothing(
    kind: Any, size: int | None, moves: list[str]
) -> None:
    assert play(kind, size, (), tuple(moves)) is None


def test_the_model_finds_a_lost_item() -> None:
    class Leaky(Queue[int]):
        def _withdraw_getter(self, ticket: Any) -> None:
            super()._withdraw_getter(ticket)
            self.queue.clear()

    assert "an item was lost" in str(play(Leaky, None, ("get",), ("try_put", "interrupt 0")))


def test_the_model_finds_a_forgotten_getter() -> None:
    class Forgetful(Queue[int]):
        def _serve_getters(self) -> None:
            pass

    assert "waits beside an item" in str(play(Forgetful, None, ("get",), ("try_put",)))
