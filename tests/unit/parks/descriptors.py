"""Parks of sockets, TLS, pipes and whatever else has a descriptor."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from eventlet import _resolver
from eventlet._thread_pool import in_pool_thread
from eventlet.convenience import connect
from eventlet.green import os as green_os
from eventlet.green import select as green_select
from eventlet.green import selectors as green_selectors
from eventlet.green import socket as green_socket
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenFileIO, GreenPipe, GreenSocket
from eventlet.hubs import notify_close, trampoline

from tests.unit.parks.park import Table, Wait, anything
from tests.unit.parks.stage import LONG, Connection, Stage

PARKS = Table()
park = PARKS.park


def is_positive(number: Any) -> bool:
    return isinstance(number, int) and number > 0


def says_end(outcome: Any) -> bool:
    return bool(outcome == b"")


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
    connection = stage.full_tcp()
    call = partial(connection.near.send, b"data")
    return Wait(call, connection.drain, 4, close=connection.near.close)


@park(GreenSocket.sendall, closes=True)
def sendall(stage: Stage) -> Wait:
    connection = stage.full_tcp()

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
    connection = stage.full_tcp()
    path = stage.directory() / "file"
    path.write_bytes(b"data")
    file = stage.keep(path.open("rb"))
    call = partial(connection.near.sendfile, file)
    return Wait(call, connection.drain, 4, file.tell, close=connection.near.close)


@park(GreenSocket.sendfile, closes=True)
def sendfile_by_send(stage: Stage) -> Wait:
    connection = stage.full_tcp()
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
    connection = stage.tls()
    connection.fill(1 << 14)

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


# -- waiting for descriptors -------------------------------------------------------------------


@park(trampoline, closes=True)
def trampoline_read(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    call = partial(trampoline, reader, read=True)
    return Wait(
        call, partial(os.write, writer, b"data"), reader, close=partial(_close_aloud, reader)
    )


@park(trampoline, closes=True)
def trampoline_write(stage: Stage) -> Wait:
    connection = stage.full_tcp()
    fd = connection.near.fileno()
    call = partial(trampoline, fd, write=True)
    return Wait(call, connection.drain, fd, close=connection.near.close)


def _close_aloud(fd: int) -> None:
    notify_close(fd)
    os.close(fd)


@park(green_select.select, closes=True)
def select_one_of_two(stage: Stage) -> Wait:
    connection, other = stage.tcp(), stage.tcp()
    both = [connection.near, other.near]
    return Wait(
        partial(green_select.select, both, [], []),
        partial(connection.far.sendall, b"data"),
        ([connection.near], [], []),
        close=connection.near.close,
    )


@park(green_select.select)
def select_urgent_data(stage: Stage) -> Wait:
    connection = stage.tcp()
    return Wait(
        partial(green_select.select, [], [], [connection.near], LONG),
        partial(connection.far.send, b"!", socket.MSG_OOB),
        ([], [], [connection.near]),
    )


@park(green_select.poll)
def poll(stage: Stage) -> Wait:
    connection = stage.tcp()
    poller: Any = green_select.poll()
    poller.register(connection.near, green_select.POLLIN)
    gives = [(connection.near.fileno(), green_select.POLLIN)]
    return Wait(poller.poll, partial(connection.far.sendall, b"data"), gives)


@park(green_select.epoll, closes=True)
def epoll(stage: Stage) -> Wait:
    connection = stage.tcp()
    poller: Any = stage.keep(green_select.epoll())
    poller.register(connection.near.fileno(), green_select.EPOLLIN)
    gives = [(connection.near.fileno(), green_select.EPOLLIN)]
    complete = partial(connection.far.sendall, b"data")
    return Wait(poller.poll, complete, gives, close=poller.close)


def _selecting(stage: Stage, make: Any) -> Wait:
    connection = stage.tcp()
    selector = stage.keep(make())
    key = selector.register(connection.near, green_selectors.EVENT_READ)
    gives = [(key, green_selectors.EVENT_READ)]
    return Wait(selector.select, partial(connection.far.sendall, b"data"), gives)


@park(green_selectors.DefaultSelector)
def default_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.DefaultSelector)


@park(green_selectors.SelectSelector)
def select_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.SelectSelector)


@park(green_selectors.PollSelector)
def poll_selector(stage: Stage) -> Wait:
    return _selecting(stage, green_selectors.PollSelector)


# -- pipes -------------------------------------------------------------------------------------


@park(GreenFileIO.read, closes=True)
def pipe_read(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    return Wait(
        partial(reader.read, 10), partial(writer.write, b"data"), b"data", close=reader.close
    )


@park(GreenFileIO.readinto, closes=True)
def pipe_readinto(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    call = partial(reader.readinto, bytearray(10))
    return Wait(call, partial(writer.write, b"data"), 4, close=reader.close)


@park(GreenFileIO.readall)
def pipe_readall(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    return Wait(reader.readall, writer.close, b"")


@park(GreenPipe)
def pipe_readline(stage: Stage) -> Wait:
    fd, writer = stage.pipe()
    reader = stage.keep(GreenPipe(fd, "r", closefd=False))
    return Wait(reader.readline, partial(os.write, writer, b"a line\n"), "a line\n")


@park(GreenFileIO.write, closes=True)
def pipe_write(stage: Stage) -> Wait:
    reader, writer = stage.green_pipe()
    _fill_pipe(writer.fileno())
    read = partial(os.read, reader.fileno(), 1 << 20)
    return Wait(partial(writer.write, b"data"), read, 4, close=writer.close)


@park(GreenFileIO.read, closes=True)
def inherited_pipe_read(stage: Stage) -> Wait:
    """One that is shared with others is never put in non-blocking mode."""
    fd, writer = os.pipe()
    os.set_inheritable(fd, True)
    reader = stage.keep(GreenPipe(fd, "rb", 0))
    stage.keep_number(writer)
    assert os.get_blocking(fd)
    return Wait(
        partial(reader.read, 10), partial(os.write, writer, b"data"), b"data", close=reader.close
    )


def _fill_pipe(fd: int) -> None:
    was_blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, bytes(65536))
    except BlockingIOError:
        os.set_blocking(fd, was_blocking)


@park(GreenPipe)
def fifo_open(stage: Stage) -> Wait:
    """Opening it waits for the other side, in an OS thread that nobody can call back."""
    path = stage.directory() / "fifo"
    os.mkfifo(path)
    stage.at_end(_release_openers, path)

    def call() -> bool:
        with GreenPipe(str(path), "rb", 0) as file:
            return bool(file.readable())

    def complete() -> None:
        stage.keep_number(os.open(path, os.O_RDWR))

    return Wait(call, complete, True)


@park(green_os.open)
def os_open_fifo(stage: Stage) -> Wait:
    path = stage.directory() / "fifo"
    os.mkfifo(path)
    stage.at_end(_release_openers, path)

    def call() -> bool:
        os.close(green_os.open(path, os.O_RDONLY))
        return True

    def complete() -> None:
        stage.keep_number(os.open(path, os.O_RDWR))

    return Wait(call, complete, True)


def _release_openers(path: Any) -> None:
    """Let OS threads go on that wait for the other side of a FIFO."""
    os.close(os.open(path, os.O_RDWR))


@park(green_os.read, closes=True)
def os_read(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    return Wait(
        partial(green_os.read, reader, 10),
        partial(os.write, writer, b"data"),
        b"data",
        close=partial(_close_aloud, reader),
    )


@park(green_os.write, closes=True)
def os_write(stage: Stage) -> Wait:
    reader, writer = stage.pipe()
    _fill_pipe(writer)
    return Wait(
        partial(green_os.write, writer, b"data"),
        partial(os.read, reader, 1 << 20),
        4,
        close=partial(_close_aloud, writer),
    )


# -- names -------------------------------------------------------------------------------------


def _asking(stage: Stage, real_name: str, answer: Any, ask: Callable[[], Any], gives: Any) -> Wait:
    gate = stage.os_gate()
    real = getattr(_resolver, real_name)

    def ask_the_system(*args: Any) -> Any:
        if not in_pool_thread():  # a literal address: somebody else's, and never slow
            return real(*args)
        assert gate.wait(60)
        return answer

    stage.replace(_resolver, real_name, ask_the_system)
    return Wait(ask, gate.set, gives)


_FOUND = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
_HOST: tuple[str, list[str], list[str]] = ("a.example", [], ["127.0.0.1"])


@park(green_socket.getaddrinfo)
def getaddrinfo(stage: Stage) -> Wait:
    ask = partial(green_socket.getaddrinfo, "a.example", 80)
    return _asking(stage, "real_getaddrinfo", [_FOUND], ask, [_FOUND])


@park(green_socket.gethostbyname)
def gethostbyname(stage: Stage) -> Wait:
    ask = partial(green_socket.gethostbyname, "a.example")
    return _asking(stage, "real_gethostbyname", "127.0.0.1", ask, "127.0.0.1")


@park(green_socket.gethostbyname_ex)
def gethostbyname_ex(stage: Stage) -> Wait:
    ask = partial(green_socket.gethostbyname_ex, "a.example")
    return _asking(stage, "real_gethostbyname_ex", _HOST, ask, _HOST)


@park(green_socket.gethostbyaddr)
def gethostbyaddr(stage: Stage) -> Wait:
    ask = partial(green_socket.gethostbyaddr, "127.0.0.1")
    return _asking(stage, "real_gethostbyaddr", _HOST, ask, _HOST)


@park(green_socket.getfqdn)
def getfqdn(stage: Stage) -> Wait:
    ask = partial(green_socket.getfqdn, "127.0.0.1")
    return _asking(stage, "real_gethostbyaddr", _HOST, ask, "a.example")


@park(green_socket.getnameinfo)
def getnameinfo(stage: Stage) -> Wait:
    ask = partial(green_socket.getnameinfo, ("127.0.0.1", 80), 0)
    return _asking(stage, "real_getnameinfo", ("a.example", "http"), ask, ("a.example", "http"))


@park(GreenSocket.connect, GreenSocket.bind)
def bind_to_a_name(stage: Stage) -> Wait:
    sock = stage.keep(GreenSocket())
    return _asking(
        stage,
        "real_getaddrinfo",
        [_FOUND],
        partial(sock.bind, ("a.example", 0)),
        None,
    )
