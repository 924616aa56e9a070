"""Locks of the built-in types under `monkey_patch`, each case in a fresh interpreter.

The native side is played by OS threads that were started by the native call, which has no
hub, and by methods in C that were kept from before patching.
"""

from __future__ import annotations

import threading
from _thread import RLock

import pytest

from eventlet._unpatched import _shown_recursion_count

from tests.isolated_runner import run_isolated

needs_count = pytest.mark.skipif(
    not hasattr(RLock, "_recursion_count"), reason="early releases of 3.11 do not have it"
)

BEFORE = """
import _queue, _thread, gc, queue, sys, threading, time
start_os_thread, native_sleep = _thread.start_new_thread, time.sleep
"""
PATCH = """
import eventlet
from eventlet import patcher
from eventlet._core.current import existing_hub
from eventlet._core.fork import hubs
patcher.monkey_patch()

def ticking(done, limit=50.0):
    '''Run others until done() is true; tell the longest time they were held up, in seconds.'''
    begin = last = time.monotonic()
    longest = 0.0
    while not done():
        assert time.monotonic() - begin < limit, "nothing came"
        time.sleep(0.001)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest
"""


def run(early: str, late: str) -> str:
    """Run code of which a part comes before patching; return what it printed."""
    done = run_isolated(BEFORE + early + PATCH + late)
    assert done.stderr == ""
    return done.stdout


KINDS = ["threading.Lock()", "threading.RLock()", "threading._PyRLock()"]


@pytest.mark.parametrize("kind", KINDS)
def test_locks_made_before_patching_exclude_and_park_wherever_they_are_kept(kind: str) -> None:
    early = f"""
class Slots:
    __slots__ = ("lock",)
slots = Slots()
slots.lock = {kind}
in_tuple = ({kind},)
def closure():
    lock = {kind}
    return lambda: lock
in_closure = closure()
in_iterator = iter([{kind}])          # reachable through C only
"""
    late = """
for lock in (slots.lock, in_tuple[0], in_closure(), next(in_iterator)):
    inside, most, ticks = [], [], []
    def work():
        for _ in range(3):
            with lock:
                inside.append(1)
                most.append(len(inside))
                eventlet.sleep(0.002)
                inside.pop()
    def tick():
        while True:
            ticks.append(1)
            eventlet.sleep(0.001)
    ticker = eventlet.spawn(tick)
    workers = [eventlet.spawn(work) for _ in range(4)]
    for worker in workers:
        worker.wait()
    ticker.kill()
    assert most == [1] * 12, most
    assert len(ticks) > 6, ticks
print("ok")
"""
    assert run(early, late) == "ok\n"


@needs_count
def test_a_lock_held_by_a_running_with_is_let_go_in_c_and_found() -> None:
    early = """
lock, plain = threading.RLock(), threading.Lock()
order = []
def main():
    with lock, lock, plain:
"""
    # The rest runs inside the `with`, whose exits were looked up before patching.
    body = (
        PATCH
        + """
def take(which, name):
    with which:
        order.append(name)
waiters = [eventlet.spawn(take, lock, "lock"), eventlet.spawn(take, plain, "plain")]
time.sleep(0.02)
assert lock._is_owned() and lock._recursion_count() == 2
with lock:
    order.append("again")
time.sleep(0.02)
order.append("end")
"""
    )
    indented = "".join(f"        {line}\n" for line in body.splitlines())
    late = """
    for waiter in waiters:
        with eventlet.Timeout(30):
            waiter.wait()
main()
assert order[:2] == ["again", "end"], order
assert sorted(order[2:]) == ["lock", "plain"]
print("ok")
"""
    done = run_isolated(BEFORE + early + indented + late)

    assert (done.stdout, done.stderr) == ("ok\n", "")


