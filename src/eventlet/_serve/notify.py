"""Tell a service manager how it goes, where it asks (systemd's `Type=notify`).

Source: sd_notify(3).
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

__all__ = ["notify_ready", "notify_reloading", "notify_stopping"]


def notify_ready() -> None:
    """All workers serve."""
    _notify("READY=1")


def notify_reloading() -> None:
    """New workers are being started; `notify_ready` follows."""
    _notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def notify_stopping() -> None:
    """The end has begun."""
    _notify("STOPPING=1")


def _notify(state: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] not in {"/", "@"}:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        with suppress(OSError):  # nobody there, or no time for us: it is only for information
            sock.sendto(state.encode(), path)
