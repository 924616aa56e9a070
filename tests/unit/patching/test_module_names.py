"""Under which module patched functions show themselves."""

from __future__ import annotations

from tests.isolated_runner import run_isolated


def test_a_patched_function_is_of_the_module_it_is_found_in() -> None:
    code = """
import eventlet, _thread, inspect, os, pickle, select, signal, socket, subprocess, threading, time
from types import FunctionType
from eventlet.patcher import unpatch
import eventlet.green.threading as green
eventlet.monkey_patch()
for module in (os, select, signal, socket, subprocess, threading, time):
    for name, value in vars(module).items():
        if isinstance(value, FunctionType):
            assert not value.__module__.startswith("eventlet."), (module, name)
for each in (threading.get_ident, threading.current_thread, threading.local, os.read):
    assert pickle.loads(pickle.dumps(each)) is each
print(threading.local, threading.current_thread.__module__, os.read.__module__)
unpatch()
print(green.get_ident.__module__, green.local.__module__, green.current_thread.__module__)
"""
    assert run_isolated(code).stdout.splitlines() == [
        "<class 'threading.local'> threading os",
        "eventlet.green._thread eventlet.corolocal eventlet.green._threading",
    ]
