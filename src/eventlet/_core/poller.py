"""The seam between the hub and the kernel: five calls, after Go's netpoll.

`register`  announce every change of the descriptor from now on (edge-triggered, all sides)
`rearm`     announce what is ready once, also if it was ready before (one-shot)
`forget`    stop announcing
`poll`      wait, and return pairs (fd, flags)
`fileno`    a descriptor that is readable when `poll` would return something, or -1

A level-only poller (`edge_triggered` False) implements `register` as nothing: its user
re-arms for each wait.
"""

from typing import Final, Protocol

__all__ = ["ERROR", "HANGUP", "PRIORITY", "READ", "READ_HANGUP", "READ_SIDE", "WRITE"]
__all__ += ["STICKY", "WRITE_SIDE", "Poller"]

# Ours, not the kernel's; the values are poll(2)'s, so pollers of that family pass them on.
READ: Final = 0x001
PRIORITY: Final = 0x002
WRITE: Final = 0x004
ERROR: Final = 0x008
HANGUP: Final = 0x010
READ_HANGUP: Final = 0x2000

READ_SIDE: Final = READ | PRIORITY | ERROR | HANGUP | READ_HANGUP
WRITE_SIDE: Final = WRITE | ERROR | HANGUP
STICKY: Final = PRIORITY | ERROR | HANGUP | READ_HANGUP


class Poller(Protocol):
    """What a hub needs of the kernel. Implement it to bring your own."""

    edge_triggered: bool

    def register(self, fd: int) -> bool:
        """Announce each change of `fd` from now on, and what is ready at this moment.

        Called again for a registered descriptor, it announces once more what is ready.

        Returns:
            True when this very file was registered already; False when it was not, or the
            poller cannot tell.

        Raises:
            PermissionError: the kernel cannot poll this file; it is always ready.
        """

    def rearm(self, fd: int, read: bool, write: bool) -> None:
        """Announce `fd` once when a wanted side is ready, also if it is already.

        Neither side wanted takes the interest back.

        Raises:
            PermissionError: the kernel cannot poll this file; it is always ready.
        """

    def forget(self, fd: int) -> None:
        """Announce nothing about `fd` any more; harmless for an unknown or closed one."""

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait at most `timeout` seconds (None: for ever).

        Returns:
            Pairs (fd, flags), in kernel order; empty when the time was up.
        """

    def fileno(self) -> int:
        """Descriptor to embed this poller in another; -1 when the kernel has none."""

    def close(self) -> None:
        """Give the kernel object back."""
