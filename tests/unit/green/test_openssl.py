"""pyOpenSSL's connections over green sockets, against themselves and the standard `ssl`."""

from __future__ import annotations

import errno
import socket
import ssl as plain_ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from eventlet.convenience import connect, listen
from eventlet.green import OpenSSL as GreenOpenSSL
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

OpenSSL = pytest.importorskip("OpenSSL", reason="pyOpenSSL is not installed")
SSL: Any = GreenOpenSSL.SSL

Pair = tuple[Any, Any]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> Any:
    context = SSL.Context(SSL.TLS_METHOD)
    with authority.issue_cert("localhost").private_key_and_cert_chain_pem.tempfile() as path:
        context.use_certificate_chain_file(path)
        context.use_privatekey_file(path)
    return context


@pytest.fixture(scope="module")
def client_context(authority: trustme.CA) -> Any:
    context = SSL.Context(SSL.TLS_METHOD)
    with authority.cert_pem.tempfile() as path:
        context.load_verify_locations(path)
    context.set_verify(SSL.VERIFY_PEER, lambda conn, cert, number, depth, ok: bool(ok))
    return context


@pytest.fixture
def sockets() -> Iterator[Callable[[], Pair]]:
    """Make pairs of connected green sockets over TCP."""
    made: list[Any] = []

    def make() -> Pair:
        listener = listen(("127.0.0.1", 0))
        client = connect(listener.getsockname())
        server, _ = listener.accept()
        listener.close()
        made.extend((client, server))
        return client, server

    yield make
    for each in made:
        each.close()


@pytest.fixture
def pair(sockets: Callable[[], Pair], server_context: Any, client_context: Any) -> Pair:
    """Make a client and a server that have not shaken hands."""
    plain_client, plain_server = sockets()
    client = SSL.Connection(client_context, plain_client)
    client.set_connect_state()
    server = SSL.Connection(server_context, plain_server)
    server.set_accept_state()
    return client, server


def test_every_name_is_there() -> None:
    missing = [name for name in OpenSSL.SSL.__all__ if not hasattr(SSL, name)]

    assert missing == []
    assert SSL.Connection is SSL.GreenConnection
    assert issubclass(SSL.Connection, OpenSSL.SSL.Connection)
    assert SSL.WantReadError is OpenSSL.SSL.WantReadError
    assert GreenOpenSSL.crypto.X509 is OpenSSL.crypto.X509


def test_a_conversation(pair: Pair) -> None:
    client, server = pair
    answering = spawn(lambda: server.sendall(server.recv(100) * 2))
    client.do_handshake()
    client.send(b"hello")

    assert client.recv(100) == b"hellohello"
    answering.wait()


@pytest.mark.slow
def test_others_run_while_a_lot_is_sent(pair: Pair) -> None:
    client, server = pair
    data = bytes(range(256)) * 20_000
    gaps: list[float] = []

    def tick() -> None:
        while True:
            before = time.monotonic()
            sleep(0)
            gaps.append(time.monotonic() - before)

    def receive() -> bytes:
        received = bytearray()
        while len(received) < len(data):
            received += server.read(65536)
        return bytes(received)

    ticking, receiving = spawn(tick), spawn(receive)

    assert client.sendall(data) == len(data)
    assert receiving.wait() == data
    ticking.kill()
    assert len(gaps) > 2
    assert max(gaps) < 20


@pytest.mark.slow
def test_both_sides_send_at_once(pair: Pair) -> None:
    data = bytes(3_000_000)

    def receive(conn: Any) -> int:
        count = 0
        while count < len(data):
            count += conn.recv_into(bytearray(65536))
        return count

    threads = [spawn(receive, conn) for conn in pair] + [spawn(conn.sendall, data) for conn in pair]
    with Timeout(60):
        assert [thread.wait() for thread in threads] == [len(data)] * 4


def test_with_the_standard_ssl_in_an_os_thread(authority: trustme.CA, server_context: Any) -> None:
    context = plain_ssl.create_default_context()
    authority.configure_trust(context)
    listener = SSL.Connection(server_context, listen(("127.0.0.1", 0)))
    address = listener.getsockname()
    answers: list[bytes] = []

    def talk() -> None:
        with (
            socket.create_connection(address) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"question")
            answers.append(tls.recv(100))
            tls.unwrap().close()

    thread = threading.Thread(target=talk)
    thread.start()
    conn, peer = listener.accept()
    request = conn.recv(100)
    conn.sendall(b"answer")
    with pytest.raises(SSL.ZeroReturnError):
        conn.recv(100)
    conn.shutdown()
    conn.close()
    listener.close()
    thread.join()

    assert isinstance(conn, SSL.GreenConnection)
    assert peer[0] == "127.0.0.1"
    assert (request, answers) == (b"question", [b"answer"])


