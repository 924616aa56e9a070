"""The hub's wake-up descriptor: an eventfd, or a pipe where there is none."""

from eventlet._core.own_files import FileIdentity, identity_of
from eventlet._unpatched import close, eventfd, os_read, os_write, pipe, set_blocking

__all__ = ["Notifier"]

_ONE = (1).to_bytes(8, "little")


class Notifier:
    """A descriptor that becomes readable when somebody calls `notify`."""

    __slots__ = ("__weakref__", "_files", "_write_fd", "fd")

    def __init__(self) -> None:
        self._files: dict[int, FileIdentity | None] = {}
        if eventfd is not None:
            self.fd = self._write_fd = eventfd(0)
        else:
            self.fd, self._write_fd = pipe()
        for fd in {self.fd, self._write_fd}:
            self._files[fd] = identity_of(fd)
            set_blocking(fd, False)

    def is_open(self) -> bool:
        """Whether the numbers still stand for our files; see `own_files`."""
        return all(identity_of(fd) == file for fd, file in self._files.items())

    def successor(self) -> "Notifier":
        """Return another one. This one closes its numbers at its end if they are still its own."""
        self._files = {fd: file for fd, file in self._files.items() if identity_of(fd) == file}
        return Notifier()

    def notify(self) -> None:
        """Make the descriptor readable. Safe from any OS thread and in signal handlers."""
        try:
            os_write(self._write_fd, _ONE)
        except BlockingIOError:
            pass  # it is readable already

    def drain(self) -> None:
        """Make the descriptor unreadable again."""
        try:
            os_read(self.fd, 65536)
        except BlockingIOError:
            pass  # somebody drained it before

    def __del__(self) -> None:
        # Not by a call: another OS thread may be about to write, and the number must not
        # be given to another file before it has.
        for fd, file in self._files.items():
            if identity_of(fd) == file:
                close(fd)


class ClosedNotifier:
    """What a closed hub has in place of its notifier."""

    fd = _write_fd = -1

    def is_open(self) -> bool:
        """There is nothing to lose."""
        return True

    def successor(self) -> Notifier:
        """Return one for a hub that opens again."""
        return Notifier()

    def notify(self) -> None:
        """Do nothing: nobody will look."""

    def drain(self) -> None:
        """Do nothing."""
