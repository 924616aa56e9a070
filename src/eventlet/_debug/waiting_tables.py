"""Text about who waits for what: `debug.format_hub_listeners` and `format_hub_timers`."""

import os
import socket
import stat
import traceback
from collections.abc import Iterator
from typing import Any, Final

from greenlet import greenlet

from eventlet._core.timers import Timer
from eventlet._core.wait_queue import Ticket
from eventlet._debug.timer_stacks import stack_of_timer, timer_stacks_are_recorded
from eventlet._unpatched import base_socket, get_default_timeout
from eventlet.hubs import get_hub
from eventlet.hubs.hub import READ, WRITE, BaseHub, DebugListener, FdListener, noop

__all__ = ["format_hub_listeners", "format_hub_timers", "indent", "stack_of_thread"]

_KINDS: Final = (
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISCHR, "character device"),
    (stat.S_ISREG, "regular file"),
)


def format_hub_listeners() -> str:
    """Return text that says which descriptors the hub of this OS thread watches, for whom.

    Where they wait is shown while `hub_listener_stacks` is on.
    """
    hub = get_hub()
    lines: list[str] = []
    for title, evtype in (("READERS:", READ), ("WRITERS:", WRITE)):
        lines.append(title)
        for fd, first in sorted(hub.listeners[evtype].items()):
            for listener in (first, *hub.secondaries[evtype].get(fd, ())):
                lines += _lines_of_listener(hub, listener)
    return "\n".join(lines)


def format_hub_timers() -> str:
    """Return text that says what the hub of this OS thread will do, and when.

    Where it was asked for is shown while `hub_timer_stacks` is on.
    """
    hub = get_hub()
    now = hub.clock()
    lines = ["TIMERS:"]
    for deadline, ticket in (*hub.next_timers, *hub.timers):
        lines.append(f"in {max(deadline - now, 0):.3f} s: {_purpose(ticket)}")
        lines += _stack_of_ticket(ticket)
    return "\n".join(lines)


def stack_of_thread(thread: Any) -> list[str]:
    """List the lines of a parked greenlet's stack; empty for one that runs, or never ran."""
    frame = thread.gr_frame if isinstance(thread, greenlet) else None
    return [] if frame is None else indent(traceback.format_stack(frame))


def indent(entries: list[str]) -> list[str]:
    """Make lines, indented alike, of what `traceback` formats."""
    return [f"  {line}" for entry in entries for line in entry.rstrip("\n").split("\n")]


# -- listeners -----------------------------------------------------------------------------


def _lines_of_listener(hub: BaseHub, listener: FdListener) -> Iterator[str]:
    is_thread = listener.cb is noop
    who = repr(listener.greenlet) if is_thread else FdListener.__repr__(listener)
    yield f"fd {listener.fileno} ({_file(listener.fileno)}): {who}"
    if isinstance(listener, DebugListener):
        yield f"  added by {listener.greenlet!r}"
        yield from indent(listener.where_called)
    elif is_thread and issubclass(hub.lclass, DebugListener):
        yield from stack_of_thread(listener.greenlet)


def _file(fd: int) -> str:
    try:
        mode = os.fstat(fd).st_mode
    except OSError as exc:
        return str(exc.strerror)
    if stat.S_ISSOCK(mode):
        return _socket(fd)
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "special file")


def _socket(fd: int) -> str:
    if get_default_timeout() is not None:
        return "socket"  # a new object would put the file in non-blocking mode: it is shared
    twin = base_socket(fileno=os.dup(fd))
    try:
        text = f"{_name_of_family(twin.family)} socket {_address(twin.getsockname())}"
        try:
            return f"{text} to {_address(twin.getpeername())}"
        except OSError:
            return text  # it listens, or is not connected
    finally:
        twin.close()


def _name_of_family(family: int) -> str:
    try:
        return socket.AddressFamily(family).name
    except ValueError:
        return f"family {family}"


def _address(address: Any) -> str:
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address[:2])
    return repr(address)


# -- timers --------------------------------------------------------------------------------


def _purpose(ticket: Ticket) -> str:
    if isinstance(ticket, Timer):
        given = [repr(arg) for arg in ticket.args]
        given += [f"{name}={value!r}" for name, value in ticket.kwargs.items()]
        return f"call of {ticket.func!r} with ({', '.join(given)})"
    if isinstance(ticket.thread, greenlet) and not ticket.thread:
        return f"start of {ticket.thread!r}"
    return f"time limit of {ticket.thread!r}"


def _stack_of_ticket(ticket: Ticket) -> list[str]:
    if not timer_stacks_are_recorded():
        return []
    stack = stack_of_timer(ticket)
    return stack_of_thread(ticket.thread) if stack is None else indent(stack.format())
