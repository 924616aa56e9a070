"""DAG pools in every order of spawn, post, kill, interrupt and read, against a plain walk.

Keys depend on lower ones. However the moves are ordered: a key has the value that a plain walk
over the graph gives, or none; who is at work waits for something that is missing; readers wait
for what is missing and for nothing else, and have the right values; and nothing is left.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from greenlet import GreenletExit
from hypothesis import given
from hypothesis import strategies as st

from eventlet.dagpool import Collision, DAGPool, PropagateError
from eventlet.event import Event
from eventlet.greenthread import kill, sleep

from tests.depth import games
from tests.unit.actors import Actor, Interrupt, dismiss, settle

KEYS = 5
DEPENDS = {0: (), 1: (0,), 2: (0, 1), 3: (1,), 4: (2, 3)}
FAILING = 3
POSTED = 100


class Game:
    """A pool, those who work in it, and those who read from it."""

    def __init__(self, kind: Any) -> None:
        self.pool: DAGPool = kind()
        self.gates: dict[int, Event] = {}
        self.posted: set[int] = set()
        self.readers: list[tuple[Actor, tuple[int, ...]]] = []
        self.faults: list[str] = []

    def play(self, move: str) -> None:
        verb, _, number = move.partition(" ")
        if verb == "pass":
            sleep(0)
        else:
            getattr(self, f"do_{verb}")(int(number))

    def do_spawn(self, key: int) -> None:
        is_taken = self._is_taken(key)
        try:
            self.pool.spawn(key, DEPENDS[key], self._work)
        except Collision:
            self._note((not is_taken, "a free key was refused"))
        else:
            self._note((is_taken, "a key was given twice"))

    def _is_taken(self, key: int) -> bool:
        return key in self.pool.running_keys() + self.pool.keys()

    def _work(self, key: int, results: Iterator[tuple[int, int]]) -> int:
        gate = self.gates[key] = Event()
        total = key + sum(value for _, value in results)
        gate.wait()
        if key == FAILING:
            raise ValueError(key)
        return total

    def do_finish(self, key: int) -> None:
        """Let the work on `key` go on behind its dependencies."""
        gate = self.gates.get(key)
        if gate is not None and not gate.ready():
            gate.send()

    def do_post(self, key: int) -> None:
        is_taken = self._is_taken(key)
        try:
            self.pool.post(key, POSTED + key)
        except Collision:
            self._note((not is_taken, "a post on a free key was refused"))
        else:
            self._note((is_taken, "a post was let in"))
            self.posted.add(key)

    def do_kill(self, key: int) -> None:
        if key in self.pool.running_keys():
            self.pool.kill(key)
            self._note((key in self.pool.running_keys(), "a killed key is not free"))

    def do_interrupt(self, key: int) -> None:
        """Interrupt who is at work on `key`, as a time-out does: it runs in the next pass."""
        owner = self.pool._owners.get(key)
        if owner is not None and owner.thread:
            owner.thread._interrupt_soon(Interrupt(key))

    def do_exit(self, key: int) -> None:
        """Kill who is at work on `key` behind the pool's back, as the end of an OS thread does."""
        owner = self.pool._owners.get(key)
        if owner is not None:
            kill(owner.thread)

    def do_read(self, key: int) -> None:
        self._read((key,))

    def do_readall(self, last: int) -> None:
        self._read(tuple(range(last + 1)))

    def _read(self, keys: tuple[int, ...]) -> None:
        name = f"reader {len(self.readers)} of {keys}"
        self.readers.append((Actor(name, [], lambda: self.pool.wait(keys)), keys))

    def do_cut(self, number: int) -> None:
        """Interrupt a reader."""
        for actor, _ in self.readers[number : number + 1]:
            actor.interrupt()

    def do_slay(self, number: int) -> None:
        """Kill a reader, who runs at once."""
        for actor, _ in self.readers[number : number + 1]:
            kill(actor.thread)

    # -- what must hold --------------------------------------------------------------------

    def fault(self) -> str | None:
        """Return what is wrong now that nothing moves any more."""
        settle()
        settle()
        pool = self.pool
        values = dict(pool._values)
        state = f"{pool!r}, {values}, {pool.waiting_for()}, {self.readers}"
        for key, value in values.items():
            self._check_value(key, value, values)
        for key in pool.running_keys():
            missing = {other for other in DEPENDS[key] if other not in values}
            self._note(
                (pool.waiting_for(key) != missing, f"{key} waits for the wrong keys"),
                (not missing and self._may_go_on(key), f"{key} waits for nothing"),
            )
        self._check_and_dismiss_readers(values)
        for key in pool.running_keys():
            pool.kill(key)
        settle()
        for value in values.values():
            forget_traceback(value)
        for generation in (1, 2):  # the killed are in cycles, mostly young
            gc.collect(generation)
            pool.post(("another", generation), 1)
            pool.wait([("another", generation)])  # has what was dropped forgotten
            if not pool._awaited:
                break
        self._note(
            (pool.running(), "somebody was left at work"),
            (pool._awaited, f"somebody is said to wait: {pool._awaited}"),
        )
        return f"{self.faults}: {state}" if self.faults else None

    def _check_value(self, key: int, value: Any, values: dict[int, Any]) -> None:
        if key in self.posted:
            self._note((value != POSTED + key, f"a posted value became {value}"))
        elif isinstance(value, PropagateError):
            cause = value.exc
            is_right = isinstance(cause, (PropagateError, ValueError, Interrupt))
            self._note((not is_right, f"{key} failed by {cause!r}"))
        else:
            expected = key + sum(values[other] for other in DEPENDS[key])
            self._note((value != expected, f"{key} has {value}, not {expected}"))

    def _check_and_dismiss_readers(self, values: dict[int, Any]) -> None:
        for actor, keys in self.readers:
            self._check_reader(actor, keys, values)
        dismiss([actor for actor, _ in self.readers])
        for actor, _ in self.readers:
            forget_traceback(actor.exc)

    def _may_go_on(self, key: int) -> bool:
        return self.gates[key].ready()

    def _check_reader(self, actor: Actor, keys: tuple[int, ...], values: dict[int, Any]) -> None:
        wanted = {key: values[key] for key in keys if key in values}
        failed = [value for value in wanted.values() if isinstance(value, PropagateError)]
        if actor.is_waiting:
            self._note((len(wanted) == len(keys) or failed, "somebody waits for what is there"))
        elif actor.exc is None:
            self._note((actor.value != wanted, f"somebody read {actor.value}, not {wanted}"))
        else:
            is_right = actor.exc in failed or isinstance(actor.exc, (Interrupt, GreenletExit))
            self._note((not is_right, f"a reader failed by {actor.exc!r}"))

    def _note(self, *told: tuple[object, str]) -> None:
        self.faults += [fault for is_wrong, fault in told if is_wrong]


