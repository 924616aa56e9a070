"""Switches for looking at, and loosening, what the hub does."""

import eventlet.greenpool as greenpool
from eventlet._core.descriptor import waiter_policy
from eventlet.hubs import get_hub

__all__ = ["hub_exceptions", "hub_prevent_multiple_readers"]


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
