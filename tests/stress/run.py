"""The stress run: green threads of many OS threads on shared primitives, then the audit.

Some OS threads last as long as the run. Others are short: they end while their green threads
wait for something, or have just been handed it. Green threads are killed at random, from
inside and from outside, time out and are cancelled; those that end are replaced.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from greenlet import GreenletExit

from eventlet import tpool
from eventlet._core.current import existing_hub, hubs
from eventlet.greenthread import GreenThread, sleep, spawn

from tests.stress.moves import MOVES, Killed, Mover
from tests.stress.notes import Notes
from tests.stress.shared import Shared
from tests.stress.watchdog import Watchdog

PATIENCE = 20.0  # seconds without any move
ENDING = 60.0  # seconds that the end of a run may take
SHORT_THREADS = 5  # green threads of a short OS thread
DESCRIPTORS = Path("/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd")


@dataclass
class Result:
    """What came of a run."""

    seed: int
    seconds: float
    totals: Counter[str]
    faults: list[str]


class Run:
    """One run.

    Args:
        seed: decides every choice of every green thread; not the order in which they run.
        seconds: how long new moves are begun.
        os_threads: those that last.
        green_threads: in each of them.
    """

    def __init__(self, seed: int, seconds: float, os_threads: int, green_threads: int) -> None:
        self.seed = seed
        self.seconds = seconds
        self.os_threads = os_threads
        self.green_threads = green_threads
        self.shared = Shared()
        self.notes: list[Notes] = []
        self.workers: deque[GreenThread] = deque(maxlen=os_threads * green_threads)
        self.short_workers: deque[GreenThread] = deque(maxlen=2 * SHORT_THREADS)
        self.is_over = False
        self._numbers = count()
        self._escaped: list[BaseException] = []

    def run(self) -> Result:
        """Make the run; return when everybody has ended and the books are checked."""
        descriptors = len(os.listdir(DESCRIPTORS))
        open_hubs = hubs - {existing_hub()}
        limit = self.seconds + PATIENCE + ENDING
        with Watchdog(self._progress, self._describe, PATIENCE, limit):
            lasting = [
                threading.Thread(target=self._work_in_os_thread, args=(self.green_threads,))
                for _ in range(self.os_threads)
            ]
            for thread in lasting:
                thread.start()
            self._start_short_ones()
            self.is_over = True
            while any(thread.is_alive() for thread in lasting):
                self.shared.let_everybody_go()
                time.sleep(0.01)
            tpool.killall()
        self.notes += self.shared.native_notes
        faults = list(self.shared.audit(self.notes))
        faults += [f"{exc!r} escaped" for exc in self._escaped]
        faults += list(_audit_process(descriptors, hubs - open_hubs - {existing_hub()}))
        totals: Counter[str] = sum((each.counts for each in self.notes), Counter())
        totals["moves"] = sum(totals[name] for name in {name for name, _ in MOVES})
        return Result(self.seed, self.seconds, totals, faults)

    def _start_short_ones(self) -> None:
        end = time.monotonic() + self.seconds
        rng = Random(self.seed)
        notes = Notes()
        self.notes.append(notes)
        while time.monotonic() < end:
            thread = threading.Thread(
                target=self._work_a_moment, args=(SHORT_THREADS, rng.random() * 0.02)
            )
            thread.start()
            thread.join()
            notes.counts["OS threads that ended early"] += 1

    def _work_a_moment(self, workers: int, seconds: float) -> None:
        for _ in range(workers):
            self._start_worker(self.short_workers)
        sleep(seconds)

    def _work_in_os_thread(self, workers: int) -> None:
        threads = {self._start_worker(self.workers) for _ in range(workers)}
        rng = Random(f"{self.seed} kills {threading.get_ident()}")
        notes = Notes()
        self.notes.append(notes)
        try:
            while not self.is_over:
                sleep(rng.random() * 0.005)
                self._kill_somebody(rng, notes)
                for ended in [thread for thread in threads if thread.dead]:
                    threads.remove(ended)
                    threads.add(self._start_worker(self.workers))
            for thread in threads:
                self._wait_for(thread)
        except BaseException as exc:
            self._escaped.append(exc)
            raise

    def _kill_somebody(self, rng: Random, notes: Notes) -> None:
        workers = self.workers if rng.random() < 0.9 else self.short_workers
        if not workers:
            return
        victim = rng.choice(workers)
        victim.kill(*((Killed(),) if rng.random() < 0.9 else ()))
        notes.counts["kills sent"] += 1

    def _wait_for(self, thread: GreenThread) -> None:
        try:
            thread.wait()
        except GreenletExit:
            return

    def _start_worker(self, among: deque[GreenThread]) -> GreenThread:
        number = next(self._numbers)
        notes = Notes()
        self.notes.append(notes)
        mover = Mover(self.shared, notes, Random(f"{self.seed} worker {number}"))
        thread = spawn(self._work, mover)
        among.append(thread)
        return thread

    def _work(self, mover: Mover) -> None:
        try:
            while not self.is_over:
                mover.move()
        except Killed:
            return  # between two moves
        except Exception as exc:
            self._escaped.append(exc)
            raise

    def _progress(self) -> int:
        return sum(each.counts.total() for each in self.notes)

    def _describe(self) -> str:
        shared = self.shared
        things = [*shared.queues.items(), *((n, g.guard) for n, g in shared.guards.items())]
        lines = [f"{name}: {thing!r}" for name, thing in things]
        lines += [repr(shared.capped), repr(shared.items), repr(shared.tokens)]
        lines += [f"{shared.places.running()} run, {shared.places.waiting()} wait in the pool"]
        return "\n".join([f"seed {self.seed}, over {self.is_over}", *lines, *shared.faults])


def _audit_process(descriptors: int, open_hubs: object) -> Iterator[str]:
    if open_hubs:
        yield f"hubs of ended OS threads are open: {open_hubs}"
    left = len(os.listdir(DESCRIPTORS)) - descriptors
    if left > 0:
        yield f"{left} descriptors are open that were not before"
