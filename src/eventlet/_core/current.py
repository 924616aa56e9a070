"""The hub of this OS thread, and the factory that makes it.

Sub-interpreters and interpreters without the GIL are refused here, at the first hub: the
core relies on the GIL (see `wait_queue`) and greenlet on the main interpreter.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from eventlet._core import fork, shutdown, signals
from eventlet._core.hub import Hub
from eventlet._errors import UnsupportedRuntime
from eventlet._unpatched import get_ident, local

__all__ = [
    "call_at_first_hub",
    "drop_hub",
    "existing_hub",
    "get_hub",
    "hubs",
    "set_hub_factory",
]


class _Holder:
    """Owns the hub in the OS thread's locals; closes it when the OS thread ends."""

    __slots__ = ("hub",)

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def __del__(self) -> None:
        hub = self.hub
        if sys.is_finalizing():
            return
        ident = hub.ident
        _closing[ident] = hub
        try:
            hub.close()
        finally:
            hubs.discard(hub)  # now: until then `shutdown` has to wait for it
            del _closing[ident]
            hub.ident = _NO_IDENT


class _Hubs(local):
    """Per OS thread: the holder of its hub and the factory for the next one."""

    holder: _Holder | None = None
    factory: Callable[[], Hub] | None = None


_threadlocal = _Hubs()
_default_factory: list[Callable[[], Hub]] = [Hub]

_NO_IDENT: Final = -1  # of a closed hub: its OS thread's may be that of a new one

_closing: dict[int, Hub] = {}
"""Hubs that are ending their threads, which must not get another: OS thread -> hub."""

hubs: set[Hub] = fork.hubs
"""Every open hub of this process."""

_at_first_hub: list[Callable[[], object]] = []


def call_at_first_hub(function: Callable[[], object]) -> None:
    """Have a function called when this process gets its first hub; for modules of ours."""
    _at_first_hub.append(function)


def set_hub_factory(factory: Callable[[], Hub] | None, everywhere: bool = False) -> None:
    """Choose what makes the next hub of this OS thread, or of all that have no choice."""
    if everywhere:
        _default_factory[0] = Hub if factory is None else factory
    else:
        _threadlocal.factory = factory


def existing_hub() -> Hub | None:
    """Return the hub of this OS thread if it has one."""
    holder = _threadlocal.holder
    return _closing.get(get_ident()) if holder is None else holder.hub


def get_hub() -> Hub:
    """Return the hub of this OS thread; make it at the first call.

    A hub's own `_post_initialize` is called once, when `get_hub` returns it already.

    Raises:
        UnsupportedRuntime: a sub-interpreter, or an interpreter without the GIL.
    """
    holder = _threadlocal.holder
    if holder is not None:
        return holder.hub
    return _make_hub()


def _make_hub() -> Hub:
    closing = _closing.get(get_ident())
    if closing is not None:
        return closing
    _refuse_unsupported()
    factory = _threadlocal.factory or _default_factory[0]
    hub = factory()
    _threadlocal.holder = _Holder(hub)
    hubs.add(hub)
    fork.watch_forks(existing_hub)
    shutdown.watch_exit()
    signals.route_interrupts(hub)
    post_initialize = getattr(hub, "_post_initialize", None)
    if post_initialize is not None:
        post_initialize()
    while _at_first_hub:
        _at_first_hub.pop(0)()
    return hub


def drop_hub() -> None:
    """Forget the hub of this OS thread with its timers and listeners; close it."""
    _threadlocal.holder = None


def _refuse_unsupported() -> None:
    gil_enabled = getattr(sys, "_is_gil_enabled", None)
    if gil_enabled is not None and not gil_enabled():
        raise UnsupportedRuntime("without the GIL", "start Python with PYTHON_GIL=1")
    if not _in_main_interpreter():
        raise UnsupportedRuntime(
            "in a sub-interpreter", "use OS threads, or a process for each interpreter"
        )


def _in_main_interpreter() -> bool:
    for name in _INTERPRETERS:
        module = sys.modules.get(name)
        if module is not None:
            current = module.get_current()
            ident = current[0] if isinstance(current, tuple) else current
            return int(ident) == int(_main_ident(module))
    return True


def _main_ident(module: Any) -> int:
    main = module.get_main()
    return int(main[0] if isinstance(main, tuple) else main)


_INTERPRETERS: Final = ("_interpreters", "_xxsubinterpreters")  # from 3.13 on, up to 3.12

# Not at the first hub: that may be made while its OS thread waits for an import lock.
for _name in _INTERPRETERS:
    with suppress(ImportError):
        __import__(_name)
