"""Green pools in every order of spawn, end, kill, interrupt and resize, against a plain model.

However the moves are ordered: each place is used by one or free; nobody waits beside a free
place; spawners enter in the order of their arrival; and `waitall` returns when the pool is
idle, not before.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from greenlet import GreenletExit
from hypothesis import example, given
from hypothesis import strategies as st

from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import GreenThread, kill, sleep

from tests.depth import games
from tests.unit.actors import Actor, Interrupt, dismiss, settle


class Game:
    """A pool, those who spawn in it, and what runs there."""

    def __init__(self, kind: Any, size: int) -> None:
        self.pool: GreenPool = kind(size)
        self.gates: dict[Actor, Event] = {}
        self.spawners: list[Actor] = []
        self.waiters: list[Actor] = []
        self.journal: list[Actor] = []
        self.most = 0
        self.has_shrunk = False
        self.has_passed_on = False
        self.faults: list[str] = []

    def play(self, move: str) -> None:
        verb, _, number = move.partition(" ")
        if not number:
            getattr(self, f"do_{verb}")()
        elif verb == "resize":
            self.has_shrunk |= int(number) < self.pool.size
            self.pool.resize(int(number))
        else:
            for actor in self.spawners[int(number) : int(number) + 1]:
                getattr(self, f"do_{verb}")(actor)
        self.most = max(self.most, self.pool.running())

    def do_pass(self) -> None:
        sleep(0)

    def do_spawn(self) -> None:
        gate = Event()
        actor = Actor(
            f"spawner {len(self.spawners)}",
            self.journal,
            lambda: self.pool.spawn(gate.wait),
        )
        self.gates[actor] = gate
        self.spawners.append(actor)

    def do_waitall(self) -> None:
        self.waiters.append(Actor(f"waiter {len(self.waiters)}", [], self._wait_for_all))

    def _wait_for_all(self) -> None:
        there = self.pool.coroutines_running.copy()
        self.pool.waitall()
        if there & self.pool.coroutines_running:
            self.faults.append("waitall returned while something ran")

    def do_end(self, actor: Actor) -> None:
        if not self.gates[actor].ready():
            self.gates[actor].send()

    def do_kill(self, actor: Actor) -> None:
        """Kill what it spawned; itself while it waits for a place."""
        self.has_passed_on |= actor.is_waiting
        kill(actor.value if actor.has_returned else actor.thread)

    def do_interrupt(self, actor: Actor) -> None:
        """Interrupt it as a time-out does: it runs in the next pass."""
        self.has_passed_on |= actor.is_waiting
        actor.interrupt()

    def _jobs(self) -> list[GreenThread]:
        return [actor.value for actor in self.spawners if actor.has_returned]

    def fault(self) -> str | None:
        """Return what is wrong now that nothing moves any more."""
        settle()
        pool = self.pool
        state = f"{self.spawners}, {pool.running()} of {pool.size} run, {self.waiters}"
        waiting = sum(actor.is_waiting for actor in self.spawners)
        running = sum(not job.dead for job in self._jobs())
        is_idle = not (running or waiting)
        self._note(
            (pool.running() != running, "a wrong number runs"),
            (pool.waiting() != waiting, "a wrong number waits"),
            (pool.free() != pool.size - running, "a place was lost or doubled"),
            (waiting and pool.free() > 0, "somebody waits beside a place"),
            (not self.has_shrunk and self.most > pool.size, "too many ran"),
            (self._is_out_of_order(), "out of order"),
            (is_idle and any(a.is_waiting for a in self.waiters), "waitall waits for nothing"),
        )
        dismiss([*self.spawners, *self.waiters])
        for job in self._jobs():
            kill(job)
        settle()
        self._note(
            (pool.running() or pool.waiting() or pool._entering, "something was left"),
            (pool.free() != pool.size, "a place was not given back"),
            (pool.sem._waiters.tickets, "a ticket was forgotten"),
            (self._strange_outcomes(), f"strange outcomes: {self._strange_outcomes()}"),
        )
        return f"{self.faults}: {state}" if self.faults else None

    def _is_out_of_order(self) -> bool:
        place = self.spawners.index
        served = [place(actor) for actor in self.journal if actor.has_returned]
        if self.has_passed_on:
            # The next one has the place of one who was interrupted, but runs a pass later, and
            # whoever comes to a free place meanwhile runs before. Nobody is left waiting by it.
            waiting = [place(actor) for actor in self.spawners if actor.is_waiting]
            return bool(served and waiting) and max(served) > min(waiting)
        return served != sorted(served)

    def _note(self, *told: tuple[object, str]) -> None:
        self.faults += [fault for is_wrong, fault in told if is_wrong]

    def _strange_outcomes(self) -> list[BaseException]:
        ways = (Interrupt, GreenletExit)
        outcomes = [job._exc for job in self._jobs()] + [actor.exc for actor in self.spawners]
        return [exc for exc in outcomes if exc is not None and not isinstance(exc, ways)]


def play(moves: tuple[str, ...], size: int = 1, kind: Any = GreenPool) -> str | None:
    game = Game(kind, size)
    for move in moves:
        game.play(move)
    return game.fault()


START = ("spawn", "spawn", "spawn", "waitall")
EVERY_MOVE = (
    *("end 0", "end 1", "kill 0", "kill 1", "kill 2", "interrupt 1", "interrupt 2"),
    *("pass", "resize 0", "resize 2"),
)


def faults(length: int) -> dict[tuple[str, ...], str]:
    """Play every order of `length` moves on one that runs and two that wait for its place."""
    found = {moves: play((*START, *moves)) for moves in product(EVERY_MOVE, repeat=length)}
    return {moves: fault for moves, fault in found.items() if fault}


def test_trap_2_one_running_and_two_waiting_in_every_order_of_two_moves() -> None:
    assert faults(2) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
def test_trap_2_one_running_and_two_waiting_in_every_order_of_three_moves() -> None:
    assert faults(3) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@given(
    size=st.integers(0, 3),
    moves=st.lists(
        st.sampled_from(
            ["spawn", "spawn", "spawn", "pass", "waitall"]
            + [f"resize {size}" for size in range(4)]
            + [f"{verb} {n}" for verb in ("end", "kill", "interrupt") for n in range(8)]
        ),
        max_size=40,
    ),
)
@example(  # the newcomer runs before the one to whom a place was passed on
    size=1, moves=["spawn", "spawn", "spawn", "resize 2", "end 0", "interrupt 1", "spawn"]
)
@games(300)
def test_trap_2_long_games_lose_no_place(size: int, moves: list[str]) -> None:
    assert play(tuple(moves), size) is None


# --- the model finds what it is there for -----------------------------------------------


class Leaky(GreenPool):
    """Keeps the place of what has ended."""

    def _leave(self, thread: GreenThread) -> None:
        self.coroutines_running.discard(thread)


class Forgetful(GreenPool):
    """Tells nobody that it is idle."""

    def _tell_if_idle(self) -> None:
        pass


class Hasty(GreenPool):
    """Does not wait for those who run."""

    def waitall(self) -> None:
        sleep(0)


@pytest.mark.parametrize(
    ("kind", "moves", "fault"),
    [
        (Leaky, ("end 0",), "a place was lost"),
        (Forgetful, ("end 0", "end 1", "end 2", *["pass"] * 6), "waitall waits for nothing"),
        (Hasty, ("pass", "pass"), "waitall returned while something ran"),
    ],
)
def test_the_model_finds_a_fault(kind: Any, moves: tuple[str, ...], fault: str) -> None:
    assert fault in str(play((*START, *moves), kind=kind))