def test_trap13_a_condition_made_before_patching_calls_no_method_in_c() -> None:
    early = """
conditions = [threading.Condition(), threading.Condition(threading.Lock())]
event, semaphore, old_queue = threading.Event(), threading.Semaphore(0), queue.Queue()
kept = {name: value for name, value in vars(conditions[0]).items() if "_waiters" != name}
"""
    late = """
for condition in conditions:
    got = []
    def wait():
        with condition:
            got.append(condition.wait(50))
    waiters = [threading.Thread(target=wait) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    time.sleep(0.01)
    def hold():
        assert condition.acquire()
        time.sleep(0.02)
        condition.release()
    holder = eventlet.spawn(hold)
    eventlet.sleep(0)
    assert not condition.acquire(blocking=False), "held by another green thread"
    holder.wait()
    with condition:
        condition.notify_all()
    for waiter in waiters:
        waiter.join()
    assert got == [True] * 3, got
waiting = [eventlet.spawn(event.wait), eventlet.spawn(semaphore.acquire), eventlet.spawn(old_queue.get)]
eventlet.sleep(0.01)
event.set(), semaphore.release(), old_queue.put(True)
assert [thread.wait() for thread in waiting] == [True] * 3
for name in ("acquire", "release", "_release_save", "_acquire_restore", "_is_owned"):
    assert vars(conditions[0])[name] is kept[name], "the instance keeps what it had"
    assert hasattr(type(vars(threading.Condition)[name]), "__set__"), name
print("ok")
"""
    assert run(early, late) == "ok\n"


def test_trap13_a_kept_method_in_c_is_noticed_within_ten_milliseconds() -> None:
    early = """
plain, lock, items = threading.Lock(), threading.RLock(), queue.SimpleQueue()
plain.acquire(); lock.acquire()
releases = [plain.release, lock.release, lambda put=items.put: put("item")]
"""
    late = """
waits = [plain.acquire, lock.acquire, items.get]
for wait, release in zip(waits, releases):
    waiter = eventlet.spawn(wait)
    time.sleep(0.03)
    begin = time.monotonic()
    release()
    with eventlet.Timeout(30):
        waiter.wait()
    assert time.monotonic() - begin < 20
print("ok")
"""
    assert run(early, late) == "ok\n"


def test_trap13_an_os_thread_without_a_hub_blocks_and_gets_none() -> None:
    late = """
lock, rlock, condition = threading.Lock(), threading.RLock(), threading.Condition()
items, done, made = queue.SimpleQueue(), [], len(hubs)
def visit():
    with lock, rlock:
        done.append("locks")
    assert items.get() == 1
    with condition:
        done.append("ready")
        assert condition.wait(50)
    assert not lock.acquire(timeout=0.01) and not rlock.acquire(timeout=0.01)
    done.append(existing_hub())
with lock:
    with rlock:
        start_os_thread(visit, ())
        assert ticking(lambda: lock is None or time.monotonic() > 0) < 20
        time.sleep(0.02)
        assert done == []
ticking(lambda: done)
items.put(1)
ticking(lambda: "ready" in done)
lock.acquire(); rlock.acquire()
with condition:
    condition.notify()
ticking(lambda: None in done)
assert done == ["locks", "ready", None] and len(hubs) == made, (done, hubs)
print("ok")
"""
    assert run("", late) == "ok\n"


def test_trap13_the_hubs_greenlet_never_parks_and_says_what_is_wrong() -> None:
    late = """
from eventlet._errors import LockHeldHere
caught = []
def call(take):
    try:
        take()
    except LockHeldHere as exc:
        caught.append(exc)
for lock in (threading.Lock(), threading.RLock()):
    with lock:
        existing_hub().call_soon(call, lock.acquire)
        time.sleep(0.01)
    assert caught[-1].lock is lock and "mainloop" in str(caught[-1])
    # A lock that another OS thread holds is waited for.
    held = []
    def hold():
        with lock:
            held.append(1)
            native_sleep(0.02)
    start_os_thread(hold, ())
    while not held:
        native_sleep(0.001)
    existing_hub().call_soon(lambda: held.append(lock.acquire()))
    ticking(lambda: len(held) > 1)
    assert held == [1, True]
assert len(caught) == 2
print("ok")
"""
    assert run("", late) == "ok\n"


