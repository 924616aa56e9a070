"""The import machinery under `monkey_patch`."""

from __future__ import annotations

from tests.isolated_runner import run_isolated

START = "import eventlet; eventlet.monkey_patch()\nimport _imp, os, sys, threading, time\n"


def run(code: str) -> str:
    return run_isolated(START + code).stdout


def test_a_green_thread_that_wants_the_import_lock_waits_for_another() -> None:
    code = """
order = []
def hold(name):
    _imp.acquire_lock()
    _imp.acquire_lock()
    order.append(name)
    time.sleep(0.01)
    order.append(name)
    _imp.release_lock()
    time.sleep(0.01)
    order.append(name)
    _imp.release_lock()
threads = [threading.Thread(target=hold, args=(name,)) for name in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not _imp.lock_held()
try:
    _imp.release_lock()
except RuntimeError as exc:
    print("".join(order), exc)
"""
    assert run(code) == "aaabbb not holding the import lock\n"


def test_a_fork_waits_for_the_import_lock() -> None:
    code = """
def make():
    _imp.acquire_lock()
    sys.modules["made"] = "half"
    time.sleep(0.02)
    sys.modules["made"] = "whole"
    _imp.release_lock()
thread = threading.Thread(target=make)
thread.start()
time.sleep(0)
pid = os.fork()
if not pid:
    import made, colorsys
    os._exit(7 if made == "whole" and not _imp.lock_held() else 8)
thread.join()
assert not _imp.lock_held()
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert run(code) == "7\n"


def test_the_hub_imports_while_a_green_thread_holds_the_import_lock() -> None:
    code = """
from eventlet.hubs import get_hub
def load():
    import colorsys
    print("imported")
_imp.acquire_lock()
get_hub().schedule_call_global(0, load)
time.sleep(0.01)
_imp.release_lock()
"""
    assert run(code) == "imported\n"


def test_a_second_import_of_the_queue_in_c_brings_the_patched_type() -> None:
    code = """
import queue, _queue
first = queue.SimpleQueue
del sys.modules["queue"], sys.modules["_queue"]
import queue, _queue
assert queue.SimpleQueue is _queue.SimpleQueue is first
items = queue.SimpleQueue()
getter = eventlet.spawn(items.get)
time.sleep(0)
items.put("item")
print(getter.wait())
try:
    items.get_nowait()
except queue.Empty:
    print("empty")
"""
    assert run(code) == "item\nempty\n"


def test_unpatch_gives_the_import_machinery_back() -> None:
    code = """
from eventlet.patcher import unpatch
changed = [_imp.acquire_lock, _imp.release_lock, _imp.exec_dynamic, _imp.exec_builtin]
unpatch()
now = [_imp.acquire_lock, _imp.release_lock, _imp.exec_dynamic, _imp.exec_builtin]
assert all(type(each) is type(len) for each in now)
pid = os.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
eventlet.monkey_patch()
import colorsys
print(_imp.lock_held(), _imp.acquire_lock not in now)
"""
    assert run(code) == "False True\n"
