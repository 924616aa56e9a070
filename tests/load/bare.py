"""A loop that answers, and is no server: what the machine and the clients themselves take.

Prints its port. `/` has one fixed answer, `/big` sends on and on, whatever else comes is ignored.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable

from tests.load.descriptors import raise_limit

__all__ = ["ANSWER"]

BODY = b"['GET', '/', None, 'a']\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
PIECE = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 65000
UNSENT_BYTES = 128 * 1024  # as our server has it
TURN_CONNECTIONS = 4


class Bare:
    """All of it; runs until it is killed."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        print(self._listener.getsockname()[1], flush=True)
        while True:
            for key, _ in self._selector.select():
                self._try(key.data, key.fileobj)

    def _try(self, step: Callable[[socket.socket], None], sock: object) -> None:
        assert isinstance(sock, socket.socket)
        try:
            step(sock)
        except BlockingIOError:
            pass
        except OSError:
            self._end(sock)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(TURN_CONNECTIONS):
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
            self._selector.register(sock, selectors.EVENT_READ, self._read)

    def _read(self, sock: socket.socket) -> None:
        data = sock.recv(65536)
        if not data:
            self._end(sock)
        elif data.startswith(b"GET / "):
            sock.sendall(ANSWER)
        elif data.startswith(b"GET /big "):
            self._selector.modify(sock, selectors.EVENT_WRITE, self._write)

    def _write(self, sock: socket.socket) -> None:
        sock.send(PIECE)

    def _end(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)
        sock.close()


if __name__ == "__main__":
    raise_limit()
    Bare().run()
