"""Parks of sockets and of TLS."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from eventlet.convenience import connect, wrap_ssl
from eventlet.green import socket as green_socket
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket

from tests.unit.parks.park import Table, Wait, anything
from tests.unit.parks.stage import LONG, Connection, Stage

PARKS = Table()
park = PARKS.park


# -- receiving -------------------------------------------------------------------------------


def _receiving(connection: Connection, call: Callable[[], Any], gives: Any = b"data") -> Wait:
    send = partial(connection.far.sendall, b"data")
    return Wait(call, send, gives, close=connection.near.close)


@park(GreenSocket.recv, closes=True)
def recv(stage: Stage) -> Wait:
    connection = stage.tcp()
    return _receiving(connection, partial(connection.near.recv, 10))


@park(GreenSocket.recv, closes=True)
def recv_with_a_timeout(stage: Stage) -> Wait:
    connection = stage.tcp()
    connection.near.settimeout(LONG)
    return _receiving(connection, partial(connection.near.recv, 10))


@park(GreenSocket.recv, closes=True)
def recv_of_nothing(stage: Stage) -> Wait:
    connection = stage.tcp()
    return _receiving(connection, partial(connection.near.recv, 0), b"")


@park(GreenSocket.recv, closes=True)
def recv_peek(stage: Stage) -> Wait:
    connection = stage.tcp()
    return _receiving(connection, partial(connection.near.recv, 10, socket.MSG_PEEK))


@park(GreenSocket.recv, closes=True)
def recv_all(stage: Stage) -> Wait:
    connection = stage.tcp()
    return _receiving(connection, partial(connection.near.recv, 4, socket.MSG_WAITALL))


@park(GreenSocket.recv_into, closes=True)
def recv_into(stage: Stage) -> Wait:
    connection = stage.tcp()
    return _receiving(connection, partial(connection.near.recv_into, bytearray(10)), 4)


@park(GreenSocket.recvfrom, closes=True)
def recvfrom(stage: Stage) -> Wait:
    connection = stage.udp()
    gives = (b"data", connection.far.getsockname())
    return _receiving(connection, partial(connection.near.recvfrom, 10), gives)


@park(GreenSocket.recvfrom_into, closes=True)
def recvfrom_into(stage: Stage) -> Wait:
    connection = stage.udp()
    gives = (4, connection.far.getsockname())
    return _receiving(connection, partial(connection.near.recvfrom_into, bytearray(10)), gives)


@park(GreenSocket.recvmsg, closes=True)
def recvmsg(stage: Stage) -> Wait:
    connection = stage.tcp()
    return _receiving(
        connection, partial(connection.near.recvmsg, 10), lambda got: got[0] == b"data"
    )


@park(GreenSocket.recvmsg_into, closes=True)
def recvmsg_into(stage: Stage) -> Wait:
    connection = stage.tcp()
    call = partial(connection.near.recvmsg_into, [bytearray(10)])
    return _receiving(connection, call, lambda got: got[0] == 4)


@park(GreenSocket.makefile, closes=True)
def makefile_readline(stage: Stage) -> Wait:
    connection = stage.tcp()
    file = stage.keep(connection.near.makefile("rb"))
    return Wait(
        file.readline,
        partial(connection.far.sendall, b"a line\n"),
        b"a line\n",
        close=partial(connection.near._real_close),
    )


# -- sending ---------------------------------------------------------------------------------


@park(GreenSocket.send, closes=True)
def send(stage: Stage) -> Wait:
    connection = stage.full_stream()
    call = partial(connection.near.send, b"data")
    return Wait(call, connection.drain, 4, close=connection.near.close)


@park(GreenSocket.sendall, closes=True)
def sendall(stage: Stage) -> Wait:
    connection = stage.full_stream()

    def keep_draining() -> None:
        stage.thread(connection.keep_draining)

    call = partial(connection.near.sendall, bytes(1 << 16))
    return Wait(call, keep_draining, None, close=connection.near.close)


@park(GreenSocket.sendto, closes=True)
def sendto(stage: Stage) -> Wait:
    """To a datagram socket of the unix family, which makes senders wait when it is full."""
    path = str(stage.directory() / "socket")
    far = stage.keep(GreenSocket(socket.AF_UNIX, socket.SOCK_DGRAM))
    far.bind(path)
    near = stage.keep(GreenSocket(socket.AF_UNIX, socket.SOCK_DGRAM))
    near.connect(path)
    connection = Connection(near, far)
    connection.fill()
    sender = stage.keep(GreenSocket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sender.connect(path)
    return Wait(partial(sender.send, b"data"), connection.drain, 4, close=sender.close)


@park(GreenSocket.sendto, GreenSocket.sendmsg, closes=True)
def sendmsg(stage: Stage) -> Wait:
    connection = stage.datagrams()
    connection.fill()
    call = partial(connection.near.sendmsg, [b"data"])
    return Wait(call, connection.drain, 4, close=connection.near.close)


@park(GreenSocket.sendfile, closes=True)
def sendfile(stage: Stage) -> Wait:
    connection = stage.full_stream()
    path = stage.directory() / "file"
    path.write_bytes(b"data")
    file = stage.keep(path.open("rb"))
    call = partial(connection.near.sendfile, file)
    return Wait(call, connection.drain, 4, file.tell, close=connection.near.close)


@park(GreenSocket.sendfile, closes=True)
def sendfile_by_send(stage: Stage) -> Wait:
    connection = stage.full_stream()
    file = io.BytesIO(b"data")
    call = partial(connection.near.sendfile, file)
    repair = partial(file.seek, 0)  # an interrupted read and send cannot be undone
    return Wait(call, connection.drain, 4, repair=repair, close=connection.near.close)


# -- connecting ------------------------------------------------------------------------------


@park(GreenSocket.accept, closes=True)
def accept(stage: Stage) -> Wait:
    listener = stage.listener()

    def call() -> str:
        client, address = listener.accept()
        client.close()
        return str(address[0])

    def complete() -> None:
        stage.keep(connect(listener.getsockname()))

    return Wait(call, complete, "127.0.0.1", close=listener.close)


@park(GreenSocket.connect, closes=True)
def connect_to_a_full_unix_listener(stage: Stage) -> Wait:
    path = str(stage.directory() / "socket")
    listener = stage.keep(GreenSocket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen(0)
    stage.keep(GreenSocket(socket.AF_UNIX)).connect(path)
    sock = stage.keep(GreenSocket(socket.AF_UNIX))

    def complete() -> None:
        stage.keep(listener.accept()[0])

    # It looks again and again; a close is noticed at the next look.
    return Wait(partial(sock.connect, path), complete, close=sock.close)


@park(GreenSocket.connect, closes=True, slow=True)
def connect_to_a_full_listener(stage: Stage) -> Wait:
    """The kernel of the peer drops the first packet, and hears the next one a second later."""
    listener, take_them = stage.crowded_listener()
    sock = stage.keep(GreenSocket())
    return Wait(partial(sock.connect, listener.getsockname()), take_them, close=sock.close)


@park(GreenSocket.connect_ex, closes=True, slow=True)
def connect_ex_to_a_full_listener(stage: Stage) -> Wait:
    listener, take_them = stage.crowded_listener()
    sock = stage.keep(GreenSocket())
    call = partial(sock.connect_ex, listener.getsockname())
    return Wait(call, take_them, 0, close=sock.close, when_closed=lambda outcome: True)


def _connecting(stage: Stage, make: Callable[[Any], Any]) -> Wait:
    listener, take_them = stage.crowded_listener()

    def call() -> Any:
        sock = make(listener.getsockname())
        with sock:
            return sock.getpeername()

    return Wait(call, take_them, listener.getsockname(), ready_first=True)


@park(connect, slow=True)
def convenience_connect(stage: Stage) -> Wait:
    return _connecting(stage, connect)


@park(green_socket.create_connection, slow=True)
def create_connection(stage: Stage) -> Wait:
    return _connecting(stage, green_socket.create_connection)


# -- TLS -------------------------------------------------------------------------------------


def _tls_receiving(connection: Connection, call: Callable[[], Any], gives: Any = b"data") -> Wait:
    send = partial(connection.far.sendall, b"data")
    return Wait(call, send, gives, close=connection.near.close)


@park(green_ssl.SSLSocket.recv, closes=True)
def tls_recv(stage: Stage) -> Wait:
    connection = stage.tls()
    return _tls_receiving(connection, partial(connection.near.recv, 10))


@park(green_ssl.SSLSocket.read, closes=True)
def tls_read(stage: Stage) -> Wait:
    connection = stage.tls()
    return _tls_receiving(connection, partial(connection.near.read, 10))


@park(green_ssl.SSLSocket.read, closes=True)
def tls_recv_into(stage: Stage) -> Wait:
    connection = stage.tls()
    return _tls_receiving(connection, partial(connection.near.recv_into, bytearray(10)), 4)


def _tls_sending(stage: Stage, name: str, gives: Any) -> Wait:
    connection = stage.full_tls()

    def keep_draining() -> None:
        stage.thread(connection.keep_draining)

    # The record that OpenSSL has begun goes out first, whatever comes next.
    call = partial(getattr(connection.near, name), bytes(1 << 14))
    return Wait(call, keep_draining, gives, close=connection.near.close)


@park(green_ssl.SSLSocket.send, closes=True)
def tls_send(stage: Stage) -> Wait:
    return _tls_sending(stage, "send", 1 << 14)


@park(green_ssl.SSLSocket.write, closes=True)
def tls_write(stage: Stage) -> Wait:
    return _tls_sending(stage, "write", 1 << 14)


@park(green_ssl.SSLSocket.sendall, closes=True)
def tls_sendall(stage: Stage) -> Wait:
    return _tls_sending(stage, "sendall", None)


@park(green_ssl.SSLSocket.do_handshake, closes=True)
def tls_handshake_of_a_client(stage: Stage) -> Wait:
    connection = stage.unshaken_tls()

    def complete() -> None:
        stage.thread(connection.far.do_handshake)

    return Wait(connection.near.do_handshake, complete, close=connection.near.close)


@park(green_ssl.SSLSocket.do_handshake, closes=True)
def tls_handshake_of_a_server(stage: Stage) -> Wait:
    connection = stage.unshaken_tls()

    def complete() -> None:
        stage.thread(connection.near.do_handshake)

    return Wait(connection.far.do_handshake, complete, close=connection.far.close)


@park(
    *(getattr(green_ssl.SSLSocket, name) for name in green_ssl._when_settled()),
    closes=True,
)
def tls_cipher_of_an_accepted_socket(stage: Stage) -> Wait:
    connection = stage.unshaken_tls()
    connection.far._owes_handshake = True

    def complete() -> None:
        stage.thread(connection.near.do_handshake)

    return Wait(connection.far.cipher, complete, anything, close=connection.far.close)


@park(green_ssl.SSLSocket.read, green_ssl.SSLSocket.do_handshake, closes=True)
def tls_first_read_of_a_server(stage: Stage) -> Wait:
    connection = stage.unshaken_tls()

    def talk() -> None:
        connection.near.do_handshake()
        connection.near.sendall(b"data")

    def complete() -> None:
        stage.thread(talk)

    return Wait(partial(connection.far.recv, 10), complete, b"data", close=connection.far.close)


@park(green_ssl.SSLContext.wrap_socket)
def tls_wrap_socket(stage: Stage) -> Wait:
    """A handshake that is interrupted here closes the socket."""
    context, server_context = stage.client_context(), stage.server_context()
    listener = stage.listener()
    accepted: list[Any] = []

    def call() -> str:
        sock = connect(listener.getsockname())
        server, address = listener.accept()
        while address != sock.getsockname():  # of an attempt that was ended before
            server.close()
            server, address = listener.accept()
        accepted.append(stage.keep(server))
        with context.wrap_socket(sock, server_hostname="localhost") as client:
            return str(client.version())

    def complete() -> None:
        server = server_context.wrap_socket(
            accepted.pop(), server_side=True, do_handshake_on_connect=False
        )
        stage.keep(server)
        stage.thread(server.do_handshake)

    def forget() -> None:
        for each in accepted:
            each.close()
        accepted.clear()

    return Wait(call, complete, "TLSv1.3", repair=forget, stays=False, state=forget)


def _shake_hands_with_all(stage: Stage, listener: Any) -> None:
    while True:
        _serve_tls(stage, listener.accept()[0])


def _serve_tls(stage: Stage, sock: Any) -> None:
    """Shake hands in a green thread, as the server."""
    server = stage.server_context().wrap_socket(
        sock, server_side=True, do_handshake_on_connect=False
    )
    stage.thread(_receive_if_client_stays, stage.keep(server))


def _receive_if_client_stays(server: Any) -> None:
    """A client that is content with the handshake may close before the tickets are sent."""
    with suppress(ConnectionError):
        server.recv(1)


@park(wrap_ssl, green_ssl.wrap_socket)
def wrap_ssl_of_a_silent_server(stage: Stage) -> Wait:
    """A handshake that is interrupted closes the socket, so each call gets a new one."""
    listener = stage.listener()

    def call() -> str:
        with wrap_ssl(connect(listener.getsockname())) as client:
            return str(client.version())

    def complete() -> None:
        stage.thread(_shake_hands_with_all, stage, listener)

    return Wait(call, complete, "TLSv1.3", stays=False)


@park(green_ssl.SSLSocket.connect, green_ssl.SSLSocket.connect_ex, closes=True)
def tls_connect(stage: Stage) -> Wait:
    """The handshake is part of it; after an interrupt the socket is connected, and TLS is not."""
    listener = stage.listener()
    sock = stage.client_context().wrap_socket(GreenSocket(), server_hostname="localhost")
    stage.keep(sock)

    def complete() -> None:
        _serve_tls(stage, listener.accept()[0])

    call = partial(sock.connect, listener.getsockname())
    return Wait(call, complete, spent=True, close=sock.close)


@park(green_ssl.get_server_certificate)
def get_server_certificate(stage: Stage) -> Wait:
    listener = stage.listener()

    def complete() -> None:
        stage.thread(_shake_hands_with_all, stage, listener)

    call = partial(green_ssl.get_server_certificate, listener.getsockname())
    return Wait(call, complete, lambda pem: "BEGIN CERTIFICATE" in pem, stays=False)


@park(green_ssl.SSLSocket.unwrap, closes=True)
def tls_unwrap(stage: Stage) -> Wait:
    connection = stage.tls()

    def complete() -> None:
        stage.thread(connection.far.unwrap)

    return Wait(connection.near.unwrap, complete, anything, close=connection.near.close)


@park(green_ssl.SSLSocket.accept, closes=True)
def tls_accept(stage: Stage) -> Wait:
    plain = stage.listener()
    listener = stage.keep(stage.server_context().wrap_socket(plain, server_side=True))

    def call() -> str:
        client, address = listener.accept()
        client.close()
        return str(address[0])

    def complete() -> None:
        stage.keep(connect(listener.getsockname()))

    return Wait(call, complete, "127.0.0.1", close=listener.close)
