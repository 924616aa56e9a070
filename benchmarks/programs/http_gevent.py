"""gevent's pywsgi, with TCP_NODELAY: without it one would measure its stall of 40 ms."""

import socket

from gevent import pywsgi
from gevent import socket as green

from benchmarks.programs.driver import announce_port
from benchmarks.programs.http_application import application
from benchmarks.programs.http_listener import BACKLOG


def main() -> None:
    listener = green.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    announce_port(listener.getsockname()[1])
    pywsgi.WSGIServer(listener, application, log=None).serve_forever()


if __name__ == "__main__":
    main()
