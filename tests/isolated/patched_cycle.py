"""Each switch turned on and undone leaves every module and class as it was."""

import importlib
import sys
from typing import Any

from eventlet import patcher
from eventlet._patching import early, table
from eventlet._patching.ledger import LEDGER
from eventlet._unpatched import real_poll
from eventlet.hubs import get_hub

LOADED = (
    *("asyncio", "concurrent.futures.thread", "ctypes", "ftplib", "http.server", "logging"),
    *("multiprocessing.managers", "multiprocessing.pool", "sched", "socketserver", "xmlrpc.server"),
)


def state() -> dict[str, dict[str, Any]]:
    """Look at all names of all standard and green modules and of the classes in them."""
    found: dict[str, dict[str, Any]] = {}
    for name, module in tuple(sys.modules.items()):
        is_changed = name.partition(".")[0] in sys.stdlib_module_names or ".green" in name
        if not is_changed:
            continue
        found[name] = dict(vars(module))
        for key, value in tuple(vars(module).items()):
            if isinstance(value, type):
                found[f"{name}.{key}"] = dict(vars(value))
    found["main thread"] = dict(vars(sys.modules["threading"].main_thread()))
    return found


def differences(before: dict[str, dict[str, Any]]) -> list[str]:
    """Say which names are other objects than before, or new, or gone."""
    after = state()
    absent = object()
    return [
        f"{place}: {name}"
        for place in before
        for name in {**before[place], **after.get(place, {})}
        if after.get(place, {}).get(name, absent) is not before[place].get(name, absent)
        and name not in {"__warningregistry__", "__slotnames__", "__abstractmethods__"}
        and f"{place}.{name}" not in sys.modules  # somebody has imported it
    ]


for name in LOADED:
    importlib.import_module(name)
for patch in table.PATCHES:
    importlib.import_module(patch.module)
    importlib.import_module(patch.green)

wanted: list[dict[str, bool]] = [{switch: True} for switch in table.SWITCHES]
wanted += [{}, {"builtins": True}, {"remove_unpatchable": True}]
wanted += [{"select": True, "remove_unpatchable": True}, {"all": True, "select": False}]
get_hub()  # with which asyncio's loops learn to park
before = state()
for switches in wanted:
    patcher.monkey_patch(**switches)
    if not set(switches) & {"psycopg", "MySQLdb"}:  # which need not be installed
        assert LEDGER.changes, switches
        assert patcher.already_patched, switches
    assert not early.find_kept_originals(LEDGER, {}), switches
    patcher.unpatch()
    assert not differences(before), (switches, differences(before))
    assert not LEDGER.changes
    assert patcher.already_patched == {}
    patcher.unpatch()

# Calls add up, and one undo is enough.
patcher.monkey_patch(time=True)
patcher.monkey_patch(select=True)
patcher.monkey_patch(remove_unpatchable=True)
assert not hasattr(sys.modules["select"], "poll")
assert patcher.original("select").poll is real_poll
patcher.unpatch()
assert not differences(before), differences(before)
print("passed")
