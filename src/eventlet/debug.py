"""Look at, and loosen, what the hub does."""

import eventlet.greenpool as greenpool
import eventlet.hubs.timer as hub_timer
import eventlet.tpool as tpool
from eventlet._core.descriptor import waiter_policy
from eventlet._debug.hogs import detect_hogs
from eventlet._debug.running_tables import format_asyncio_info, format_threads_info
from eventlet._debug.spewing import Spew, spew, unspew
from eventlet._debug.timer_stacks import record_timer_stacks
from eventlet._debug.waiting_tables import format_hub_listeners, format_hub_timers
from eventlet.hubs import get_hub

__all__ = [
    "Spew",
    "format_asyncio_info",
    "format_hub_listeners",
    "format_hub_timers",
    "format_threads_info",
    "hub_blocking_detection",
    "hub_exceptions",
    "hub_listener_stacks",
    "hub_prevent_multiple_readers",
    "hub_timer_stacks",
    "spew",
    "tpool_exceptions",
    "unspew",
]


def hub_prevent_multiple_readers(state: bool = True) -> None:
    """Choose whether two green threads may wait for one side of one descriptor.

    Holds for the whole process.

    Args:
        state: True makes the second one an error, as it is from the start; False lets
            them queue, first come, first served.
    """
    waiter_policy.exclusive = bool(state)


def hub_exceptions(state: bool = True) -> None:
    """Choose whether exceptions that nobody caught are printed.

    Holds for the hub of this OS thread, and for the jobs of `spawn_n` of every pool.

    Args:
        state: True prints them, as it is from the start.
    """
    get_hub().debug_exceptions = bool(state)
    greenpool.DEBUG = bool(state)


def tpool_exceptions(state: bool = False) -> None:
    """Choose whether what a call in `tpool` raises is printed, beside reaching its caller.

    Args:
        state: True prints it.
    """
    tpool.QUIET = not state


def hub_listener_stacks(state: bool = False) -> None:
    """Choose whether `format_hub_listeners` shows where each of them began to wait.

    Holds for the hub of this OS thread.

    Args:
        state: True shows it, for callbacks those that are added from now on.
    """
    get_hub().set_debug_listeners(bool(state))


def hub_timer_stacks(state: bool = False) -> None:
    """Choose whether timers remember where they were made, for `format_hub_timers`.

    Holds for the whole process, and for timers that are made from now on.

    Args:
        state: True makes them remember, which costs time with each; False forgets.
    """
    hub_timer._g_debug = bool(state)
    record_timer_stacks(bool(state))


def hub_blocking_detection(state: bool = False, resolution: float = 1) -> None:
    """Choose whether a green thread that does not let others run gets an exception.

    It is a `RuntimeError`, raised in the code that runs too long, by a SIGALRM handler. A
    handler and an alarm that are there when it is switched on keep working. Do not set
    others while it is on.

    Args:
        state: True switches it on, or changes the resolution.
        resolution: seconds that a green thread may run without a switch.

    Raises:
        RuntimeError: not in the main OS thread, which alone gets signals; or the present
            handler of SIGALRM was not set by Python and could not be restored.
        ValueError: the resolution is not positive.
    """
    detect_hogs(resolution if state else None)
