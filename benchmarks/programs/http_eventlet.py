"""`eventlet.wsgi` over a green listener. Serves us and eventlet 0.41."""

import socket

import eventlet
import eventlet.wsgi

from benchmarks.programs.driver import announce_port
from benchmarks.programs.http_application import application
from benchmarks.programs.http_listener import BACKLOG


def main() -> None:
    listener = eventlet.listen(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    announce_port(listener.getsockname()[1])
    eventlet.wsgi.server(listener, application, log_output=False)


if __name__ == "__main__":
    main()
