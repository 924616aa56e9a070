from __future__ import annotations

import select
import signal
import socket
import struct
import time

import pytest

from tests.examples.programs import example, read_all, read_until

pytestmark = pytest.mark.slow


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_every_byte_comes_back_to_its_client() -> None:
    with example("echoserver") as server:
        clients = [server.connect() for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(f"client {number}\n".encode())
        answers = [read_until(client, b"\n") for client in clients]
        for client in clients:
            client.close()

        assert answers == [f"client {number}\n".encode() for number in range(20)]
        assert server.stop() == 0
        assert "20 clients" in server.stdout


def test_client_that_closes_its_side_still_gets_everything() -> None:
    data = b"0123456789" * 10_000
    with example("echoserver") as server, server.connect() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

        assert read_all(client) == data
        assert server.stop() == 0
        assert f"{len(data)} bytes sent back" in server.stdout


def test_reset_connection_disturbs_nobody() -> None:
    with example("echoserver") as server, server.connect() as other:
        broken = server.connect()
        broken.sendall(b"hello")
        read_until(broken, b"hello")
        reset(broken)
        other.sendall(b"still there?")

        assert read_until(other, b"?") == b"still there?"
        other.close()
        assert server.stop() == 0
        assert "1 broken" in server.stdout
        assert server.stderr == ""


def test_silent_client_is_let_go() -> None:
    with example("echoserver", "--idle-timeout=0.2") as server, server.connect() as client:
        assert client.recv(1) == b""
        assert server.stop() == 0
        assert "1 too silent" in server.stdout


def test_client_that_never_reads_is_let_go() -> None:
    with example("echoserver", "--idle-timeout=0.3") as server, server.connect() as client:
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            client.sendall(bytes(100_000_000))

        assert server.stop() == 0
        assert "1 too silent" in server.stdout or "1 broken" in server.stdout


def test_client_over_its_limit_is_let_go() -> None:
    with example("echoserver", "--max-bytes=10") as server, server.connect() as client:
        client.sendall(b"0123456789")

        assert read_all(client) == b"0123456789"
        assert server.stop() == 0
        assert "1 over the limit" in server.stdout


def test_more_clients_than_allowed_wait_for_their_turn() -> None:
    with example("echoserver", "--max-clients=1") as server, server.connect() as first:
        first.sendall(b"first")
        read_until(first, b"first")
        with server.connect() as second:
            second.sendall(b"second")
            second.settimeout(0.3)
            with pytest.raises(TimeoutError):
                second.recv(1)
            first.close()
            second.settimeout(60)

            assert read_until(second, b"second") == b"second"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_within_the_grace(number: int) -> None:
    with example("echoserver", "--grace=0.3") as server, server.connect() as client:
        client.sendall(b"hello")
        read_until(client, b"hello")
        started = time.monotonic()

        assert server.stop(number) == 0
        assert time.monotonic() - started < 50
        assert "1 cut short" in server.stdout
        assert server.stderr == ""


def test_conversation_may_finish_within_the_grace() -> None:
    with example("echoserver", "--grace=60") as server, server.connect() as client:
        client.sendall(b"hello")
        read_until(client, b"hello")
        server.process.send_signal(signal.SIGINT)
        client.sendall(b"bye")
        assert read_until(client, b"bye") == b"bye"
        client.close()

        assert server.process.wait(60) == 0


def test_short_of_descriptors_it_waits_and_goes_on() -> None:
    with example("echoserver", env={"PYTHONUNBUFFERED": "1"}) as server:
        limit_descriptors(server.process.pid, spare=3)
        clients = [server.connect() for _ in range(6)]
        for client in clients:
            client.sendall(b"hi")
        assert select.select(clients, [], [], 60)[0]
        answered = [client for client in clients if is_answered(client)]
        assert 0 < len(answered) < len(clients)
        for client in answered:
            client.close()
        waiting = [client for client in clients if client not in answered]
        for client in waiting:
            client.settimeout(60)
            assert read_until(client, b"hi") == b"hi"
            client.close()

        assert server.stop() == 0
        assert "cannot accept now" in server.stderr


def limit_descriptors(pid: int, spare: int) -> None:
    """Leave a running process room for that many more descriptors."""
    import os
    import resource

    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, used + spare))


def is_answered(client: socket.socket) -> bool:
    client.settimeout(0.4)
    try:
        return bool(client.recv(2))
    except TimeoutError:
        return False
