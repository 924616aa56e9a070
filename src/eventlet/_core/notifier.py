"""The hub's wake-up descriptor: an eventfd, or a pipe where there is none."""

from eventlet._unpatched import close, eventfd, os_read, os_write, pipe, set_blocking

__all__ = ["Notifier"]

_ONE = (1).to_bytes(8, "little")


class Notifier:
    """A descriptor that becomes readable when somebody calls `notify`."""

    __slots__ = ("__weakref__", "_write_fd", "fd")

    def __init__(self) -> None:
        self.fd = self._write_fd = -1
        if eventfd is not None:
            self.fd = eventfd(0)
            set_blocking(self.fd, False)
            self._write_fd = self.fd
            return
        self.fd, self._write_fd = pipe()
        set_blocking(self.fd, False)
        set_blocking(self._write_fd, False)

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
        for fd in {self.fd, self._write_fd} - {-1}:
            close(fd)


class ClosedNotifier:
    """What a closed hub has in place of its notifier."""

    fd = _write_fd = -1

    def notify(self) -> None:
        """Do nothing: nobody will look."""

    def drain(self) -> None:
        """Do nothing."""
