"""Forking in a patched program: the child has one thread, its own, and can start others."""

import os
import sys

from eventlet import patcher

patcher.monkey_patch()

import threading
import time


def use_threads() -> None:
    """Check the state of `threading` in the child, and that it works."""
    me = threading.current_thread()
    assert threading.enumerate() == [me], threading.enumerate()
    assert threading.main_thread() is me
    assert me.is_alive()
    done: list[int] = []
    timer = threading.Timer(0.01, done.append, args=(1,))
    timer.start()
    timer.join()
    assert done == [1]


def fork_and_check() -> None:
    child = os.fork()
    if not child:
        use_threads()
        os._exit(3)  # as without patching, SystemExit would end a Thread with status 0
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    statuses.append(status)


statuses: list[int] = []
sleeper = threading.Thread(target=time.sleep, args=(600,), daemon=True)
sleeper.start()
forker = threading.Thread(target=fork_and_check)
forker.start()
forker.join()
child = os.fork()
if not child:
    use_threads()
    sys.exit(4)
statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert statuses == [3, 4], statuses
assert sleeper.is_alive()
print("passed")
