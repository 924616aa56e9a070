"""Green queue: the standard queues between green threads."""

from __future__ import annotations

import queue as real_queue
from typing import Any

import pytest

import eventlet.green.Queue as old_name  # noqa: N813 - the module has the name of a class
from eventlet.green import queue
from eventlet.greenthread import sleep, spawn

KINDS = ("Queue", "LifoQueue", "PriorityQueue", "SimpleQueue")


@pytest.mark.parametrize("kind", KINDS)
def test_get_parks_until_there_is_an_item(kind: str) -> None:
    made: Any = getattr(queue, kind)()
    getter = spawn(made.get)
    sleep(0)
    assert not getter.dead
    made.put("item")

    assert getter.wait() == "item"


@pytest.mark.parametrize("kind", KINDS)
def test_get_raises_the_standard_error(kind: str) -> None:
    made: Any = getattr(queue, kind)()

    with pytest.raises(real_queue.Empty):
        made.get(timeout=0.001)
    with pytest.raises(real_queue.Empty):
        made.get_nowait()


def test_put_parks_while_the_queue_is_full() -> None:
    made: Any = queue.Queue(1)
    made.put(1)
    putter = spawn(made.put, 2)
    sleep(0)
    with pytest.raises(real_queue.Full):
        made.put_nowait(3)

    assert [made.get(), made.get()] == [1, 2]
    putter.wait()


@pytest.mark.parametrize("maxsize", [0, -1])
def test_no_size_means_no_bound(maxsize: int) -> None:
    made: Any = queue.Queue(maxsize)
    for number in range(100):
        made.put_nowait(number)

    assert made.qsize() == 100


def test_join_parks_until_all_is_done() -> None:
    made: Any = queue.Queue()
    made.put(1)
    joiner = spawn(made.join)
    sleep(0)
    assert not joiner.dead
    made.task_done()
    joiner.wait()


def test_the_errors_are_the_standard_ones_and_the_old_name_works() -> None:
    assert (queue.Empty, queue.Full) == (real_queue.Empty, real_queue.Full)
    assert old_name.Queue is queue.Queue
    assert old_name.SimpleQueue is queue.SimpleQueue


@pytest.mark.skipif(not hasattr(real_queue, "ShutDown"), reason="new in Python 3.13")
def test_shutdown_wakes_the_getters() -> None:
    made: Any = queue.Queue()
    getter = spawn(made.get)
    sleep(0)
    made.shutdown()

    with pytest.raises(queue.ShutDown):  # type: ignore[attr-defined]
        getter.wait()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_loop_that_only_asks_ends_when_another_puts(kind: str) -> None:
    made: Any = getattr(queue, kind)(1)
    putter = spawn(made.put, "item")
    while made.empty():
        pass
    assert made.qsize() == 1
    getter = spawn(made.get)
    while made.full():
        pass

    assert getter.wait() == "item"
    putter.wait()
