"""What all green threads of the stress run share, and what must hold when they have ended."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from itertools import count
from typing import Any

from eventlet.dagpool import DAGPool
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import GreenThread, sleep
from eventlet.lock import Lock
from eventlet.pools import Pool, TokenPool
from eventlet.queue import Empty, LifoQueue, LightQueue, PriorityQueue, Queue, ShutDown
from eventlet.semaphore import BoundedSemaphore, CappedSemaphore, Semaphore
from eventlet.taskgroup import CancelScope

from tests.stress.notes import Notes, numbers_of

FIFO = ("any", "one", "five", "meeting", "light")
PERMITS = 3
CAPPED_LIMIT = 4
PLACES = 20


class CannotMake(Exception):
    """What `create` of the shared pool raises now and then."""


class NumberedEvent(Event):
    """An event that knows what will be sent."""

    _numbers = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.number = next(self._numbers)


class Counted:
    """A lock, or semaphore, and what it protects."""

    def __init__(self, guard: Semaphore) -> None:
        self.guard = guard
        self.permits = guard.counter
        self.inside = 0
        self.box = 0


class Shared:
    """Every primitive once or several times, for everybody."""

    def __init__(self) -> None:
        self.numbers = count()
        self.queues: dict[str, LightQueue[int]] = {
            "any": Queue(),
            "one": Queue(1),
            "five": Queue(5),
            "meeting": Queue(0),
            "light": LightQueue(2),
            "lifo": LifoQueue(3),
            "priority": PriorityQueue(3),
        }
        self.guards = {
            "lock": Counted(Lock()),
            "semaphore": Counted(Semaphore(PERMITS)),
            "bounded": Counted(BoundedSemaphore(PERMITS)),
        }
        self.capped = CappedSemaphore(2, CAPPED_LIMIT)
        self.events = [NumberedEvent() for _ in range(8)]
        self.made: deque[int] = deque()
        self.items: Pool[int] = Pool(max_size=5, create=self._create)
        self.tokens = TokenPool(max_size=3)
        self.in_use: deque[Any] = deque()
        self.places = GreenPool(PLACES)
        self.recent: deque[GreenThread] = deque(maxlen=50)
        self.scopes: deque[CancelScope] = deque(maxlen=200)
        self.graphs: deque[DAGPool] = deque(maxlen=20)
        self.faults: deque[str] = deque()
        self.native_notes: deque[Notes] = deque()

    def _create(self) -> int:
        number = next(self.numbers)
        if number % 3 == 0:
            sleep(0)
        if number % 5 == 0:
            raise CannotMake
        self.made.append(number)
        return number

    def check(self, is_right: object, fault: str) -> None:
        """Note `fault` unless it is right."""
        if not is_right:
            self.faults.append(fault)

    # -- the end ---------------------------------------------------------------------------

    def let_everybody_go(self) -> None:
        """Wake who waits for what would never come; to be called until all have ended."""
        for queue in self.queues.values():
            if not queue.is_shutdown:
                queue.shutdown()
        for event in self.events:
            if not event.ready():
                try:
                    event.send(event.number)
                except AssertionError:
                    continue  # somebody was quicker

    def audit(self, notes: list[Notes]) -> Iterator[str]:
        """Tell what is wrong after everybody has ended."""
        yield from self.faults
        totals: Counter[str] = sum((each.counts for each in notes), Counter())
        for name, queue in self.queues.items():
            for fault in _audit_queue(name, queue, notes):
                yield f"queue {name!r}: {fault}"
        for name, guarded in self.guards.items():
            for fault in _audit_guard(guarded, totals[f"turns of {name}"]):
                yield f"{name}: {fault}"
        told: list[tuple[object, str]] = [
            (
                self.capped.lower_bound.counter
                != 2 + totals["capped: released"] - totals["capped: acquired"],
                f"the capped semaphore lost or made permits: {self.capped}, {totals}",
            ),
            (self.capped.lower_bound._waiters, "somebody waits for the capped semaphore"),
            (
                self.capped.lower_bound.counter + self.capped.upper_bound.counter != CAPPED_LIMIT,
                f"the two sides of the capped semaphore differ: {self.capped}",
            ),
            (any(event._waiters for event in self.events), "somebody waits for an event"),
            (self.in_use, f"items are in use: {self.in_use}"),
            (
                sorted(self.items.free_items) != sorted(self.made),
                f"items of the pool were lost or doubled: {self.items}, made {self.made}",
            ),
            (self.items.current_size != len(self.made), f"a place was lost: {self.items}"),
            (
                self.tokens.current_size != len(set(map(id, self.tokens.free_items))),
                f"tokens were lost or doubled: {self.tokens}",
            ),
            (self.items.waiting() or self.tokens.waiting(), "somebody waits for an item"),
            (self.places.running(), f"{self.places.running()} run in the green pool"),
            (self.places.free() != PLACES, f"the green pool has {self.places.free()} places"),
            (
                totals["spawned"] != totals["ended"],
                f"{totals['spawned']} spawned, {totals['ended']} ended",
            ),
        ]
        yield from (fault for is_wrong, fault in told if is_wrong)


def _audit_queue(name: str, queue: LightQueue[int], notes: list[Notes]) -> Iterator[str]:
    left = _drain(queue)
    stored = numbers_of(notes, "stored", name)
    arrived = Counter(numbers_of(notes, "taken", name) + left)
    doubled = [number for number, times in arrived.items() if times > 1]
    lost = set(stored) - arrived.keys()
    unknown = arrived.keys() - set(stored)
    if queue.maxsize == 0:  # an interrupt may reach a putter after its item was taken
        unknown -= set(numbers_of(notes, "taken_back", name))
    told: list[tuple[object, str]] = [
        (doubled, f"doubled: {doubled[:10]}"),
        (lost, f"lost: {sorted(lost)[:10]}"),
        (unknown, f"arrived although its put failed: {sorted(unknown)[:10]}"),
        (queue._promised_items or queue._promised_room, f"a promise was forgotten: {queue}"),
        (queue.getting() or queue.putting() or queue._offers, f"somebody waits: {queue}"),
        (
            isinstance(queue, Queue) and queue.unfinished_tasks != len(left),
            f"{getattr(queue, 'unfinished_tasks', 0)} tasks are not done, {len(left)} are left",
        ),
        (name in FIFO and _is_out_of_order(name, notes), "items of one putter changed places"),
    ]
    yield from (fault for is_wrong, fault in told if is_wrong)


def _drain(queue: LightQueue[int]) -> list[int]:
    left = []
    while True:
        try:
            left.append(queue.get_nowait())
        except (Empty, ShutDown):
            return left


def _is_out_of_order(name: str, notes: list[Notes]) -> bool:
    """Whether somebody got a later item of a putter before an earlier one."""
    putter = {number: n for n, each in enumerate(notes) for number in each.stored.get(name, ())}
    for each in notes:
        latest: dict[int, int] = {}
        for number in each.taken.get(name, ()):
            who = putter.get(number, -1 - number)
            if latest.get(who, -1) > number:
                return True
            latest[who] = number
    return False


def _audit_guard(guarded: Counted, turns: int) -> Iterator[str]:
    guard = guarded.guard
    told: list[tuple[object, str]] = [
        (guard.counter != guarded.permits, f"{guard.counter} of {guarded.permits} permits"),
        (guard._waiters, f"somebody waits: {guard}"),
        (guarded.inside, f"{guarded.inside} are inside"),
        (guarded.permits == 1 and guarded.box != turns, f"{guarded.box} in {turns} turns"),
    ]
    yield from (fault for is_wrong, fault in told if is_wrong)
