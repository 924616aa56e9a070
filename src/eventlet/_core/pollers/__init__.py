"""The pollers, best first, and the choice of one."""

from collections.abc import Callable

from eventlet._core.poller import Poller
from eventlet._core.pollers import epoll, kqueue, poll, select

__all__ = ["POLLERS", "default_poller"]

POLLERS: dict[str, tuple[Callable[[], bool], Callable[[], Poller]]] = {
    "epoll": (epoll.is_available, epoll.EpollPoller),
    "kqueue": (kqueue.is_available, kqueue.KqueuePoller),
    "poll": (poll.is_available, poll.PollPoller),
    "select": (select.is_available, select.SelectPoller),
}
"""Poller name -> (is it available here, its constructor), best first."""


def default_poller() -> Poller:
    """Make the best poller of this platform."""
    for is_available, make in POLLERS.values():
        if is_available():
            return make()
    raise NotImplementedError("this platform offers no epoll, kqueue, poll or select")
