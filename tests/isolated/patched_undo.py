"""Undoing the ledger brings every module back to what it was."""

import importlib

from eventlet import patcher
from eventlet._patching.ledger import LEDGER
from eventlet._patching.table import PATCHES

modules = {patch.module: importlib.import_module(patch.module) for patch in PATCHES}
modules |= {patch.green: importlib.import_module(patch.green) for patch in PATCHES}
classes = {
    f"threading.{name}": value
    for name, value in vars(modules["threading"]).items()
    if isinstance(value, type)
}
before = {name: dict(vars(each)) for name, each in (modules | classes).items()}
main_thread = dict(vars(modules["threading"].main_thread()))

for _ in range(2):
    patcher.monkey_patch(all=True, builtins=True)
    changed = {
        change.module.__name__ for change in LEDGER.changes if hasattr(change.module, "__name__")
    }
    assert {"socket", "threading", "_thread", "Condition"} <= changed, changed
    assert patcher.is_monkey_patched("thread")
    LEDGER.undo()
    for name, each in (modules | classes).items():
        after = dict(vars(each))
        different = [k for k in after if after[k] is not before[name].get(k)]
        assert not different, (name, different)
        assert after.keys() == before[name].keys(), name
    assert patcher.already_patched == {}
    assert vars(modules["threading"].main_thread()) == main_thread

import threading

done: list[int] = []
thread = threading.Thread(target=done.append, args=(1,))
thread.start()
thread.join()
assert done == [1]
assert not thread.is_alive()
print("passed")
