"""TLS calls that are killed, timed out or closed at the worst moment."""

import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from eventlet._core.hub import IO_BUDGET
from eventlet.convenience import connect, listen
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

Pair = tuple[Any, Any]

authority = trustme.CA()
certificate = authority.issue_cert("localhost", "127.0.0.1")


def make_server_context() -> Any:
    context = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def make_client_context() -> Any:
    context = green_ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def plain_pair() -> Iterator[Pair]:
    with listen(("127.0.0.1", 0)) as listener:
        client = connect(listener.getsockname())
        server, _ = listener.accept()
    yield client, server
    client.close()
    server.close()


@pytest.fixture
def tls_pair(plain_pair: Pair) -> Iterator[Pair]:
    client, server = plain_pair
    wrapping = spawn(make_server_context().wrap_socket, server, server_side=True)
    tls_client = make_client_context().wrap_socket(client, server_hostname="localhost")
    tls_server = wrapping.wait()
    yield tls_client, tls_server
    tls_client.close()
    tls_server.close()


def write_until_stuck(sock: Any, piece: bytes) -> int:
    """Write `piece` until there is no room, and interrupt that; return how many went out."""
    written: list[int] = []

    def write() -> None:
        while True:
            written.append(sock.write(piece))

    writer = spawn(write)
    idle_turns = 0
    while idle_turns < 3:  # a writer that could go on would have, however slow the machine
        before = len(written)
        sleep(0.02)
        idle_turns = idle_turns + 1 if len(written) == before else 0
    writer.kill(Timeout)
    with pytest.raises(Timeout):
        writer.wait()
    return len(written)


def read_all(sock: Any) -> bytes:
    pieces = []
    while data := sock.recv(65536):
        pieces.append(data)
    return b"".join(pieces)


def end_after(call: Any, sock: Any, *args: Any) -> None:
    call(*args)
    sock.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("size", [10, 16384, 100_000], ids=["shorter", "same", "longer"])
def test_what_is_written_after_an_interrupted_write_arrives_whole(
    tls_pair: Pair, size: int
) -> None:
    client, server = tls_pair
    count = write_until_stuck(client, b"a" * 16384)
    writer = spawn(end_after, client.sendall, client, b"b" * size)
    received = read_all(server)
    writer.wait()
    assert received == b"a" * 16384 * (count + 1) + b"b" * size


def test_a_write_repeated_after_a_timeout_is_sent_once(tls_pair: Pair) -> None:
    client, server = tls_pair
    piece = bytes(range(256)) * 64
    count = write_until_stuck(client, piece)
    writer = spawn(end_after, client.write, client, piece)
    received = read_all(server)
    writer.wait()
    assert received == piece * (count + 1)


def test_a_non_blocking_write_after_an_interrupted_one_keeps_the_order(tls_pair: Pair) -> None:
    client, server = tls_pair
    count = write_until_stuck(client, b"a" * 16384)
    client.setblocking(False)
    taken = 0
    with contextlib.suppress(ssl.SSLWantWriteError):  # not at once: the buffers may have grown
        while taken < 10_000:
            taken += client.write(b"b" * 100)
    client.setblocking(True)
    writer = spawn(end_after, client.write, client, b"b" * 100)
    received = read_all(server)
    writer.wait()
    assert received == b"a" * 16384 * (count + 1) + b"b" * (taken + 100)


def test_a_killed_sendall_leaves_the_stream_in_order(tls_pair: Pair) -> None:
    client, server = tls_pair
    victim = spawn(client.sendall, b"a" * 10_000_000)
    sleep(0.05)  # it is in the midst of it, or stuck: both must hold
    victim.kill()
    writer = spawn(end_after, client.sendall, client, b"end")
    received = read_all(server)
    writer.wait()
    assert received.rstrip(b"end") == b"a" * (len(received) - 3)
    assert received.endswith(b"end")
    assert len(received) < 10_000_000


def test_an_interrupted_handshake_closes_the_socket(plain_pair: Pair) -> None:
    client, server = plain_pair
    with pytest.raises(Timeout), Timeout(0.02):
        make_client_context().wrap_socket(client, server_hostname="localhost")
    server.settimeout(30)
    while server.recv(10_000):
        pass  # the greeting, then the end, though nobody called close


def test_a_connect_that_failed_can_be_repeated() -> None:
    plain = GreenSocket()
    with listen(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()
    with make_client_context().wrap_socket(plain, server_hostname="localhost") as client:
        assert client.connect_ex(nobody) == errno.ECONNREFUSED
        with pytest.raises(ConnectionRefusedError):
            client.connect(nobody)


def test_a_connect_that_was_interrupted_can_be_repeated() -> None:
    with listen(("127.0.0.1", 0), backlog=0) as listener, GreenSocket() as filler:
        filler.connect(listener.getsockname())
        more = [GreenSocket() for _ in range(3)]
        for sock in more:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        context = make_client_context()
        with context.wrap_socket(GreenSocket(), server_hostname="localhost") as client:
            for _ in range(2):
                with pytest.raises(Timeout), Timeout(0.02):
                    client.connect(listener.getsockname())
        for sock in more:
            sock.close()


def test_closing_during_the_handshake_gives_both_sides_ebadf(plain_pair: Pair) -> None:
    client, _ = plain_pair
    tls = make_client_context().wrap_socket(
        client, server_hostname="localhost", do_handshake_on_connect=False
    )
    threads = [spawn(tls.recv, 10), spawn(tls.sendall, b"x"), spawn(tls.do_handshake)]
    sleep(0)
    tls.close()
    codes = []
    for thread in threads:
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            thread.wait()
        codes.append(caught.value.errno)
    assert codes == [errno.EBADF] * 3


def test_a_blocking_handshake_of_a_non_blocking_socket_waits(plain_pair: Pair) -> None:
    client, server = plain_pair
    client.setblocking(False)
    tls = make_client_context().wrap_socket(
        client, server_hostname="localhost", do_handshake_on_connect=False
    )
    shaking = spawn(tls.do_handshake, block=True)
    with make_server_context().wrap_socket(server, server_side=True):
        shaking.wait()
        assert tls.version() is not None
    tls.close()


def test_a_flood_of_tls_data_lets_others_run(tls_pair: Pair) -> None:
    client, server = tls_pair
    client.sendall(b"x" * 16384)
    turns: list[None] = []

    def count_turns() -> None:
        while True:
            turns.append(None)
            sleep(0)

    counter = spawn(count_turns)
    server.recv(1)
    turns.clear()
    for _ in range(10 * IO_BUDGET):
        server.recv(1)
    counter.kill()
    assert len(turns) >= 9


def test_the_message_callback_can_be_set_after_patching(run_isolated: Any) -> None:
    run_isolated("""
        import eventlet
        eventlet.monkey_patch()
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        callback = lambda *args: None
        context._msg_callback = callback
        assert context._msg_callback is callback
        context._msg_callback = None
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    """)
