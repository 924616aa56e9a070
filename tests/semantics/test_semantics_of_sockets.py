"""Semantics 20 to 22: who waits for a descriptor, descriptors used again, green sockets.

Written as a program for the old library would be: through public names only.
"""

from __future__ import annotations

import errno
import os
import select
import socket as plain_socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import eventlet
from eventlet import debug, greenio, hubs
from eventlet.green import socket

from tests.semantics.calls import error_of

Pair = tuple[Any, Any]


@pytest.fixture
def pair() -> Iterator[Pair]:
    left, right = socket.socketpair()
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def tcp() -> Iterator[Pair]:
    listener = eventlet.listen(("127.0.0.1", 0))
    client = eventlet.connect(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    yield client, server
    client.close()
    server.close()


@pytest.fixture
def several_readers() -> Iterator[None]:
    debug.hub_prevent_multiple_readers(False)
    yield
    debug.hub_prevent_multiple_readers(True)


def fill(sock: Any) -> None:
    """Write until nothing more fits."""
    with eventlet.Timeout(0.02, False):
        while True:
            sock.send(bytes(65536))


# -- 20: one reader and one writer per fd; the second reader alone gets the error -------------


def test_semantic_20_one_reader_and_one_writer_are_normal(pair: Pair) -> None:
    left, right = pair
    fill(left)
    writer = eventlet.spawn(left.send, b"x")
    reader = eventlet.spawn(left.recv, 1)
    eventlet.sleep(0)

    right.send(b"y")
    while not writer.dead:
        right.recv(1 << 20)
        eventlet.sleep(0)

    assert (reader.wait(), writer.wait()) == (b"y", 1)


def test_semantic_20_the_second_reader_alone_gets_the_error(pair: Pair) -> None:
    left, right = pair
    first = eventlet.spawn(right.recv, 1)
    eventlet.sleep(0)

    with pytest.raises(RuntimeError, match="simultaneous read") as caught:
        right.recv(1)
    left.send(b"x")

    assert first.wait() == b"x"
    assert str(caught.value).startswith(
        f"Second simultaneous read on fileno {right.fileno()} detected."
    )


def test_semantic_20_the_second_listener_alone_gets_the_error(pair: Pair) -> None:
    left, right = pair
    hub = hubs.get_hub()
    first = eventlet.spawn(hubs.trampoline, right, read=True)
    eventlet.sleep(0)

    with pytest.raises(RuntimeError):
        hubs.trampoline(right, read=True)
    with pytest.raises(RuntimeError):
        hub.add(hub.READ, right.fileno(), pytest.fail, pytest.fail, lambda: None)
    left.send(b"x")

    assert first.wait() == right.fileno()
    assert right.recv(1) == b"x"


@pytest.mark.usefixtures("several_readers")
def test_semantic_20_secondaries_are_promoted_in_order(pair: Pair) -> None:
    left, right = pair
    order: list[tuple[int, bytes]] = []

    def read(number: int) -> None:
        order.append((number, right.recv(1)))

    readers = [eventlet.spawn(read, number) for number in range(3)]
    eventlet.sleep(0)
    for letter in (b"a", b"b", b"c"):
        left.send(letter)
        eventlet.sleep(0)
        eventlet.sleep(0)
        eventlet.sleep(0)
    for reader in readers:
        reader.wait()

    assert order == [(0, b"a"), (1, b"b"), (2, b"c")]


@pytest.mark.usefixtures("several_readers")
def test_semantic_20_a_killed_reader_leaves_its_place_to_a_secondary(pair: Pair) -> None:
    left, right = pair
    first = eventlet.spawn(right.recv, 1)
    second = eventlet.spawn(right.recv, 1)
    eventlet.sleep(0)

    eventlet.kill(first)
    left.send(b"x")

    with eventlet.Timeout(5):
        assert second.wait() == b"x"


# -- 21: fd recycling and close() wake or defang stale waiters promptly -----------------------


def test_semantic_21_close_wakes_the_reader_and_the_writer_promptly(pair: Pair) -> None:
    left, _right = pair
    fill(left)

    reader = eventlet.spawn(error_of, left.recv, 1)
    writer = eventlet.spawn(error_of, left.send, b"x")
    eventlet.sleep(0)
    left.close()

    with eventlet.Timeout(1):
        assert (reader.wait().errno, writer.wait().errno) == (errno.EBADF, errno.EBADF)


def test_semantic_21_a_recycled_number_wakes_its_old_waiter_promptly() -> None:
    reader, writer = os.pipe()
    told: list[str] = []

    def wait() -> None:
        with pytest.raises(hubs.IOClosed) as caught:
            hubs.trampoline(reader, read=True, mark_as_closed=lambda: told.append("closed"))
        told.append(f"raised {caught.value.errno == errno.ENOTCONN}")

    thread = eventlet.spawn(wait)
    eventlet.sleep(0)
    os.close(reader)
    other_reader, other_writer = os.pipe()
    assert other_reader == reader
    hubs.notify_opened(other_reader)
    with eventlet.Timeout(1):
        thread.wait()
    os.write(other_writer, b"for the new one")

    assert told == ["closed", "raised True"]
    hubs.trampoline(other_reader, read=True)
    assert os.read(other_reader, 100) == b"for the new one"
    for fd in (writer, other_reader, other_writer):
        os.close(fd)


def test_semantic_21_a_socket_that_is_forgotten_never_closes_a_number_used_again() -> None:
    left, right = socket.socketpair()
    number = left.fileno()
    left.close()
    reader, writer = os.pipe()
    assert number in (reader, writer)

    left.close()
    del left

    assert os.fstat(number)
    for fd in (reader, writer):
        os.close(fd)
    right.close()


def test_semantic_21_a_pipe_closed_twice_never_closes_a_number_used_again() -> None:
    reader, writer = os.pipe()
    pipe: Any = greenio.GreenPipe(reader, "rb")
    pipe.close()
    again = os.dup(writer)
    assert again == reader

    pipe.close()
    del pipe

    assert os.fstat(again)
    os.close(again)
    os.close(writer)


def test_semantic_21_data_for_a_recycled_number_goes_to_its_new_owner_alone() -> None:
    left, right = socket.socketpair()
    stale = eventlet.spawn(error_of, right.recv, 10)
    eventlet.sleep(0)
    number = right.fileno()
    right.close()
    other_left, other_right = socket.socketpair()
    assert number in (other_left.fileno(), other_right.fileno())
    other_left.send(b"one")
    other_right.send(b"two")

    assert (other_right.recv(10), other_left.recv(10)) == (b"one", b"two")
    assert stale.wait().errno == errno.EBADF
    for sock in (left, other_left, other_right):
        sock.close()


# -- 22: sockets -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        lambda sock: sock.recv(0),
        lambda sock: sock.recvfrom(0),
        lambda sock: sock.recv_into(bytearray(0)),
    ],
)
def test_semantic_22_zero_byte_reads_time_out(read: Callable[[Any], Any], tcp: Pair) -> None:
    client, server = tcp
    client.settimeout(0.005)

    with pytest.raises(socket.timeout):
        read(client)
    server.sendall(b"x")
    client.settimeout(5)
    read(client)

    assert client.recv(1) == b"x"


