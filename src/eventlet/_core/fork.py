"""After `os.fork()`: the child runs the green thread that forked, and nothing else.

The other green threads are frozen in the child: never resumed, and never collected either,
because dropping them would run their `finally` blocks a second time (double flush,
rollback, unlink). So the child keeps a reference to each on purpose.

If the forking thread is not the main greenlet, the old main stack below it is frozen too,
and it becomes the main one: the hub's greenlet ends in it, an interrupt goes to it, and
when it ends, the process ends with the right status, after the exit handlers and without
unwinding the parent's main program.
"""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import greenlet
from greenlet import getcurrent

from eventlet._core.hub import Hub
from eventlet._core.signals import route_interrupts

__all__ = ["end_forked_child", "hubs", "watch_forks"]

hubs: set[Hub] = set()
"""Every open hub of this process; kept by `current`."""

_frozen: list[Any] = []


class _Watch:
    """Whether the fork handler is installed, and how to find this OS thread's hub."""

    existing_hub: Callable[[], Hub | None] | None = None


def watch_forks(existing_hub: Callable[[], Hub | None]) -> None:
    """Have forked children rebuilt; installs its handler once."""
    if _Watch.existing_hub is None:
        _Watch.existing_hub = existing_hub
        os.register_at_fork(after_in_child=_after_in_child)


def _after_in_child() -> None:
    if _Watch.existing_hub is None:
        return
    mine = _Watch.existing_hub()
    current = getcurrent()
    _frozen.extend(
        thing
        for thing in gc.get_objects()
        # Not isinstance(), which asks proxies and the like for their __class__.
        if issubclass(type(thing), greenlet.greenlet) and thing is not current
    )
    for hub in list(hubs):
        if hub is not mine:  # its OS thread does not exist here
            _frozen.append((hub, hub.ready.copy(), hub.timers, hub.threads))
            hubs.discard(hub)
            hub.closed = True
            hub.descriptors, hub.ident = {}, -1  # the kernel's side is the parent's
    if mine is None:
        return
    main = mine.main_greenlet()
    mine.after_fork()
    route_interrupts(mine)
    if current is not main:
        mine.forked_thread = current
        _make_last(current)


def _make_last(current: greenlet.greenlet) -> None:
    """See to it that the end of `current`, whatever greenlet it is, ends the process."""

    def wait_for_its_end() -> None:
        try:
            current.switch()
        except BaseException as exc:
            end_forked_child(exc)
        end_forked_child(None)

    root = current
    while root.parent is not None:
        root = root.parent
    parent = greenlet.greenlet(wait_for_its_end, root)
    parent.switch()  # it must have started, or an exception would not stop in it
    current.parent = parent


def end_forked_child(exc: BaseException | None) -> None:
    """End the process in which a forked green thread was the only one left.

    Does not return. The status is that of a main program that ended with `exc`.
    """
    status = 0
    if isinstance(exc, SystemExit):
        status = _status_of(exc)
    elif exc is not None and not isinstance(exc, greenlet.GreenletExit):
        traceback.print_exception(exc)
        status = 130 if isinstance(exc, KeyboardInterrupt) else 1
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except BaseException as failure:
        traceback.print_exception(failure)
        status = status or 1
    os._exit(status)


def _status_of(exc: SystemExit) -> int:
    code = exc.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    if sys.stderr is not None:
        sys.stderr.write(f"{code}\n")
    return 1
