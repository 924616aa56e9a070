"""connect, listen, serve, wrap_ssl on real sockets of this machine."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from greenlet import GreenletExit

from eventlet import convenience
from eventlet.convenience import (
    ReusePortUnavailableWarning,
    ReuseRandomPortWarning,
    StopServe,
    connect,
    listen,
    serve,
    wrap_ssl,
)
from eventlet.greenio import GreenSocket
from eventlet.greenthread import GreenThread, sleep, spawn
from eventlet.timeout import Timeout

LOCAL = ("127.0.0.1", 0)
HAS_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")
needs_reuse_port = pytest.mark.skipif(
    not hasattr(socket, "SO_REUSEPORT"), reason="this platform has no SO_REUSEPORT"
)


class Failure(Exception):
    """What a handler raises."""


def option(sock: socket.socket, name: str) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, getattr(socket, name)))


@pytest.fixture
def listener() -> Iterator[GreenSocket]:
    with listen(LOCAL) as sock:
        yield sock


# -- connect -----------------------------------------------------------------------------


def test_connect_returns_a_green_socket_that_is_connected(listener: GreenSocket) -> None:
    with connect(listener.getsockname()) as client:
        server, address = listener.accept()
        with server:
            client.sendall(b"hello")

            assert server.recv(10) == b"hello"
            assert isinstance(client, GreenSocket)
            assert address == client.getsockname()


def test_connect_parks_only_its_green_thread() -> None:
    with socket.socket() as full:  # nobody accepts: the kernel's queue fills up
        full.bind(LOCAL)
        full.listen(0)
        clients = [spawn(connect, full.getsockname()) for _ in range(4)]
        turns = 0
        for _ in range(10):
            sleep(0)
            turns += 1
        for client in clients:
            client.kill()
            try:
                client.wait().close()
            except GreenletExit:
                pass  # it was still waiting

    assert turns == 10


def test_connect_binds_first(listener: GreenSocket) -> None:
    with connect(listener.getsockname(), bind=("127.0.0.2", 0)) as client:
        server, address = listener.accept()
        with server:
            assert address[0] == "127.0.0.2"
            assert client.getsockname() == address


def test_connect_does_not_guess_the_family(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with listen(path, family=socket.AF_UNIX) as sock:
        with connect(path, family=socket.AF_UNIX) as client:
            assert client.family == socket.AF_UNIX
            sock.accept()[0].close()
        with pytest.raises(TypeError):
            connect(path)


def test_connect_says_in_words_why_it_failed_and_closes() -> None:
    with socket.socket() as unused:
        unused.bind(LOCAL)

        with pytest.raises(ConnectionRefusedError, match="Connection refused") as caught:
            connect(unused.getsockname())

    assert caught.value.errno == errno.ECONNREFUSED


def test_connect_that_is_interrupted_closes() -> None:
    with socket.socket() as full:
        full.bind(LOCAL)
        full.listen(0)
        filling = [socket.socket() for _ in range(3)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(full.getsockname())

        with pytest.raises(Timeout), Timeout(0.01):
            connect(full.getsockname())

        for each in filling:
            each.close()


# -- listen ------------------------------------------------------------------------------


@needs_reuse_port
def test_a_fixed_port_is_shared_by_default() -> None:
    with listen(LOCAL) as first:
        port = first.getsockname()[1]
    with listen(("127.0.0.1", port)) as one, listen(("127.0.0.1", port)) as other:
        assert option(one, "SO_REUSEPORT")
        assert one.getsockname() == other.getsockname()


@needs_reuse_port
def test_a_fixed_port_is_not_shared_when_told_so() -> None:
    with listen(LOCAL) as one:
        assert not option(one, "SO_REUSEPORT")
        with pytest.raises(OSError, match="Address already in use"):
            listen(one.getsockname(), reuse_port=False)


def test_a_port_the_kernel_chooses_is_not_shared(listener: GreenSocket) -> None:
    assert not option(listener, "SO_REUSEPORT")
    assert listener.getsockname()[1] > 0


@needs_reuse_port
def test_sharing_a_port_the_kernel_chooses_is_warned_about() -> None:
    with pytest.warns(ReuseRandomPortWarning, match="choose a port") as caught:
        sock = listen(LOCAL, reuse_port=True)

    with sock:
        assert option(sock, "SO_REUSEPORT")
    assert caught[0].filename == __file__


@needs_reuse_port
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOPROTOOPT])
def test_a_kernel_that_refuses_to_share_ports_is_warned_about(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: GreenSocket, level: int, name: int, value: int) -> None:
        if name == socket.SO_REUSEPORT:
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(GreenSocket, "setsockopt", refuse)
    with pytest.warns(ReuseRandomPortWarning), pytest.warns(ReusePortUnavailableWarning) as caught:
        listen(LOCAL, reuse_port=True).close()

    assert caught[-1].filename == __file__


def test_other_errors_of_options_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: GreenSocket, *args: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(GreenSocket, "setsockopt", refuse)

    listen(LOCAL).close()


def test_a_platform_without_shared_ports_listens_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listen(LOCAL) as first:
        address = first.getsockname()
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)

    listen(address).close()


@pytest.mark.parametrize("reuse_addr", [True, False])
def test_reuse_addr(reuse_addr: bool) -> None:
    with listen(LOCAL, reuse_addr=reuse_addr) as sock:
        assert option(sock, "SO_REUSEADDR") is reuse_addr


def test_a_unix_path_is_listened_on(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    with listen(path, family=socket.AF_UNIX) as sock:
        assert sock.getsockname() == path


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_ipv6_is_listened_on() -> None:
    with (
        listen(("::1", 0), family=socket.AF_INET6) as sock,
        connect(sock.getsockname(), family=socket.AF_INET6),
    ):
        sock.accept()[0].close()


def test_the_backlog_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    backlogs: list[int] = []
    monkeypatch.setattr(GreenSocket, "listen", lambda self, backlog: backlogs.append(backlog))

    listen(LOCAL).close()
    listen(LOCAL, backlog=7).close()

    assert backlogs == [50, 7]


@pytest.mark.parametrize("address", ["nowhere", (), ("127.0.0.1",), ("127.0.0.1", "http")])
def test_an_address_of_another_shape_is_an_error_of_bind(address: Any) -> None:
    with pytest.raises((TypeError, OSError)):
        listen(address)


def test_an_address_that_is_not_ours_is_an_error_and_closes() -> None:
    with pytest.raises(OSError):
        listen(("192.0.2.1", 0))


# -- serve -------------------------------------------------------------------------------


class Server:
    """A green thread in `serve`, whose handler does what the client says."""

    def __init__(self, listener: GreenSocket, concurrency: int = 1000) -> None:
        self.address = listener.getsockname()
        self.handled: list[bytes] = []
        self.connections: list[GreenSocket] = []
        self.thread: GreenThread = spawn(serve, listener, self.handle, concurrency)

    def handle(self, connection: GreenSocket, address: Any) -> None:
        self.connections.append(connection)
        order = connection.recv(100)
        self.handled.append(order)
        for word, exc in ORDERS.items():
            if order == word:
                raise exc
        connection.sendall(order)

    def ask(self, order: bytes) -> bytes:
        """Send an order; return all that comes until the server closes."""
        with connect(self.address) as client:
            client.sendall(order)
            answer = b""
            while piece := client.recv(100):
                answer += piece
            return answer

    def end(self) -> None:
        self.thread.kill()


ORDERS: dict[bytes, BaseException] = {
    b"stop": StopServe(),
    b"fail": Failure("in the handler"),
    b"exit": GreenletExit(),
    b"late": Timeout(),
}


@pytest.fixture
def server(listener: GreenSocket) -> Iterator[Server]:
    running = Server(listener)
    yield running
    running.end()


def test_serve_calls_the_handler_and_closes_the_connection_after_it(server: Server) -> None:
    answers = [server.ask(b"one"), server.ask(b"two")]

    assert answers == [b"one", b"two"]
    assert [each.fileno() for each in server.connections] == [-1, -1]


def test_connections_are_handled_at_the_same_time(listener: GreenSocket) -> None:
    together: list[int] = []
    active = 0

    def handle(connection: GreenSocket, address: Any) -> None:
        nonlocal active
        active += 1
        together.append(active)
        connection.recv(1)
        active -= 1

    server = spawn(serve, listener, handle)
    clients = [connect(listener.getsockname()) for _ in range(5)]
    while len(together) < 5:
        sleep(0.001)
    for client in clients:
        client.close()
    while active:
        sleep(0.001)
    server.kill()

    assert together == [1, 2, 3, 4, 5]


def test_at_the_limit_nothing_more_is_accepted(listener: GreenSocket) -> None:
    server = Server(listener, concurrency=2)
    idle = [connect(server.address) for _ in range(3)]
    while len(server.connections) < 2:
        sleep(0.001)
    sleep(0.01)
    at_the_limit = len(server.connections)
    idle[0].sendall(b"done")
    while len(server.connections) < 3:
        sleep(0.001)
    for each in idle:
        each.close()
    sleep(0.01)
    server.end()

    assert at_the_limit == 2


def test_stop_serve_in_a_handler_makes_serve_return(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.ask(b"stop") == b""
    assert server.thread.wait() is None
    assert capsys.readouterr().err == ""


def test_stop_serve_thrown_in_from_outside_makes_serve_return(server: Server) -> None:
    sleep(0)
    server.thread.kill(StopServe())

    assert server.thread.wait() is None


def test_another_failure_of_a_handler_is_raised_from_serve(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.ask(b"fail")

    with pytest.raises(Failure, match="in the handler") as caught:
        server.thread.wait()
    assert "handle" in [entry.name for entry in caught.traceback]
    assert capsys.readouterr().err.count("Failure: in the handler") == 1


def test_a_handler_that_is_killed_or_timed_out_stops_nobody_else(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [server.ask(b"exit"), server.ask(b"late"), server.ask(b"next")]

    assert answers == [b"", b"", b"next"]
    assert "Timeout" in capsys.readouterr().err


def test_serve_leaves_the_listener_open_and_the_handlers_running(
    server: Server, listener: GreenSocket
) -> None:
    with connect(server.address) as client:
        while not server.connections:
            sleep(0.001)
        server.ask(b"stop")
        server.thread.wait()
        client.sendall(b"still here")

        assert client.recv(100) == b"still here"
    assert listener.fileno() >= 0


def test_an_ordinary_listener_parks_while_it_is_served_and_is_ordinary_again_afterwards() -> None:
    with socket.create_server(LOCAL) as plain:
        thread = spawn(serve, plain, lambda connection, address: connection.sendall(b"hello"))
        with connect(plain.getsockname()) as client:
            assert client.recv(100) == b"hello"
        thread.kill()

        assert os.get_blocking(plain.fileno())


def test_a_handler_that_fails_after_the_end_is_printed_and_reaches_nobody(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> str:
        server.thread.wait()
        sleep(0.01)
        return "undisturbed"

    after = spawn(run)
    with connect(server.address) as client, connect(server.address) as other:
        while len(server.connections) < 2:
            sleep(0.001)
        server.ask(b"stop")
        client.sendall(b"fail")
        other.sendall(b"stop")

        assert after.wait() == "undisturbed"
    assert server.thread.wait() is None
    assert capsys.readouterr().err.count("Failure: in the handler") == 1


def test_errors_of_accept_are_raised(server: Server, listener: GreenSocket) -> None:
    sleep(0)
    listener.close()

    with pytest.raises(OSError) as caught:
        server.thread.wait()
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("concurrency, error", [(-1, ValueError), ("many", TypeError)])
def test_a_limit_that_is_none_is_refused(
    concurrency: Any, error: type[Exception], listener: GreenSocket
) -> None:
    with pytest.raises(error):
        serve(listener, print, concurrency)


# -- wrap_ssl ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a key and a certificate for localhost that nobody knows."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    return str(path)


def test_wrap_ssl_does_tls_and_trusts_anybody_by_default(listener: GreenSocket, pem: str) -> None:
    def answer() -> None:
        with wrap_ssl(listener.accept()[0], certfile=pem, server_side=True) as server:
            server.sendall(server.recv(100).upper())

    answering = spawn(answer)
    with wrap_ssl(connect(listener.getsockname())) as client:
        client.sendall(b"hello")

        assert client.recv(100) == b"HELLO"
        assert isinstance(client, ssl.SSLSocket)
        assert isinstance(client, GreenSocket)
    answering.wait()


def test_wrap_ssl_takes_a_listener(listener: GreenSocket, pem: str) -> None:
    def answer() -> None:
        with wrap_ssl(listener, pem, pem, True) as tls_listener:
            connection, _ = tls_listener.accept()
            with connection:
                connection.sendall(b"hello")

    answering = spawn(answer)
    with wrap_ssl(connect(listener.getsockname())) as client:
        assert client.recv(100) == b"hello"
    answering.wait()


def test_wrap_ssl_verifies_when_asked(listener: GreenSocket, pem: str) -> None:
    def refuse() -> None:
        with listener.accept()[0] as plain, pytest.raises(ssl.SSLError):
            wrap_ssl(plain, certfile=pem, server_side=True).recv(1)

    refusing = spawn(refuse)
    with (
        connect(listener.getsockname()) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        wrap_ssl(plain, cert_reqs=ssl.CERT_REQUIRED)
    refusing.wait()


@pytest.mark.parametrize("names", [{"certfile"}, {"certfile", "keyfile"}])
def test_a_certificate_that_is_not_there_is_an_error(
    names: set[str], listener: GreenSocket, tmp_path: Path
) -> None:
    missing = {name: str(tmp_path / "missing.pem") for name in names}

    with pytest.raises(FileNotFoundError) as caught:
        wrap_ssl(listener, server_side=True, **missing)
    assert caught.value.errno == errno.ENOENT


def test_wrap_ssl_goes_through_the_implementation_that_can_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> Callable[..., Any]:
        calls.append((args, kwargs))
        return note

    monkeypatch.setattr(convenience, "wrap_ssl_impl", note)

    assert wrap_ssl("socket", 1, ciphers="all") is note
    assert calls == [(("socket", 1), {"ciphers": "all"})]