def test_semantic_22_a_reset_while_receiving_is_an_error(tcp: Pair) -> None:
    client, server = tcp
    reader = eventlet.spawn(error_of, client.recv, 1)
    eventlet.sleep(0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server.close()

    assert isinstance(reader.wait(), ConnectionResetError)


def test_semantic_22_settimeout_0_and_back(tcp: Pair) -> None:
    client, server = tcp

    client.settimeout(0)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    assert client.recv(0) == b""
    client.settimeout(None)
    reader = eventlet.spawn(client.recv, 1)
    eventlet.sleep(0)
    server.send(b"x")

    assert reader.wait() == b"x"
    assert client.gettimeout() is None


def test_semantic_22_setblocking_false_and_back(tcp: Pair) -> None:
    client, server = tcp

    client.setblocking(False)
    assert (client.gettimeout(), client.act_non_blocking) == (0.0, True)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    client.setblocking(True)
    eventlet.spawn_after(0.002, server.send, b"x")

    assert client.recv(1) == b"x"


def test_semantic_22_makefile_and_socket_close_independently(tcp: Pair) -> None:
    client, server = tcp
    number = client.fileno()
    file = client.makefile("rb")

    client.close()
    server.sendall(b"line\n")
    assert file.readline() == b"line\n"
    file.close()
    with pytest.raises(OSError):
        os.fstat(number)

    file = server.makefile("wb")
    file.close()
    assert server.fileno() >= 0


def test_semantic_22_accept_keeps_the_subclass() -> None:
    class Socket(greenio.GreenSocket):
        pass

    listener = Socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    client = eventlet.connect(listener.getsockname())
    server, _ = listener.accept()

    assert type(server) is Socket
    for sock in (listener, client, server):
        sock.close()


def test_semantic_22_the_kernels_descriptor_never_blocks(tcp: Pair) -> None:
    client, server = tcp
    plain = plain_socket.socketpair()
    wrapped = greenio.GreenSocket(plain[0])

    assert [os.get_blocking(sock.fileno()) for sock in (client, server, wrapped)] == [False] * 3
    assert select.select([], [client], [], 0)[1] == [client]
    for sock in (wrapped, *plain):
        sock.close()
