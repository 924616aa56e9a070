"""After `os.fork()`: the child runs the green thread that forked, and nothing else.

(There is a switch for the opposite: `kept_forks`.)

The other green threads are left behind in the parent. In the child their frozen copies are
never resumed: their tickets are spent, so that nobody can wake them. They are never collected
either, because dropping them would run their `finally` blocks a second time (double flush,
rollback, unlink): the child keeps a reference to each on purpose. What the forking thread has
set for itself goes on, its scopes with their deadlines and its time-outs.

If the forking thread is not the main greenlet, the old main stack below it is frozen too,
and it becomes the main one: the hub's greenlet ends in it, an interrupt goes to it, and
when it ends, the process ends with the right status, after the exit handlers and without
unwinding the parent's main program.

All this takes its time, as every object is looked at. A signal that comes meanwhile waits: its
handler would find a hub half made, and what it raised would end the work in the middle.
"""

import atexit
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import greenlet
from greenlet import getcurrent

from eventlet._core.hub import Hub
from eventlet._core.kept_forks import FORK_SWITCH, renew, root_of
from eventlet._core.signals import route_interrupts
from eventlet._core.timers import Timer
from eventlet._core.wait_queue import SPENT, Ticket
from eventlet._unpatched import set_signal_mask

__all__ = [
    "call_in_child",
    "end_forked_child",
    "hubs",
    "is_left_behind",
    "is_new_in_child",
    "keeps_green_threads",
    "lineage",
    "watch_forks",
]

hubs: set[Hub] = set()
"""Every open hub of this process; kept by `current`."""

_left_behind: dict[int, greenlet.greenlet] = {}
"""The green threads of the process that forked this one, by their `id`."""

_frozen: list[Any] = []
"""What else the child keeps, and never touches."""


class _Watch:
    """Whether the fork handler is installed, how to find this OS thread's hub, what is to do."""

    is_installed = False
    existing_hub: Callable[[], Hub | None] | None = None
    calls: dict[Callable[[], object], None] = {}
    lineage = 0
    signals: frozenset[int] = frozenset()
    new_greenlet: greenlet.greenlet | None = None


def watch_forks(existing_hub: Callable[[], Hub | None]) -> None:
    """Have forked children rebuilt; installs its handler once."""
    _Watch.existing_hub = existing_hub
    _install()


def call_in_child(call: Callable[[], object]) -> None:
    """Have `call()` made in each forked child, when its hub is new. Again is harmless.

    It must neither park nor use what it finds in the kernel, which is the parent's too.
    """
    _Watch.calls[call] = None
    _install()


def _install() -> None:
    if not _Watch.is_installed:
        _Watch.is_installed = True
        _Watch.signals = frozenset(signal.valid_signals())
        os.register_at_fork(after_in_child=_after_in_child)


def is_left_behind(thread: greenlet.greenlet) -> bool:
    """Whether `thread` stayed in the process that forked this one: here it never runs."""
    return id(thread) in _left_behind


def keeps_green_threads() -> bool:
    """Whether a fork here and now keeps all green threads of this OS thread in the child."""
    return FORK_SWITCH.holds_for(None if _Watch.existing_hub is None else _Watch.existing_hub())


def is_new_in_child(hub: Hub) -> bool:
    """Whether a fork made this hub anew, and nothing has come of it yet but new green threads."""
    if hub.greenlet is not _Watch.new_greenlet or hub.greenlet:
        return False
    return not hub.timers.heap and not hub.descriptors


def lineage() -> int:
    """Return a number that is another one in a child whose green threads stayed behind."""
    return _Watch.lineage


def _after_in_child() -> None:
    allowed = set_signal_mask(signal.SIG_BLOCK, _Watch.signals)
    try:
        _set_up()
    finally:
        _allow_signals(allowed)


def _allow_signals(mask: set[int]) -> None:
    """Have the signals that came handled, here; what a handler raises finds the one that forked."""
    try:
        set_signal_mask(signal.SIG_SETMASK, mask)
    except BaseException as exc:
        hub = None if _Watch.existing_hub is None else _Watch.existing_hub()
        if hub is None:
            raise
        hub.call_soon(hub.interrupt_main, exc)  # nothing can be raised by a fork handler


def _set_up() -> None:
    mine = None if _Watch.existing_hub is None else _Watch.existing_hub()
    current = getcurrent()
    keeps_all = FORK_SWITCH.holds_for(mine)
    main = None if mine is None else mine.main_greenlet()
    for hub in list(hubs):
        if hub is not mine:  # its OS thread does not exist here
            _frozen.append((hub, hub.ready.copy(), hub.timers, hub.threads))
            hubs.discard(hub)
            hub.closed = True
            hub.descriptors, hub.ident = {}, -1  # the kernel's side is the parent's
    for thread in _other_greenlets(current):
        if keeps_all and root_of(thread) is root_of(current):
            continue
        _left_behind[id(thread)] = thread
        ticket: Ticket | None = getattr(thread, "_ticket", None)
        if ticket is not None:
            ticket.state |= SPENT
    if mine is not None and keeps_all:
        renew(mine)
    elif mine is not None:
        kept = _timers_for(current, mine)
        mine.after_fork()
        _keep(current, mine, kept)
        _Watch.new_greenlet = mine.greenlet
    if not keeps_all:
        _Watch.lineage += 1
    for call in _Watch.calls:
        call()
    if mine is not None:
        route_interrupts(mine)
        if current is not main and not keeps_all:
            mine.forked_thread = current
            _make_last(current)


def _other_greenlets(current: greenlet.greenlet) -> list[greenlet.greenlet]:
    if gc.get_freeze_count():
        gc.unfreeze()  # what is frozen is not told
        things = gc.get_objects()
        gc.freeze()
    else:
        things = gc.get_objects()
    return [
        thing
        for thing in things
        # Not isinstance(), which asks proxies and the like for their __class__.
        if issubclass(type(thing), greenlet.greenlet) and thing is not current
    ]


def _timers_for(current: greenlet.greenlet, hub: Hub) -> list[tuple[float, Timer]]:
    """Return the calls that are about the forking thread, such as its time-outs: (when, call)."""
    due = [(0.0, ticket) for ticket in hub.ready]
    later = [(deadline, ticket) for deadline, _, ticket in sorted(hub.timers.heap)]
    return [
        (deadline, timer)
        for deadline, timer in (*due, *later)
        if isinstance(timer, Timer) and any(each is current for each in timer.args)
    ]


def _keep(current: greenlet.greenlet, hub: Hub, timers: list[tuple[float, Timer]]) -> None:
    """Have the new hub know what the forking thread has set for itself."""
    for deadline, timer in timers:
        timer.state = 0
        hub.timers.add(deadline, timer)
    hub.scopes = 0
    scope: Any = getattr(current, "_scope", None)
    while scope is not None:
        hub.scopes += 1
        scope.count_on()
        scope = scope._parent


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
