"""Patched programs that poll locks and queues, and never wait: others run all the same."""

import textwrap

import pytest

from tests.conftest import RunIsolated

START = """
import eventlet
eventlet.monkey_patch()
import _queue, queue, threading, time

found = []

def bring():
    time.sleep(0.01)
    found.append(7)
    items.put(7)

items = queue.Queue()
lock = threading.Lock()
held = threading.Lock()
held.acquire()
reentrant = threading.RLock()
condition = threading.Condition()
simple = queue.SimpleQueue()
c_queue = _queue.SimpleQueue()
"""

POLLS = {
    "get without waiting": "items.get(False)",
    "get_nowait": "items.get_nowait()",
    "a SimpleQueue": "simple.get(False)",
    "a SimpleQueue in C": "c_queue.get(False)",
    "get_nowait of a SimpleQueue in C": "c_queue.get_nowait()",
    "a lock that is held": "held.acquire(blocking=False)",
    "a lock that is free": "lock.acquire(); lock.release()",
    "with a lock": "\n        with lock: pass",
    "with a reentrant lock": "\n        with reentrant: pass",
    "a reentrant lock, not waiting": "reentrant.acquire(False); reentrant.release()",
    "with a condition": "\n        with condition: condition.notify()",
}


@pytest.mark.parametrize("poll", POLLS.values(), ids=POLLS)
def test_what_only_polls_sees_what_others_bring(poll: str, run_isolated: RunIsolated) -> None:
    script = START + (
        "threading.Thread(target=bring).start()\n"
        f"while not found:\n    try: {poll}\n    except queue.Empty: pass\n"
        "print(found)\n"
    )
    assert run_isolated(script).stdout == "[7]\n"


def test_clean_up_in_a_cancelled_scope_takes_any_number_of_free_locks(
    run_isolated: RunIsolated,
) -> None:
    script = START + textwrap.dedent(
        """
        others = []
        eventlet.spawn(others.append, "ran")
        with eventlet.CancelScope() as scope:
            scope.cancel()
            for _ in range(5000):
                with lock, reentrant:
                    pass
        print(*others)
        """
    )
    assert run_isolated(script).stdout == "ran\n"


def test_a_green_thread_that_polls_can_be_killed(run_isolated: RunIsolated) -> None:
    script = START + textwrap.dedent(
        """
        def poll():
            while True:
                with lock:
                    pass

        thread = eventlet.spawn(poll)
        eventlet.sleep(0.01)
        thread.kill()
        print(thread.dead, lock.locked())
        """
    )
    assert run_isolated(script).stdout == "True False\n"