def test_trap13_an_os_thread_started_before_patching_can_be_joined() -> None:
    early = """
gate, order, beats = threading.Event(), [], []
def work():
    gate.wait()
    while len(beats) < 5:             # the joiners let others run
        native_sleep(0.001)
    order.append("work")
early = [threading.Thread(target=work) for _ in range(2)]
for each in early:
    each.start()
"""
    late = """
joiners = [eventlet.spawn(each.join) for each in early for _ in range(2)]
early[0].join(0.01)
assert early[0].is_alive()
gate.set()
ticking(lambda: beats.append(1) or all(joiner.dead for joiner in joiners))
assert order == ["work"] * 2 and not any(each.is_alive() for each in early)
print("ok")
"""
    assert run(early, late) == "ok\n"


def test_trap14_the_releaser_cannot_take_the_lock_again_before_the_head_waiter() -> None:
    late = """
for lock in (threading.Lock(), threading.RLock()):
    turns = {"greedy": 0, "modest": 0, "os": 0}
    def work(name, pause):
        while min(turns.values()) < 50 and max(turns.values()) < 1000:
            with lock:
                turns[name] += 1
                pause()
    start_os_thread(work, ("os", lambda: native_sleep(0.0005)))
    threads = [eventlet.spawn(work, name, lambda: eventlet.sleep(0.0005)) for name in ("greedy", "modest")]
    for thread in threads:
        thread.wait()
    time.sleep(0.05)
    assert min(turns.values()) * 8 > max(turns.values()), turns
print("ok")
"""
    assert run("", late) == "ok\n"


def test_trap14_a_waiter_in_c_has_its_turn() -> None:
    early = """
lock, got = threading.Lock(), []
lock.acquire()
start_os_thread(lambda: got.append(lock.acquire()), ())
native_sleep(0.05)                    # it waits in C now
"""
    late = """
def work():
    while not got:
        with lock:
            eventlet.sleep(0.0002)
threads = [eventlet.spawn(work) for _ in range(3)]
eventlet.sleep(0)
lock.release()
ticking(lambda: got)
lock.release()                        # for the one in C
for thread in threads:
    thread.wait()
print("ok")
"""
    assert run(early, late) == "ok\n"


@pytest.mark.parametrize("kind", KINDS)
def test_trap14_a_waiter_that_dies_passes_the_lock_on(kind: str) -> None:
    late = f"""
lock, order = {kind}, []
def work(name):
    with lock:
        order.append(name)
lock.acquire()
threads = [eventlet.spawn(work, name) for name in "abc"]
eventlet.sleep(0)
lock.release()                        # to a
threads[0].kill()
threads[1].wait(), threads[2].wait()
assert order == ["b", "c"], order
assert lock.acquire(blocking=False)
waiter = eventlet.spawn(lock.acquire, True, 0.01)
assert waiter.wait() is False
lock.release()
assert lock.acquire(blocking=False)
print("ok")
"""
    assert run("", late) == "ok\n"


@needs_count
def test_the_owner_of_an_rlock_is_a_green_thread() -> None:
    late = """
lock = threading.RLock()
def look():
    return lock._is_owned(), lock._recursion_count(), lock.acquire(blocking=False)
def let_go():
    try:
        lock.release()
    except RuntimeError as exc:
        return str(exc)
with lock, lock:
    assert look() == (True, 2, True)
    lock.release()
    assert eventlet.spawn(look).wait() == (False, 0, False)
    assert eventlet.spawn(let_go).wait() == "cannot release un-acquired lock"
    state = lock._release_save()
    assert eventlet.spawn(look).wait() == (False, 0, True), "and it is never released"
    lock._at_fork_reinit()
    lock._acquire_restore(state)
    assert lock._recursion_count() == 2
assert not lock._is_owned() and let_go() == "cannot release un-acquired lock"
print("ok")
"""
    assert run("", late) == "ok\n"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("acquire(False, 1)", "ValueError"),
        ("acquire(timeout=-2)", "ValueError"),
        ("acquire(timeout=1e100)", "OverflowError"),
        ("acquire(timeout='1')", "TypeError"),
    ],
)
def test_arguments_are_refused_as_ever(call: str, error: str) -> None:
    late = f"""
for lock in (threading.Lock(), threading.RLock()):
    try:
        lock.{call}
    except Exception as exc:
        print(type(exc).__name__)
    assert lock.acquire(timeout=30)
"""
    assert run("", late) == f"{error}\n{error}\n"


