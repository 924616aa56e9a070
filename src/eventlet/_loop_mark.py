"""What asyncio keeps once per OS thread, put away while the greenlet of a loop is parked.

Theory of operation
-------------------
An event loop marks its OS thread while it runs: the running loop, from 3.14 on also the
current task, the hooks for asynchronous generators, and in debug mode the depth to which
coroutines remember their origin. All of that is true only for the greenlet in which the
loop runs. When that greenlet parks, others run in the same OS thread: they must not look
as if the loop ran in them, and may well run loops of their own.

So from the first loop on, every park of the hub goes through `put_away`: it takes the
marks off, switches, and sets them again when the greenlet goes on. Before that, parks cost
nothing more.

A standard loop whose SIGINT handler ends sets Python's own, not the one that was there. The
next park outside of loops sends Ctrl-C to the main green thread again.

`driving_loops` are the loops that let green threads run: those whose selector parks, and
those that drive a hub from outside. `await green_thread` looks there.
"""

import sys
from collections.abc import Callable
from functools import cache
from signal import SIGINT
from typing import Any

from eventlet._core.current import existing_hub, get_hub
from eventlet._core.driving_loops import driving_loops
from eventlet._core.hub import Hub
from eventlet._core.signals import route_interrupts
from eventlet._unpatched import default_int_handler

__all__ = ["hide_while_parked", "note_selecting"]


def note_selecting(selector: object) -> None:
    """Note that a green selector is asked; if a loop asks it, see that its marks are hidden."""
    events = sys.modules.get("asyncio.events")
    if events is None:
        return
    loop = events._get_running_loop()
    if loop is None:
        return
    hub = get_hub()
    hide_while_parked(hub)
    if loop not in driving_loops and getattr(loop, "_selector", None) is selector:
        driving_loops[loop] = hub.ident


def hide_while_parked(hub: Hub) -> None:
    """Hide asyncio's marks around each park of `hub` from now on."""
    hub.add_around_park(_around_park())


@cache
def _around_park() -> Callable[[Callable[[], Any]], Any]:
    """Make the function that parks without the marks. asyncio is imported here, not before."""
    from asyncio import events, tasks

    get_loop, set_loop = events._get_running_loop, events._set_running_loop
    get_hooks, set_hooks = sys.get_asyncgen_hooks, sys.set_asyncgen_hooks
    get_depth = sys.get_coroutine_origin_tracking_depth
    set_depth = sys.set_coroutine_origin_tracking_depth
    swap_task: Callable[[Any, Any], Any] | None = None
    if sys.version_info >= (3, 14):  # before that, asyncio keeps the task by its loop
        swap_task = getattr(tasks, "_swap_current_task")  # noqa: B009  # not in the type stubs

    get_handler = sys.modules["_signal"].getsignal  # without the enum that `signal` makes of it

    def put_away(switch: Callable[[], Any]) -> Any:
        loop = get_loop()
        if loop is None:
            if get_handler(SIGINT) is default_int_handler and (hub := existing_hub()) is not None:
                route_interrupts(hub)
            return switch()
        task = swap_task(loop, None) if swap_task is not None else None
        hooks, depth = get_hooks(), get_depth()
        set_hooks(None, None)
        if depth:
            set_depth(0)
        set_loop(None)
        try:
            return switch()
        finally:
            set_loop(loop)
            set_hooks(*hooks)
            if depth:
                set_depth(depth)
            if swap_task is not None:
                swap_task(loop, task)

    return put_away
