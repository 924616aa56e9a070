"""Make the changes of `monkey_patch` to real modules, and undo them.

Every change goes through the ledger. Modules are imported before the first change is made,
so none of them is built on a mixture.
"""

import importlib
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from eventlet._core.current import get_hub
from eventlet._patching import drivers
from eventlet._patching.ledger import ABSENT, LEDGER
from eventlet._patching.locks import forget_locks, patch_locks, waiters
from eventlet._patching.pristine import forget_originals, offer_originals
from eventlet._patching.table import DRIVERS, OPTIONAL, PATCHES, UNPATCHABLE, Patch
from eventlet.green import _processes, _socket, _subprocess, _threading
from eventlet.green._interpreters import patch_interpreters

__all__ = ["apply", "undo"]


def apply(switches: Iterable[str], remove_unpatchable: bool) -> None:
    """Turn switches on.

    Args:
        switches: their names; those that are on stay as they are.
        remove_unpatchable: delete what Eventlet 0.41 could not patch, where `select` is on.
    """
    chosen = [switch for switch in switches if switch not in LEDGER.switches]
    get_hub()
    ready = list(_load(chosen))
    on = {switch for switch in chosen if switch not in OPTIONAL}
    for patch, real, green in ready:
        on.add(patch.switch)
        if patch.module in _UNITE:
            _UNITE[patch.module](LEDGER.set, real, green)
        for name in patch.names:
            if name in vars(real) and name in vars(green):
                LEDGER.set(real, name, getattr(green, name))
                _name_after(getattr(green, name), patch.module)
        if patch.module == "ssl":  # the class stays, for those who took it, and for its contexts
            LEDGER.set(real.SSLContext, "sslsocket_class", green.GreenSSLSocket)
    if "thread" in chosen:
        patch_locks(LEDGER.set, importlib.import_module("threading"))
        patch_interpreters(LEDGER.set)
    _processes.follow_patches(LEDGER.set)
    _follow()
    offer_originals()
    if "psycopg" in chosen and drivers.change_psycopg():
        on.add("psycopg")
    LEDGER.switches.update(dict.fromkeys((each for each in chosen if each in on), True))
    if remove_unpatchable and "select" in LEDGER.switches:
        for module, names in UNPATCHABLE.items():
            for name in names:
                LEDGER.set(importlib.import_module(module), name, ABSENT)


def undo() -> None:
    """Undo all changes.

    Raises:
        RuntimeError: green or OS threads wait for locks that would become ordinary again
            under them.
    """
    if "thread" in LEDGER.switches and (waiting := waiters()):
        raise RuntimeError(f"{waiting} threads wait for locks; unpatch when none does")
    LEDGER.undo()
    forget_locks()
    forget_originals()
    drivers.forget_psycopg()


def _name_after(function: Any, module: str) -> None:
    """Have a function say that it is of the module in which it is found now.

    That is what `pydoc` shows, and where `pickle` looks it up.
    """
    if isinstance(function, FunctionType) and function.__module__.startswith("eventlet."):
        LEDGER.set(function, "__module__", module)
        LEDGER.set(function, "__qualname__", function.__name__)


def _follow() -> None:
    """Have modules that took something when they were loaded use what it is today."""
    selectors, time = (importlib.import_module(name) for name in ("selectors", "time"))
    socketserver: Any = sys.modules.get("socketserver")
    if socketserver is not None and hasattr(selectors, "PollSelector"):
        LEDGER.set(socketserver, "_ServerSelector", selectors.PollSelector)
    sched: Any = sys.modules.get("sched")
    if sched is not None:
        ordinary = sched.scheduler.__init__
        if ordinary.__defaults__[1] is not time.sleep:
            follower = _copy_of(ordinary)
            follower.__defaults__ = (ordinary.__defaults__[0], time.sleep)
            LEDGER.set(sched.scheduler, "__init__", follower)


def _copy_of(func: FunctionType) -> FunctionType:
    copy = FunctionType(func.__code__, func.__globals__, func.__name__, None, func.__closure__)
    copy.__doc__, copy.__qualname__ = func.__doc__, func.__qualname__
    return copy


def _load(switches: Iterable[str]) -> Iterator[tuple[Patch, ModuleType, ModuleType]]:
    """Import what the switches are about: triples (entry of the table, real module, green)."""
    for patch in (*PATCHES, *DRIVERS):
        if patch.switch not in switches:
            continue
        try:
            real = importlib.import_module(patch.module)
        except ImportError:
            if patch.switch not in OPTIONAL:
                raise
            continue
        yield patch, real, importlib.import_module(patch.green)


_UNITE = {
    "socket": _socket.unite,
    "ssl": _socket.unite_tls,
    "subprocess": _subprocess.unite,
    "threading": _threading.unite,
}
"""Modules of which there is one from then on, whichever name it goes by."""
