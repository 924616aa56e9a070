"""The files a hub has of its own: its poller's and the wake-up descriptor.

A program may close them behind our back: daemons close every descriptor they did not open
themselves. Their numbers may then be anybody's. So a number is closed only while it still
stands for the file we opened, and a hub whose files are gone gets new ones.
"""

from os import fstat
from stat import S_IFMT
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventlet._core.hub import Hub

__all__ = ["FileIdentity", "identity_of", "open_anew", "regain", "renew"]

FileIdentity = tuple[int, int, int]


def identity_of(fd: int) -> FileIdentity | None:
    """Return what tells the file of a number from others; None when there is none.

    The kernel's nameless files, such as those of epoll, look all the same.
    """
    try:
        found = fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino, S_IFMT(found.st_mode)


def open_anew(hub: "Hub") -> None:
    """Give a hub, in a forked child, another poller and another wake-up descriptor."""
    # What is gone is noted before a new file can have its number.
    hub.poller.close()
    hub.notifier = hub.notifier.successor()
    _open(hub)


def renew(hub: "Hub") -> None:
    """`open_anew`; those who wait for descriptors go on waiting."""
    open_anew(hub)
    _move_waiters(hub)


def regain(hub: "Hub") -> bool:
    """Give a hub new files if its own were closed; tell whether they were.

    Those who wait for a descriptor that was closed too are told so.
    """
    if _has_its_files(hub):
        return False
    _lost.append((hub.poller, hub.notifier))
    hub.notifier = type(hub.notifier)()
    _open(hub)
    _move_waiters(hub)
    return True


# -- private ---------------------------------------------------------------------------------

_lost: list[object] = []
"""What held numbers that may be others' by now: never collected, so it never closes them."""


def _has_its_files(hub: "Hub") -> bool:
    watches = getattr(hub.poller, "watches", None)  # one that has a file of its own
    return hub.notifier.is_open() and (watches is None or watches(hub.notifier.fd))


def _open(hub: "Hub") -> None:
    hub.poller = type(hub.poller)()
    hub._notified = False
    hub._watch_notifier()


def _move_waiters(hub: "Hub") -> None:
    records = hub.descriptors
    hub.descriptors = dict(records)
    for fd, record in records.items():
        if not record.move_to_new_poller() and hub.descriptors.get(fd) is record:
            del hub.descriptors[fd]
