"""Concurrent networking with plain, blocking code: green threads on a hub.

The front door: names only, no logic. What is behind them: `eventlet.greenthread` (spawn,
sleep, kill), `eventlet.greenpool` (bounded concurrency), `eventlet.greenio` (sockets and
pipes), `eventlet.green` (the standard library over them), `eventlet.patcher`.
"""

import greenlet

import eventlet._plain_loops  # from the first hub on, asyncio.run parks in green threads
import eventlet.convenience as convenience
import eventlet.event as event
import eventlet.green as green
import eventlet.green.socket  # noqa: F401 - an attribute of `green` for those who only import us
import eventlet.greenio as greenio
import eventlet.greenpool as greenpool
import eventlet.greenthread as greenthread
import eventlet.hubs as hubs
import eventlet.patcher as patcher
import eventlet.queue as queue
import eventlet.semaphore as semaphore
import eventlet.support as support
import eventlet.timeout as timeout
from eventlet.completion import as_completed, wait_first
from eventlet.convenience import StopServe, connect, listen, serve, wrap_ssl
from eventlet.event import Event
from eventlet.greenpool import GreenPile, GreenPool
from eventlet.greenthread import (
    call_after_global,
    exc_after,
    getcurrent,
    kill,
    sleep,
    spawn,
    spawn_after,
    spawn_n,
)
from eventlet.patcher import import_patched, monkey_patch
from eventlet.queue import Queue
from eventlet.semaphore import BoundedSemaphore, CappedSemaphore, Semaphore
from eventlet.taskgroup import (
    Cancelled,
    CancelScope,
    TaskGroup,
    fail_after,
    fail_at,
    move_on_after,
    move_on_at,
)
from eventlet.timeout import Timeout, is_timeout, with_timeout, wrap_is_timeout

__all__ = [
    "BoundedSemaphore",
    "CancelScope",
    "Cancelled",
    "CappedSemaphore",
    "Event",
    "EventletDeprecationWarning",
    "GreenPile",
    "GreenPool",
    "Queue",
    "Semaphore",
    "StopServe",
    "TaskGroup",
    "Timeout",
    "TimeoutError",
    "as_completed",
    "call_after_global",
    "connect",
    "convenience",
    "event",
    "exc_after",
    "fail_after",
    "fail_at",
    "getcurrent",
    "green",
    "greenio",
    "greenlet",
    "greenpool",
    "greenthread",
    "hubs",
    "import_patched",
    "is_timeout",
    "kill",
    "listen",
    "monkey_patch",
    "move_on_after",
    "move_on_at",
    "patcher",
    "queue",
    "semaphore",
    "serve",
    "sleep",
    "spawn",
    "spawn_after",
    "spawn_n",
    "support",
    "timeout",
    "wait_first",
    "with_timeout",
    "wrap_is_timeout",
    "wrap_ssl",
]

__version__ = "1.0.0"

TimeoutError = Timeout  # noqa: A001 - an old name of ours


class EventletDeprecationWarning(Warning):
    """Kept as a name for programs that filter it; never issued."""
