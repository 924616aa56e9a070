"""What a green thread of the stress run does: one random move after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from greenlet import GreenletExit

from eventlet import tpool
from eventlet.dagpool import DAGPool
from eventlet.greenthread import GreenThread, sleep
from eventlet.queue import Empty, Full, Queue, ShutDown
from eventlet.taskgroup import Cancelled, CancelScope, TaskGroup, move_on_after
from eventlet.timeout import Timeout

from tests.stress.notes import Notes
from tests.stress.shared import CannotMake, NumberedEvent, Shared

MOMENT = 0.004  # seconds; the longest of the random time-outs


class Killed(BaseException):
    """What most kills raise; the victim goes on with another move."""


class Mover:
    """Makes random moves on what is shared, and notes what came of them."""

    def __init__(self, shared: Shared, notes: Notes, rng: Random) -> None:
        self.shared = shared
        self.notes = notes
        self.counts = notes.counts
        self.rng = rng

    def move(self) -> None:
        """Make one move, perhaps under a time-out, and perhaps be killed in it."""
        name, make = self.rng.choice(MOVES)
        limit = None if self.rng.random() < 0.5 else self.rng.random() * MOMENT
        try:
            with Timeout(limit) as timeout:
                make(self)
            self.counts[name] += 1
        except Timeout as exc:
            self.shared.check(exc is timeout, f"a stranger's time-out in {name}")
            self.counts["timed out"] += 1
        except Killed:
            self.counts["killed"] += 1
        except ShutDown:
            self.counts["shut down"] += 1

    def pause(self) -> None:
        sleep(self.rng.choice((0, 0, 0, 0.0005)))

    # -- queues ------------------------------------------------------------------------------

    def put(self) -> None:
        name = self.rng.choice(list(self.shared.queues))
        queue = self.shared.queues[name]
        how = self.rng.choice(((True, None), (True, self.rng.random() * MOMENT), (False, None)))
        number = next(self.shared.numbers)
        try:
            queue.put(number, *how)
        except (Full, ShutDown):
            self.counts["refused puts"] += 1
        except BaseException:
            self.notes.take_back(name, number)
            raise
        else:
            self.notes.store(name, number)

    def get(self) -> None:
        name = self.rng.choice(list(self.shared.queues))
        queue = self.shared.queues[name]
        how = self.rng.choice(((True, None), (True, self.rng.random() * MOMENT), (False, None)))
        try:
            number = queue.get(*how)
        except Empty:
            return
        self.notes.take(name, number)
        if isinstance(queue, Queue):
            queue.task_done()

    def join(self) -> None:
        queue = self.shared.queues[self.rng.choice(("any", "one", "five"))]
        assert isinstance(queue, Queue)
        with Timeout(self.rng.random() * MOMENT, False):
            queue.join()

    # -- permits -----------------------------------------------------------------------------

    def enter(self) -> None:
        name = self.rng.choice(list(self.shared.guards))
        guarded = self.shared.guards[name]
        if not guarded.guard.acquire(timeout=self.rng.choice((None, self.rng.random() * MOMENT))):
            return
        try:
            guarded.inside += 1
            self.shared.check(guarded.inside <= guarded.permits, f"too many have the {name}")
            try:
                box = guarded.box
                self.pause()
                guarded.box = box + 1
                self.counts[f"turns of {name}"] += 1
            finally:
                guarded.inside -= 1
        finally:
            guarded.guard.release()

    def acquire_capped(self) -> None:
        with Timeout(self.rng.random() * MOMENT, False):
            if self.shared.capped.acquire(blocking=self.rng.random() < 0.7):
                self.counts["capped: acquired"] += 1

    def release_capped(self) -> None:
        with Timeout(self.rng.random() * MOMENT, False):
            if self.shared.capped.release(blocking=self.rng.random() < 0.7):
                self.counts["capped: released"] += 1

    # -- events ------------------------------------------------------------------------------

    def wait_for_event(self) -> None:
        event = self.rng.choice(self.shared.events)
        limit = self.rng.choice((None, self.rng.random() * MOMENT))
        value = event.wait(limit)
        is_right = value == event.number or (value is None and limit is not None)
        self.shared.check(is_right, f"an event brought {value!r}")

    def send_event(self) -> None:
        events = self.shared.events
        place = self.rng.randrange(len(events))
        following = NumberedEvent()
        # No call in this line: no other OS thread may come between, or an event is forgotten.
        event, events[place] = events[place], following
        try:
            event.send(event.number)
        except AssertionError:
            self.counts["sent by another"] += 1

    # -- pools -------------------------------------------------------------------------------

    def use_item(self) -> None:
        pool: Any = self.rng.choice((self.shared.items, self.shared.tokens))
        try:
            item = pool.get()
        except CannotMake:
            return
        in_use = self.shared.in_use
        try:
            self.shared.check(item not in in_use, "an item is used by two")
            in_use.append(item)
            self.pause()
        finally:
            in_use.remove(item)
            pool.put(item)

    def spawn(self) -> None:
        thread = self.shared.places.spawn(self._job, self.rng.random())
        self.counts["spawned"] += 1
        thread.link(self._note_end)
        self.shared.recent.append(thread)
        if self.rng.random() < 0.5:
            self._wait_for(thread)

    def _job(self, luck: float) -> float:
        try:
            sleep(0 if luck < 0.8 else 0.001)
        except Killed:
            pass
        return luck

    def _note_end(self, _thread: GreenThread) -> None:
        self.counts["ended"] += 1

    def wait_for_another(self) -> None:
        recent = list(self.shared.recent)
        if recent:
            self._wait_for(self.rng.choice(recent))

    def _wait_for(self, thread: GreenThread) -> None:
        try:
            luck = thread.wait()
        except (GreenletExit, Killed) as exc:
            if exc is not thread._exc:
                raise  # it was meant for us
        else:
            self.shared.check(isinstance(luck, float), f"a green thread returned {luck!r}")

    def kill_another(self) -> None:
        recent = list(self.shared.recent)
        if recent:
            self.rng.choice(recent).kill(*self.rng.choice(((), (Killed(),))))

    def wait_for_all(self) -> None:
        with Timeout(self.rng.random() * MOMENT, False):
            self.shared.places.waitall()

    def draw_graph(self) -> None:
        graph = DAGPool({0: 1})
        for key in range(1, 6):
            graph.spawn(key, [key - 1], _add_one)
        self.shared.graphs.append(graph)
        self._read_graph(graph)

    def read_another_graph(self) -> None:
        graphs = list(self.shared.graphs)
        if graphs:
            self._read_graph(self.rng.choice(graphs))

    def _read_graph(self, graph: DAGPool) -> None:
        # Its green threads end with their OS thread, and their values never come.
        with Timeout(self.rng.random() * MOMENT, False):
            values = graph.wait(range(6))
            self.shared.check(values == {n: n + 1 for n in range(6)}, f"a graph gave {values}")

    # -- scopes ------------------------------------------------------------------------------

    def stay_in_scope(self) -> None:
        with move_on_after(self.rng.choice((None, self.rng.random() * MOMENT))) as scope:
            self.shared.scopes.append(scope)
            self.pause()
            with CancelScope(shield=True):
                try:
                    self.pause()
                except Cancelled:
                    self.shared.check(False, "a shield was broken")
            self.get()

    def cancel_a_scope(self) -> None:
        scopes = self.shared.scopes
        if scopes:
            try:
                scopes.popleft().cancel("by another")
            except IndexError:
                return

    def work_in_group(self) -> None:
        with TaskGroup() as group:
            self.shared.scopes.append(group.cancel_scope)
            for _ in range(2):
                try:
                    group.spawn(sleep, self.rng.random() * MOMENT)
                except RuntimeError:
                    self.shared.check(group.cancel_scope.cancel_called, "a group refused")

    # -- OS threads without a hub --------------------------------------------------------------

    def call_in_tpool(self) -> None:
        mover = Mover(self.shared, Notes(), Random(self.rng.random()))
        make = self.rng.choice((Mover.put_natively, Mover.get_natively, Mover.enter_natively))
        self.shared.native_notes.append(mover.notes)
        tpool.execute(make, mover)

    def put_natively(self) -> None:
        name = self.rng.choice(list(self.shared.queues))
        number = next(self.shared.numbers)
        try:
            self.shared.queues[name].put(number, timeout=self.rng.choice((0, MOMENT)))
        except (Full, ShutDown):
            return
        self.notes.store(name, number)

    def get_natively(self) -> None:
        name = self.rng.choice(list(self.shared.queues))
        queue = self.shared.queues[name]
        try:
            number = queue.get(timeout=self.rng.choice((0, MOMENT)))
        except (Empty, ShutDown):
            return
        self.notes.take(name, number)
        if isinstance(queue, Queue):
            queue.task_done()

    def enter_natively(self) -> None:
        lock = self.shared.guards["lock"]
        if lock.guard.acquire(timeout=MOMENT):
            lock.box += 1
            self.counts["turns of lock"] += 1
            lock.guard.release()


def _add_one(_key: int, results: Iterator[tuple[int, int]]) -> int:
    return sum(value for _, value in results) + 1


MOVES: list[tuple[str, Callable[[Mover], None]]] = [
    ("put", Mover.put),
    ("put", Mover.put),
    ("put", Mover.put),
    ("get", Mover.get),
    ("get", Mover.get),
    ("get", Mover.get),
    ("join", Mover.join),
    ("enter", Mover.enter),
    ("enter", Mover.enter),
    ("acquire capped", Mover.acquire_capped),
    ("release capped", Mover.release_capped),
    ("wait for event", Mover.wait_for_event),
    ("wait for event", Mover.wait_for_event),
    ("send event", Mover.send_event),
    ("send event", Mover.send_event),
    ("use item", Mover.use_item),
    ("use item", Mover.use_item),
    ("spawn", Mover.spawn),
    ("wait for another", Mover.wait_for_another),
    ("kill another", Mover.kill_another),
    ("wait for all", Mover.wait_for_all),
    ("draw a graph", Mover.draw_graph),
    ("read a graph", Mover.read_another_graph),
    ("stay in a scope", Mover.stay_in_scope),
    ("cancel a scope", Mover.cancel_a_scope),
    ("work in a group", Mover.work_in_group),
    ("call in tpool", Mover.call_in_tpool),
]