def forget_traceback(exc: Any) -> None:
    """Drop the tracebacks of an exception and of its causes: they refer to what was read from."""
    while isinstance(exc, BaseException):
        exc.__traceback__ = None
        exc = getattr(exc, "exc", None)


def play(moves: tuple[str, ...], kind: Any = DAGPool) -> str | None:
    game = Game(kind)
    for move in moves:
        game.play(move)
    return game.fault()


START = ("spawn 0", "spawn 1", "spawn 2", "readall 2", "read 1", "pass")
EVERY_MOVE = (
    *("finish 0", "finish 1", "kill 0", "kill 1", "interrupt 0", "exit 1"),
    *("spawn 1", "post 0", "cut 0", "slay 1", "pass"),
)


def faults(length: int) -> dict[tuple[str, ...], str]:
    """Play every order of `length` moves on three at work and two who read."""
    found = {moves: play((*START, *moves)) for moves in product(EVERY_MOVE, repeat=length)}
    return {moves: fault for moves, fault in found.items() if fault}


def test_three_at_work_and_two_readers_in_every_order_of_two_moves() -> None:
    assert faults(2) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
def test_three_at_work_and_two_readers_in_every_order_of_three_moves() -> None:
    assert faults(3) == {}


@pytest.mark.slow
@pytest.mark.time_limit(240)
@given(
    st.lists(
        st.sampled_from(
            ["pass", "pass"]
            + [
                f"{verb} {key}"
                for verb in ("spawn", "spawn", "finish", "finish", "post", "read", "readall")
                for key in range(KEYS)
            ]
            + [
                f"{verb} {key}"
                for verb in ("kill", "interrupt", "exit", "cut", "slay")
                for key in range(KEYS)
            ]
        ),
        max_size=50,
    )
)
@games(200)
def test_long_games_give_what_a_plain_walk_gives(moves: list[str]) -> None:
    assert play(tuple(moves)) is None


# --- the model finds what it is there for -----------------------------------------------


class Possessive(DAGPool):
    """Keeps the key of who was killed."""

    def _dismiss(self, _thread: Any, key: Any, owner: Any) -> None:
        pass


class Deaf(DAGPool):
    """Tells nobody that a value has come."""

    def _store(self, key: Any, value: Any) -> None:
        self._values[key] = value


class Hoarder(DAGPool):
    """Remembers those who have gone."""

    def _forget(self, arrivals: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "moves", "fault"),
    [
        (Possessive, ("exit 0", "finish 0"), "waits for nothing"),
        (Deaf, ("finish 0",), "waits for the wrong keys"),
        (Hoarder, ("cut 0",), "somebody is said to wait"),
    ],
)
def test_the_model_finds_a_fault(kind: Any, moves: tuple[str, ...], fault: str) -> None:
    assert fault in str(play((*START, *moves), kind))
