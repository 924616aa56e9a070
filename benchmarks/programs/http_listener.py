"""A listening socket made before its server, so that the kernel can choose the port."""

import os
import socket
import sys

from benchmarks.programs.driver import announce_port

__all__ = ["APPLICATION", "BACKLOG", "become", "listen"]

BACKLOG = 1024
APPLICATION = "benchmarks.programs.http_application:application"


def listen() -> socket.socket:
    """Return a listener on loopback whose connections have TCP_NODELAY: they inherit it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def become(*command: str, application: str = APPLICATION) -> None:
    """Announce a listener and turn into `python -m COMMAND`, which inherits it.

    Args:
        command: module and arguments of a server; `--bind` is added, and the application.
        application: what it serves, `module:name`.
    """
    listener = listen()
    listener.set_inheritable(True)
    announce_port(listener.getsockname()[1])
    bind = ("--bind", f"fd://{listener.fileno()}")
    os.execv(sys.executable, [sys.executable, "-m", *command, *bind, application])
