"""`threading` in a forked child that keeps green threads; those of OS threads are not there."""

import os
import sys

from eventlet import hubs, patcher

patcher.monkey_patch()
hubs.keep_green_threads_on_fork()

import threading
import time

native = patcher.original("threading")
out: list[str] = []
may_end: list[bool] = []


def work() -> None:
    while not may_end:
        time.sleep(0.005)
    out.append(threading.current_thread().name)


def in_os_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(600,), name="elsewhere", daemon=True)
    thread.start()
    elsewhere.append(thread)
    ready.set()
    time.sleep(600)


def check(forking: threading.Thread) -> None:
    """Look at everything in the child, and wait for the threads that are here."""
    assert threading.current_thread() is forking
    names = {each.name for each in threading.enumerate()}
    assert {"MainThread", "here", "joiner", forking.name} <= names, names
    assert "elsewhere" not in names, names
    assert threading.main_thread().name == "MainThread"
    assert here.is_alive()
    assert not elsewhere[0].is_alive()
    elsewhere[0].join()
    may_end.append(True)
    here.join()
    joiner.join()
    assert out == ["here", "joined"], out
    late = threading.Thread(target=out.append, args=("late",))
    late.start()
    late.join()
    assert out[-1] == "late"


def join_here() -> None:
    here.join()
    out.append("joined")


elsewhere: list[threading.Thread] = []
ready = threading.Event()
os_thread = native.Thread(target=in_os_thread, daemon=True)
os_thread.start()
ready.wait()
here = threading.Thread(target=work, name="here")
here.start()
joiner = threading.Thread(target=join_here, name="joiner")
joiner.start()
time.sleep(0.01)
statuses: list[int] = []


def fork(status: int) -> None:
    child = os.fork()
    if child == 0:
        check(threading.current_thread())
        os._exit(status)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def say_late() -> None:
    time.sleep(0.02)
    os.write(1, b"awaited\n")


fork(3)
may_end.append(True)
here.join()
joiner.join()
assert out == ["here", "joined"], out
out.clear()
may_end.clear()
here = threading.Thread(target=work, name="here")
here.start()
joiner = threading.Thread(target=join_here, name="joiner")
joiner.start()
forker = threading.Thread(target=fork, args=(4,), name="forker")
forker.start()
forker.join()
may_end.append(True)
assert statuses == [3, 4], statuses

# The end of a child whose main green thread goes on too: its threads are awaited.
child = os.fork()
if child == 0:
    threading.Thread(target=say_late).start()
    sys.exit(6)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6
assert {each.name for each in threading.enumerate()} >= {"MainThread", "elsewhere"}
print("passed")
