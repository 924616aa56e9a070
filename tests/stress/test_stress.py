"""A short stress run, and the books: they must find what they are there for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from eventlet.queue import Queue

from tests.isolated_runner import run_isolated
from tests.stress.notes import Notes
from tests.stress.shared import Shared

SECONDS = "2.5"
RUN = """
import sys
from tests.stress.__main__ import main
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.time_limit(120)
def test_800_green_threads_of_8_os_threads_lose_and_double_nothing() -> None:
    done = run_isolated(RUN, "--seconds", SECONDS, timeout=100)  # it shows the seed

    moves = re.search(r"(\d+) moves", done.stdout)
    assert done.stderr == ""
    assert moves is not None
    assert int(moves[1]) > 800


def lose_an_item(shared: Shared, notes: Notes) -> None:
    notes.store("any", 1)


def double_an_item(shared: Shared, notes: Notes) -> None:
    shared.queues["any"].put(1)
    notes.store("any", 1)
    notes.take("any", 1)


def refuse_an_item_that_arrives(shared: Shared, notes: Notes) -> None:
    shared.queues["five"].put(1)


def swap_items(shared: Shared, notes: Notes) -> None:
    for number in (1, 2):
        notes.store("any", number)
    for number in (2, 1):
        notes.take("any", number)


def forget_a_task(shared: Shared, notes: Notes) -> None:
    queue = shared.queues["any"]
    assert isinstance(queue, Queue)
    queue.unfinished_tasks += 1


def keep_a_permit(shared: Shared, notes: Notes) -> None:
    shared.guards["semaphore"].guard.acquire()


def lose_a_turn(shared: Shared, notes: Notes) -> None:
    notes.counts["turns of lock"] += 1


def release_for_nothing(shared: Shared, notes: Notes) -> None:
    shared.capped.release()


def take_an_item(shared: Shared, notes: Notes) -> None:
    shared.numbers = iter([1])  # type: ignore[assignment]  # a number that `create` takes
    shared.items.get()


def leave_a_thread(shared: Shared, notes: Notes) -> None:
    shared.places.sem.acquire()


def end_for_nothing(shared: Shared, notes: Notes) -> None:
    notes.counts["ended"] += 1


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lose_an_item, "lost: [1]"),
        (double_an_item, "doubled: [1]"),
        (refuse_an_item_that_arrives, "arrived although its put failed: [1]"),
        (swap_items, "changed places"),
        (forget_a_task, "1 tasks are not done"),
        (keep_a_permit, "2 of 3 permits"),
        (lose_a_turn, "0 in 1 turns"),
        (release_for_nothing, "lost or made permits"),
        (take_an_item, "lost or doubled"),
        (leave_a_thread, "19 places"),
        (end_for_nothing, "0 spawned, 1 ended"),
    ],
)
def test_the_books_find(damage: Callable[[Shared, Notes], Any], fault: str) -> None:
    shared, notes = Shared(), Notes()
    assert list(shared.audit([notes])) == []

    damage(shared, notes)

    assert fault in "\n".join(shared.audit([notes]))