def test_a_certificate_that_nobody_knows_is_refused(
    sockets: Callable[[], Pair], server_context: Any
) -> None:
    plain_client, plain_server = sockets()
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda conn, cert, number, depth, ok: bool(ok))
    client, server = (
        SSL.Connection(context, plain_client),
        SSL.Connection(server_context, plain_server),
    )
    client.set_connect_state()
    server.set_accept_state()

    def serve() -> str:
        try:
            server.do_handshake()
            server.recv(1)
        except SSL.Error as exc:
            return type(exc).__name__
        return "accepted"

    serving = spawn(serve)
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        client.do_handshake()

    assert serving.wait() == "Error"


def test_a_peer_that_is_just_gone_is_the_end(pair: Pair) -> None:
    client, server = pair
    shaking = spawn(server.do_handshake)
    client.do_handshake()
    shaking.wait()
    reading = spawn(client.recv, 10)
    sleep(0.01)
    server.close()

    assert reading.wait() == b""
    assert client.recv_into(bytearray(5)) == 0


def test_a_reset_is_an_error(pair: Pair) -> None:
    client, server = pair
    shaking = spawn(server.do_handshake)
    client.do_handshake()
    shaking.wait()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    with pytest.raises(SSL.SysCallError) as caught:
        client.recv(10)

    assert caught.value.args[0] == errno.ECONNRESET


def test_the_timeout_of_the_socket_holds(pair: Pair) -> None:
    client, _ = pair
    client.settimeout(0.03)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        client.do_handshake()

    assert 0.03 <= time.monotonic() - began < 20


@pytest.mark.slow
def test_the_timeout_of_sendall_is_for_the_whole(pair: Pair) -> None:
    client, server = pair
    shaking = spawn(server.do_handshake)
    client.do_handshake()
    shaking.wait()

    def sip() -> None:
        while True:
            server.recv(16384)
            sleep(0.005)

    sipping = spawn(sip)
    client.settimeout(0.15)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        client.sendall(bytes(100_000_000))
    took = time.monotonic() - began
    sipping.kill()

    assert 0.15 <= took < 20


def test_an_interrupted_write_is_finished_before_the_next(pair: Pair) -> None:
    client, server = pair
    shaking = spawn(server.do_handshake)
    client.do_handshake()
    shaking.wait()
    with pytest.raises(Timeout), Timeout(0.05):
        client.sendall(b"a" * 100_000_000)
    received = bytearray()

    def receive() -> None:
        while not received.endswith(b"the end"):
            received.extend(server.recv(65536))

    receiving = spawn(receive)
    client.sendall(b"the end")
    receiving.wait()

    assert set(received[: -len(b"the end")]) == set(b"a")


def test_a_second_reader_is_refused(pair: Pair) -> None:
    client, _ = pair
    first = spawn(client.recv, 1)
    sleep(0.01)
    with pytest.raises(RuntimeError, match="already"):
        client.recv(1)
    first.kill()


def test_close_wakes_the_reader(pair: Pair) -> None:
    client, _ = pair

    def read() -> int | None:
        try:
            client.recv(1)
        except OSError as exc:
            return exc.errno
        return None

    reading = spawn(read)
    sleep(0.01)
    client.close()

    assert reading.wait() == errno.EBADF
    with pytest.raises(OSError, match="Bad file descriptor"):
        client.send(b"x")


def test_a_nonblocking_socket_raises_want(pair: Pair) -> None:
    client, _ = pair
    client.setblocking(False)
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()


def test_a_memory_connection_raises_want(client_context: Any) -> None:
    conn = SSL.Connection(client_context)
    conn.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        conn.do_handshake()

    assert conn.bio_read(10_000)


def test_an_ordinary_socket_is_wrapped(client_context: Any, server_context: Any) -> None:
    left, right = socket.socketpair()
    client, server = SSL.Connection(client_context, left), SSL.Connection(server_context, right)
    client.set_connect_state()
    server.set_accept_state()
    serving = spawn(server.send, b"hi")

    assert client.recv(10) == b"hi"
    serving.wait()
    for each in (client, server, left, right):
        each.close()


def test_no_duplicates_and_no_files(pair: Pair) -> None:
    for refuse in (pair[0].dup, pair[0].makefile):
        with pytest.raises(NotImplementedError):
            refuse()
