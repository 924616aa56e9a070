"""Semantic 24: locks that are older than patching.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import pytest

from tests.conftest import RunIsolated

PROLOGUE = """
import threading
held = threading.{kind}()
held.acquire()
import eventlet
eventlet.monkey_patch()
import time
order = []

def take(name):
    with held:
        order.append(name)

def tick():
    order.append("tick")
"""


def prologue(kind: str) -> str:
    return PROLOGUE.format(kind=kind)


@pytest.mark.parametrize("kind", ["RLock", "Lock"])
def test_semantic_24_a_lock_held_before_patching_excludes_and_waiters_park(
    kind: str, run_isolated: RunIsolated
) -> None:
    done = run_isolated(
        prologue(kind)
        + """
threads = [threading.Thread(target=take, args=(name,)) for name in ("first", "second")]
for thread in threads:
    thread.start()
eventlet.spawn(tick)
time.sleep(0.01)
order.append("released")
held.release()
for thread in threads:
    thread.join()
print(order)
"""
    )

    assert done.stdout == "['tick', 'released', 'first', 'second']\n"


def test_semantic_24_an_rlock_held_before_patching_keeps_owner_and_count(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated(
        prologue("RLock")
        + """
held.acquire()
answers = [bool(held.acquire(blocking=False))]

def elsewhere():
    answers.append(held.acquire(blocking=False))
    try:
        held.release()
    except RuntimeError:
        answers.append("not the owner")

eventlet.spawn(elsewhere).wait()
thread = threading.Thread(target=take, args=("waiter",))
thread.start()
for count in (3, 2, 1):
    time.sleep(0.001)
    order.append(count)
    held.release()
thread.join()
try:
    held.release()
except RuntimeError:
    answers.append("not held")
print(answers, order)
"""
    )

    assert done.stdout == "[True, False, 'not the owner', 'not held'] [3, 2, 1, 'waiter']\n"


PLACES = {
    "class": """
class Holder:
    lock = threading.RLock()

def hold():
    return Holder.lock
""",
    "list": """
locks = [threading.RLock()]

def hold():
    return locks[0]
""",
    "tuple": """
locks = (threading.RLock(),)

def hold():
    return locks[0]
""",
    "closure": """
def make():
    lock = threading.RLock()
    return lambda: lock

hold = make()
""",
    "slot": """
class Holder:
    __slots__ = ("lock",)

holder = Holder()
holder.lock = threading.RLock()

def hold():
    return holder.lock
""",
    "condition": """
condition = threading.Condition()

def hold():
    return condition
""",
    "event": """
event = threading.Event()

def hold():
    return event._cond
""",
    "logging": """
import logging
handler = logging.StreamHandler()

def hold():
    return handler.lock
""",
}


@pytest.mark.parametrize("place", PLACES)
def test_semantic_24_early_locks_work_wherever_they_are_kept(
    place: str, run_isolated: RunIsolated
) -> None:
    script = f"""import threading
{PLACES[place]}
hold().acquire()
import eventlet
eventlet.monkey_patch()
import time
order = []

def take():
    with hold():
        order.append("waiter")

thread = threading.Thread(target=take)
thread.start()
eventlet.spawn(order.append, "tick")
time.sleep(0.01)
order.append("owner")
hold().release()
thread.join()
print(order)
"""
    done = run_isolated(script)

    assert (done.stdout, done.stderr) == ("['tick', 'owner', 'waiter']\n", "")
