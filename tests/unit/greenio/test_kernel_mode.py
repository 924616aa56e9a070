"""The kernel's mode of a green socket: the user's until the first use, non-blocking after it."""

import errno
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from eventlet.green import socket as green_socket
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn


@pytest.fixture
def sock() -> Iterator[GreenSocket]:
    with GreenSocket() as fresh:
        yield fresh


@pytest.fixture
def pair() -> Iterator[Any]:
    ends = green_socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def blocks(each: Any) -> bool:
    return os.get_blocking(each.fileno())


def test_fresh_socket_has_the_mode_that_was_asked_for(sock: GreenSocket) -> None:
    seen = [blocks(sock)]
    for timeout in (0.0, None, 2.5, None):
        sock.settimeout(timeout)
        seen.append(blocks(sock))

    assert seen == [True, False, True, False, True]


def test_default_timeout_is_a_mode_too() -> None:
    socket.setdefaulttimeout(3)
    try:
        with GreenSocket() as fresh:
            assert not blocks(fresh)
            fresh.settimeout(None)
            assert blocks(fresh)
    finally:
        socket.setdefaulttimeout(None)


def test_socket_made_non_blocking_by_its_type_can_be_set_back() -> None:
    with GreenSocket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as fresh:
        assert not blocks(fresh)
        fresh.setblocking(True)
        assert blocks(fresh)


def test_child_process_finds_its_end_of_a_pair_blocking(pair: Any) -> None:
    ours, theirs = pair
    command = "import os; print(os.get_blocking(0)); print(os.read(0, 9))"
    child = subprocess.Popen(
        [sys.executable, "-c", command], stdin=theirs.fileno(), stdout=subprocess.PIPE, text=True
    )
    ours.sendall(b"data")

    assert child.communicate(timeout=60)[0] == "True\nb'data'\n"


def test_used_socket_never_blocks_again(pair: Any) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"
    ours.setblocking(False)
    ours.setblocking(True)

    assert not blocks(ours)


def test_mode_changed_under_a_waiting_reader_leaves_it_parked(pair: Any) -> None:
    ours, theirs = pair
    reader = spawn(ours.recv, 10)
    sleep(0)
    ours.settimeout(30)
    ours.settimeout(None)
    theirs.send(b"x")
    second = spawn(theirs.recv, 10)
    sleep(0)

    assert (reader.wait(), blocks(ours)) == (b"x", False)
    ours.send(b"y")
    assert second.wait() == b"y"


def test_mode_of_a_file_that_a_duplicate_shares_is_left_alone() -> None:
    with GreenSocket(socket.AF_INET, socket.SOCK_DGRAM) as one, one.dup() as two:
        two.bind(("127.0.0.1", 0))
        reader = spawn(two.recv, 10)
        sleep(0)
        one.settimeout(0.0)
        one.settimeout(None)

        assert not blocks(two)
        one.sendto(b"x", two.getsockname())
        assert reader.wait() == b"x"


def test_mode_of_a_closed_socket_can_be_asked_for_and_not_set() -> None:
    closed = GreenSocket()
    closed.settimeout(4)
    closed.close()

    assert (closed.gettimeout(), closed.getblocking(), closed.timeout) == (4.0, True, 4.0)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        closed.settimeout(1)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match="Bad file descriptor"):
        closed.setblocking(False)
    assert closed.gettimeout() == 4.0


def test_mode_of_a_number_closed_by_somebody_else_cannot_be_set() -> None:
    owner = GreenSocket()
    other = GreenSocket(fileno=owner.fileno())
    owner.close()
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            other.setblocking(False)
    finally:
        other.detach()


def test_sendfile_on_a_fresh_socket_parks(pair: Any, tmp_path: Path) -> None:
    ours, theirs = pair
    path = tmp_path / "file"
    path.write_bytes(bytes(4_000_000))

    def receive() -> int:
        got = 0
        while data := theirs.recv(65536):
            got += len(data)
        return got

    receiver = spawn(receive)
    with path.open("rb") as file:
        assert ours.sendfile(file) == 4_000_000
    ours.close()
    assert receiver.wait() == 4_000_000


def test_handshake_over_a_fresh_pair_parks(pair: Any) -> None:
    ours, theirs = pair
    authority = trustme.CA()
    server_context = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = green_ssl.create_default_context()
    authority.configure_trust(client_context)
    server: Any = spawn(server_context.wrap_socket, theirs, server_side=True)
    with (
        client_context.wrap_socket(ours, server_hostname="localhost") as client,
        server.wait() as other,
    ):
        other.sendall(b"hello")
        assert client.recv(10) == b"hello"
