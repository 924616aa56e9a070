"""Text about what runs: `debug.format_threads_info` and `format_asyncio_info`."""

import sys
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

import greenlet

from eventlet._core.current import existing_hub, hubs
from eventlet._core.driving_loops import driving_loops
from eventlet._core.hub import Hub
from eventlet._unpatched import get_ident

__all__ = ["format_asyncio_info", "format_threads_info"]


def format_threads_info() -> str:
    """Return text that says what every OS thread is doing, and its green threads.

    Where green threads wait, and the main one of them when another one asks, is told for those
    of the calling OS thread: another one may go on meanwhile.
    """
    names = _names_of_os_threads()
    of_hub = {hub.ident: hub for hub in hubs.copy()}
    here = get_ident()
    lines = ["THREADS:"]
    for ident, frame in sorted(sys._current_frames().items()):
        mark = ", this one" if ident == here else ""
        name = names.get(ident, "without a threading.Thread")
        lines.append(f"OS thread {ident} ({name}{mark}) at {_place(_outside(frame))}")
        if ident in of_hub:
            lines += _lines_of_hub(of_hub[ident], ident == here)
    return "\n".join(lines)


def format_asyncio_info() -> str:
    """Return text that lists the tasks of every asyncio loop of this OS thread.

    Those are the running one, the one that drives the hub, and those in green threads.
    """
    lines = ["TASKS:"]
    for loop in _loops_here():
        tasks = sorted(_tasks_of(loop), key=lambda task: _serial(task.get_name()))
        lines.append(f"EVENTLOOP: {loop!r} with {len(tasks)} tasks")
        lines += [f"  {task!r}" for task in tasks]
    return "\n".join(lines)


def _names_of_os_threads() -> dict[int, str]:
    """Return ident -> name, for those that `threading` knows."""
    threading = sys.modules["threading"]
    return {ident: thread.name for ident, thread in threading._active.copy().items()}


def _lines_of_hub(hub: Hub, is_ours: bool) -> Iterator[str]:
    threads = sorted(hub.threads.copy(), key=lambda thread: _serial(repr(thread)))
    yield f"  {hub!r} with {len(threads)} green threads"
    main = hub.main_greenlet()
    if is_ours and main is not None and main is not greenlet.getcurrent():
        yield f"    main{_where_it_waits(main)}"
    for thread in threads:
        where = _where_it_waits(thread) if is_ours else ""
        yield f"    {thread!r}{where}"


def _where_it_waits(thread: greenlet.greenlet) -> str:
    if thread is greenlet.getcurrent():
        return ", the caller"
    frame: FrameType | None = thread.gr_frame
    if frame is None:
        return ""
    return f", waits at {_place(_outside(frame))}"


def _outside(frame: FrameType) -> FrameType:
    """Return the innermost frame that is not ours, else the innermost."""
    found: FrameType | None = frame
    while found is not None:
        if str(found.f_globals.get("__name__")).partition(".")[0] != _OURS:
            return found
        found = found.f_back
    return frame


_OURS = __name__.partition(".")[0]


def _place(frame: FrameType) -> str:
    entry = traceback.extract_stack(frame, 1)[0]
    return f"{entry.filename}:{entry.lineno} in {entry.name}"


def _serial(text: str) -> tuple[int, str]:
    """Sort "Task-10" behind "Task-9"."""
    digits = "".join(each for each in text.partition(" ")[0] if each.isdigit())
    return (int(digits) if digits else 0, text)


def _loops_here() -> list[Any]:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return []
    found: list[Any] = []
    running = asyncio._get_running_loop()
    hub = existing_hub()
    ours = [] if hub is None else [loop for loop, of in driving_loops.items() if of == hub.ident]
    for loop in [running, *ours]:
        if loop is not None and loop not in found and not loop.is_closed():
            found.append(loop)
    return found


def _tasks_of(loop: Any) -> set[Any]:
    tasks: set[Any] = sys.modules["asyncio"].all_tasks(loop)
    return tasks
