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
    """Give a hub another poller and another wake-up descriptor, which know of nobody yet."""
    # What is gone is noted before a new file can have its number.
    hub.poller.close()
    hub.notifier = hub.notifier.successor()
    hub.poller = type(hub.poller)()
    hub._notified = False
    hub._watch_notifier()


def renew(hub: "Hub") -> None:
    """Give a hub another poller and another wake-up descriptor; those who wait stay."""
    open_anew(hub)
    records = hub.descriptors
    hub.descriptors = dict(records)
    for fd, record in records.items():
        if not record.move_to_new_poller() and hub.descriptors.get(fd) is record:
            del hub.descriptors[fd]


def regain(hub: "Hub") -> bool:
    """Renew the files of a hub if they were closed; tell whether they were.

    Those who wait for a descriptor that was closed too are told so.
    """
    try:
        hub._watch_notifier()
        is_lost = not hub.notifier.is_open()
    except OSError:
        is_lost = True
    if is_lost:
        renew(hub)
    return is_lost
