"""What a test must give back: descriptors, green threads, timers, hubs of other OS threads.

A snapshot is taken before each test and compared with the state after it. A clean test
costs two directory listings. When something seems to be left, the hub gets a few passes,
garbage is collected and OS threads get a moment to end; what is left then is a leak.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HUB_PASSES = 5
GRACE_SECONDS = 10.0  # what leaks stays for ever; what ends, on a busy machine, not at once
DESCRIPTORS = Path("/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd")


@dataclass(frozen=True)
class Snapshot:
    """What was open, running and pending at one moment."""

    descriptors: dict[int, str]
    threads: frozenset[Any]
    timers: frozenset[Any]
    hubs: frozenset[Any]


def take_snapshot() -> Snapshot:
    """Look at this OS thread's hub, if it has one, and at the process."""
    hub = _hub_here()
    here = frozenset() if hub is None else frozenset([hub])
    return Snapshot(
        descriptors=_open_descriptors(here),
        threads=frozenset(thread for each in here for thread in each.threads if not thread.dead),
        timers=frozenset(ticket for each in here for ticket in _pending(each)),
        hubs=frozenset(_all_hubs()) - here,
    )


def find_leaks(
    before: Snapshot, is_meant: Callable[[str], bool] = lambda _leak: False
) -> list[str]:
    """Describe what is there now and was not at `before`, after all had a chance to end.

    Args:
        before: how it was.
        is_meant: tells whether what was found is none of the caller's business.
    """
    give_up = time.monotonic() + GRACE_SECONDS
    if all(map(is_meant, _differences(before, take_snapshot()))):
        return []
    while True:
        _let_the_hub_run()
        gc.collect()
        leaks = [leak for leak in _differences(before, take_snapshot()) if not is_meant(leak)]
        if not leaks or time.monotonic() > give_up:
            return leaks
        time.sleep(0.01)


def end_leaked_threads(before: Snapshot) -> None:
    """Kill the green threads that are new since `before`, so that no later test meets them."""
    leaked = take_snapshot().threads - before.threads
    if leaked:
        from eventlet._core.thread import kill

        for thread in leaked:
            kill(thread)
        _let_the_hub_run()


def _hub_here() -> Any:
    current = sys.modules.get("eventlet._core.current")
    return None if current is None else current.existing_hub()


def _all_hubs() -> Iterator[Any]:
    current = sys.modules.get("eventlet._core.current")
    if current is not None:
        yield from current.hubs


def _pending(hub: Any) -> Iterator[Any]:
    return (entry[2] for entry in list(hub.timers.heap) if entry[2].state == 0)


def _open_descriptors(own_hubs: frozenset[Any]) -> dict[int, str]:
    """Map each open descriptor to what it refers to, without those that belong to a hub."""
    found = {}
    for name in os.listdir(DESCRIPTORS):
        try:
            found[int(name)] = os.readlink(DESCRIPTORS / name)
        except OSError:
            continue  # the listing's own descriptor, closed by now
    for hub in own_hubs:
        for fd in (hub.poller.fileno(), hub.notifier.fd, hub.notifier._write_fd):
            found.pop(fd, None)
    return found


def _let_the_hub_run() -> None:
    hub = _hub_here()
    if hub is not None:
        for _ in range(HUB_PASSES):
            hub.yield_()


def _differences(before: Snapshot, now: Snapshot) -> Iterator[str]:
    for fd, target in now.descriptors.items():
        if before.descriptors.get(fd) != target:
            yield f"descriptor {fd} is open: {target}"
    for thread in now.threads - before.threads:
        yield f"green thread is alive: {thread!r}\n{_stack(thread)}"
    for timer in now.timers - before.timers:
        yield f"timer is pending: {_describe_timer(timer)}"
    for hub in now.hubs - before.hubs:
        yield f"hub of another OS thread is open: {hub!r}, OS thread {hub.ident}"


def _stack(thread: Any) -> str:
    frame = thread.gr_frame
    if frame is None:
        return "  it has not started"
    return "".join(traceback.format_stack(frame)).rstrip()


def _describe_timer(ticket: Any) -> str:
    func = getattr(ticket, "func", None)
    return f"the call of {func!r}" if func is not None else f"the time-out of {ticket!r}"
