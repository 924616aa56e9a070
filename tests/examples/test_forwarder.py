from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.examples.programs import example, read_all
from tests.examples.test_echoserver import reset

pytestmark = pytest.mark.slow


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def say_all(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"


def test_bytes_and_end_of_file_go_both_ways(target: socket.socket) -> None:
    question, reply = b"question" * 50_000, b"answer" * 80_000
    with example("forwarder", address_of(target)) as forwarder, forwarder.connect() as client:
        server, _ = target.accept()
        with server:
            sender = threading.Thread(target=say_all, args=(client, question))
            sender.start()

            assert read_all(server) == question
            server.sendall(reply)
            server.close()
            assert read_all(client) == reply
            sender.join()
        client.close()
        forwarder.wait_for(f"closed: {len(question)} bytes there, {len(reply)} back")
        assert forwarder.stop() == 0
        assert "stopped with 0 connections open" in forwarder.stdout


def test_target_that_is_not_there_closes_the_client() -> None:
    with example("forwarder", "127.0.0.1:1") as forwarder, forwarder.connect() as client:
        assert read_all(client) == b""
        assert forwarder.stop() == 0
        assert "cannot reach 127.0.0.1:1" in forwarder.stderr


def test_reset_on_one_side_ends_the_other(target: socket.socket) -> None:
    with example("forwarder", address_of(target)) as forwarder, forwarder.connect() as client:
        server, _ = target.accept()
        with server:
            server.settimeout(60)
            reset(client)

            assert read_all(server) == b""


def test_one_connection_does_not_wait_for_another(target: socket.socket) -> None:
    with (
        example("forwarder", address_of(target)) as forwarder,
        forwarder.connect() as idle,
        forwarder.connect() as busy,
    ):
        servers = [target.accept()[0] for _ in range(2)]
        busy.sendall(b"hello")
        busy.shutdown(socket.SHUT_WR)

        (ready,), _, _ = select.select(servers, [], [], 60)
        assert ready.recv(100) == b"hello"
        idle.close()
        for server in servers:
            server.close()
        assert forwarder.stop() == 0


def test_target_must_have_a_port() -> None:
    with pytest.raises(AssertionError, match="is not HOST:PORT"), example("forwarder", "nowhere"):
        pass
