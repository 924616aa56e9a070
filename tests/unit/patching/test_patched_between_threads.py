"""Queues, conditions, events and logging between OS threads and green threads, patched."""

from __future__ import annotations

import pytest

from tests.isolated_runner import run_isolated
from tests.unit.patching.test_patched_locks import run

PAIRS = {
    "Queue": ("queue.Queue()", "thing.get()", "thing.put(1)"),
    "SimpleQueue": ("queue.SimpleQueue()", "thing.get()", "thing.put(1)"),
    "LifoQueue": ("queue.LifoQueue()", "thing.get(timeout=50)", "thing.put(1)"),
    "Event": ("threading.Event()", "thing.wait()", "thing.set()"),
    "Semaphore": ("threading.Semaphore(0)", "thing.acquire()", "thing.release()"),
    "Condition": ("threading.Condition()", "wait(thing)", "notify(thing)"),
    "Barrier": ("threading.Barrier(2)", "thing.wait(50)", "thing.wait(50)"),
}
HELPERS = """
def wait(condition):
    with condition:
        condition.wait()
def notify(condition):
    with condition:
        condition.notify()
"""


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("kind", PAIRS)
def test_a_wake_crosses_between_os_threads_and_green_threads_at_once(kind: str, when: str) -> None:
    make, wait, wake = PAIRS[kind]
    made = f"\nthings = [{make} for _ in range(20)]\n"
    # Side by side: a green thread that waits for an OS thread, and the other way round.
    late = f"""
begun, woken, delays = [], [], []
def waiter(thing):
    begun.append(1)
    {wait}
    woken.append(time.monotonic())
def waker(thing):
    begun.append(time.monotonic())
    {wake}
for number, thing in enumerate(things):
    begun.clear(), woken.clear()
    first, second = (eventlet.spawn, start_os_thread)[:: 1 if number % 2 else -1]
    call = lambda spawn, func: spawn(func, (thing,)) if spawn is start_os_thread else spawn(func, thing)
    call(first, waiter)
    ticking(lambda: begun)
    time.sleep(0.002)
    call(second, waker)
    ticking(lambda: woken)
    delays.append(woken[0] - begun[1])
delays.sort()
assert delays[len(delays) // 2] < 0.5 and delays[-1] < 20, delays
print("ok")
"""
    early = made if when == "early" else ""
    assert run(early, ("" if when == "early" else made) + HELPERS + late) == "ok\n"


def test_items_of_simple_queues_are_neither_lost_nor_doubled_nor_out_of_order() -> None:
    late = """
items, got, ended = queue.SimpleQueue(), [], []
def get(name):
    while (item := items.get()) is not None:
        got.append(item)
        eventlet.sleep(0) if existing_hub() else native_sleep(0)
    ended.append(name)
def put(base):
    for number in range(500):
        items.put(base + number)
getters = [eventlet.spawn(get, "green") for _ in range(4)]
victims = [eventlet.spawn(items.get) for _ in range(20)]
timed = eventlet.spawn(lambda: items.get(timeout=0.001) if 0 else None)
eventlet.sleep(0)
start_os_thread(get, ("os",))
items.put(-1)                          # woken, and killed before they run
items.put(-2)
for victim in victims:
    victim.kill()
ticking(lambda: {-1, -2} <= set(got))
start_os_thread(put, (1000,)), start_os_thread(put, (2000,))
put(3000)
ticking(lambda: len(got) == 1502)
for _ in range(5):
    items.put(None)
ticking(lambda: len(ended) == 5)
assert sorted(got) == [-2, -1, *range(1000, 1500), *range(2000, 2500), *range(3000, 3500)]
alone = queue.SimpleQueue()
taken = []
single = eventlet.spawn(lambda: [taken.append(alone.get()) for _ in range(50)])
for number in range(50):
    alone.put(number)
    eventlet.sleep(0)
single.wait()
assert taken == list(range(50)) and alone.empty()
for bad in (lambda: alone.get_nowait(), lambda: alone.get(False), lambda: alone.get(timeout=0.01)):
    try:
        bad()
    except queue.Empty:
        taken.append("empty")
assert taken[50:] == ["empty"] * 3
print("ok")
"""
    assert run("", late) == "ok\n"


def test_trap11_a_condition_shared_with_an_os_thread_is_owned_again_after_a_kill() -> None:
    late = """
condition, order = threading.Condition(), []
def wait():
    with condition:
        try:
            condition.wait()
        finally:
            order.append(condition._is_owned())
def hold():
    with condition:
        order.append("held")
        native_sleep(0.03)
        order.append("free")
victim = eventlet.spawn(wait)
eventlet.sleep(0)
start_os_thread(hold, ())
ticking(lambda: order)
victim.kill()
ticking(lambda: victim.dead)
assert order == ["held", "free", True], order
with condition:
    pass
print("ok")
"""
    assert run("", late) == "ok\n"


def test_logging_from_everywhere_loses_no_record() -> None:
    assert run_isolated("patched_logging.py", "4000", timeout=110).stdout == "passed\n"


@pytest.mark.slow
def test_100_000_records_from_everywhere_are_all_there() -> None:
    assert run_isolated("patched_logging.py", "34000", timeout=300).stdout == "passed\n"
