"""Which descriptors are ready, and parking until one is, with the exact events of `poll`.

The hub knows two sides, read and write, and announces more than was asked: for urgent data, a
hang-up or an error it wakes the reader. That is right for a caller who then reads, but one
who asks `poll` for exact events would be woken again and again for what it does not want. So
exact waits park on a short-lived epoll descriptor that has just these events.
"""

import select as _real

from eventlet._core.current import get_hub
from eventlet._core.poller import READ, WRITE
from eventlet._unpatched import real_epoll, real_poll, real_select

__all__ = ["POLLERR", "POLLHUP", "POLLIN", "POLLNVAL", "POLLOUT", "POLLPRI"]
__all__ += ["park_for_events", "park_for_sides", "poll_now", "ready_now", "spend_budget"]

POLLIN: int = getattr(_real, "POLLIN", 0x01)
POLLPRI: int = getattr(_real, "POLLPRI", 0x02)
POLLOUT: int = getattr(_real, "POLLOUT", 0x04)
POLLERR: int = getattr(_real, "POLLERR", 0x08)
POLLHUP: int = getattr(_real, "POLLHUP", 0x10)
POLLNVAL: int = getattr(_real, "POLLNVAL", 0x20)

_INEXACT_PAUSE = 0.01
"""Seconds between looks where the kernel has no epoll to wait for exact events."""


def poll_now(masks: dict[int, int]) -> dict[int, int]:
    """Ask the kernel once, without waiting.

    Args:
        masks: descriptor number -> events wanted, as for `poll`.

    Returns:
        Descriptor number -> events, also those not asked for (error, hang-up, not open),
        for each that has any.
    """
    if not masks:
        return {}
    if real_poll is None:
        return _select_now(masks)
    poller = real_poll()
    for fd, mask in masks.items():
        poller.register(fd, mask)
    return dict(poller.poll(0))


def ready_now(fd: int, read: bool, write: bool) -> bool:
    """Tell whether a call on one side of a descriptor would not block."""
    return bool(poll_now({fd: (POLLIN if read else 0) | (POLLOUT if write else 0)}))


def park_for_sides(masks: dict[int, int], timeout: float | None) -> None:
    """Park until the hub announces a side of one of the descriptors, or the time is up.

    Raises:
        DescriptorClosed: one of them was closed while we waited.
        IOClosed: one of the numbers names another file now.
    """
    sides = {
        fd: (READ if mask & (POLLIN | POLLPRI) else 0) | (WRITE if mask & POLLOUT else 0)
        for fd, mask in masks.items()
    }
    get_hub().wait_foreign_many(sides, timeout)


def park_for_events(masks: dict[int, int], timeout: float | None) -> None:
    """Park until one of the descriptors has one of exactly these events, or the time is up.

    Closing one of them meanwhile is not noticed, as with the plain `poll`.
    """
    hub = get_hub()
    if not masks or real_epoll is None:
        if masks:
            timeout = _INEXACT_PAUSE if timeout is None else min(timeout, _INEXACT_PAUSE)
        hub.park(hub.ticket(), timeout)
        return
    with real_epoll(max(len(masks), 1)) as poller:
        for fd, mask in masks.items():
            try:
                poller.register(fd, mask)
            except PermissionError:
                continue  # a regular file: what it had to say, the last look has told
            except OSError:
                return  # closed since: the next look says so
        hub.wait_foreign(poller.fileno(), read=True, timeout=timeout)


def spend_budget() -> None:
    """Account for one call that did not park, so that a loop of them lets others run."""
    hub = get_hub()
    hub.budget -= 1
    if hub.budget < 0:
        hub.spend()


def _select_now(masks: dict[int, int]) -> dict[int, int]:
    wanted = [
        [fd for fd, mask in masks.items() if mask & event] for event in (POLLIN, POLLOUT, POLLPRI)
    ]
    found: dict[int, int] = {}
    ready = real_select(wanted[0], wanted[1], wanted[2], 0)
    for fds, event in zip(ready, (POLLIN, POLLOUT, POLLPRI), strict=True):
        for fd in fds:
            found[fd] = found.get(fd, 0) | event
    return found
