"""Echo server on eventlet: a green thread per connection. Serves us and eventlet 0.41."""

import socket

import eventlet

from benchmarks.programs.driver import announce_port, arguments


def handle(connection: socket.socket, receive_bytes: int) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        data = connection.recv(receive_bytes)
        if not data:
            break
        connection.sendall(data)


def main() -> None:
    receive_bytes = arguments()[1]["receive_bytes"]
    listener = eventlet.listen(("127.0.0.1", 0), backlog=1024)
    announce_port(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        eventlet.spawn_n(handle, connection, receive_bytes)


if __name__ == "__main__":
    main()