def test_trap19_import_locks_park_and_name_green_threads() -> None:
    late = """
import os, tempfile
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "slow_body.py"), "w") as file:
        file.write("import time, __main__\\nwhile len(__main__.beats) < 5: time.sleep(0.001)\\nwhole = True")
    sys.path.insert(0, folder)
    def load():
        import slow_body
        return slow_body.whole
    beats = []
    threads = [eventlet.spawn(load) for _ in range(3)]
    ticking(lambda: beats.append(1) or all(thread.dead for thread in threads))
    assert [thread.wait() for thread in threads] == [True] * 3
print("ok")
"""
    assert run("", late) == "ok\n"


@needs_count
def test_every_change_is_in_the_ledger_and_unpatch_undoes_it() -> None:
    early = """
kinds = (type(threading.Lock()), _thread.RLock, _queue.SimpleQueue, threading.Condition)
before = [dict(vars(kind)) for kind in kinds]
lock, held = threading.RLock(), threading.RLock()
held.acquire()
"""
    late = """
from eventlet._patching.ledger import LEDGER
for _ in range(2):
    changed = {(change.module, change.name) for change in LEDGER.changes}
    for kind, names in zip(kinds, before):
        assert vars(kind).keys() - names.keys() <= {"acquire", "release"}
        for name, value in vars(kind).items():
            assert value is names.get(name) or (kind, name) in changed, (kind, name)
    assert "acquire" in dict(changed) or (kinds[0], "acquire") in changed
    lock.acquire(); lock.acquire(); held.acquire(); held.release()
    waiter = eventlet.spawn(lock.acquire)
    eventlet.sleep(0)
    try:
        patcher.unpatch()
    except RuntimeError as exc:
        assert "1 threads wait" in str(exc)
    else:
        raise AssertionError("somebody waits")
    waiter.kill()
    patcher.unpatch()
    assert [dict(vars(kind)) for kind in kinds] == before and not LEDGER.changes
    assert lock._recursion_count() == 2, "C knows what we knew"
    lock.release(); lock.release()
    assert held._recursion_count() == 1
    patcher.monkey_patch()
print("ok")
"""
    assert run(early, late) == "ok\n"


def test_nothing_is_printed_and_exit_is_clean() -> None:
    early = """
import atexit, logging
handler = logging.StreamHandler(sys.stdout)
logging.getLogger().addHandler(handler)
class Late:
    def __init__(self, lock):
        self.lock = lock
    def __del__(self):
        with self.lock:
            pass
keep = [Late(threading.Lock()), Late(threading.RLock())]
sys.modules["kept_to_the_end"] = keep
"""
    late = """
keep += [Late(threading.Lock()), Late(threading.RLock())]
keep.append(Late(logging.getLogger().handlers[0].lock))
atexit.register(logging.warning, "bye")
blocked = threading.Lock()
blocked.acquire()
eventlet.spawn(blocked.acquire)
eventlet.sleep(0)
"""
    assert run(early, late) == "bye\n"


def test_how_often_a_lock_was_taken_is_known_in_early_releases_too() -> None:
    lock = RLock()
    counts = [_shown_recursion_count(lock)]
    with lock, lock:
        counts.append(_shown_recursion_count(lock))
        other = threading.Thread(target=lambda: counts.append(_shown_recursion_count(lock)))
        other.start()
        other.join()

    assert counts == [0, 2, 0]
