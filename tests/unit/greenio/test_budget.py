"""Whoever uses up the I/O budget yields, and an interrupt then loses no data."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import get_hub
from eventlet.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]

RECEIVERS: dict[str, Callable[[GreenSocket], bytes]] = {
    "recv": lambda sock: sock.recv(5),
    "recv with flags": lambda sock: sock.recv(5, socket.MSG_WAITALL),
    "recvfrom": lambda sock: sock.recvfrom(5)[0],
    "recvmsg": lambda sock: bytes(sock.recvmsg(5)[0]),
}


@pytest.fixture
def pair() -> Iterator[Pair]:
    left, right = (GreenSocket(each) for each in socket.socketpair())
    with left, right:
        left.settimeout(60)
        yield left, right


def with_no_budget_left(call: Callable[[], Any]) -> Any:
    """Make a call that yields first, under a time-out that is due then."""
    get_hub().budget = 0
    with Timeout(0):
        return call()


@pytest.mark.parametrize("receive", RECEIVERS.values(), ids=list(RECEIVERS))
def test_an_interrupted_yield_loses_nothing_that_was_sent(
    receive: Callable[[GreenSocket], bytes], pair: Pair
) -> None:
    left, right = pair
    right.sendall(b"0123456789")
    left.recv(0)

    with pytest.raises(Timeout):
        with_no_budget_left(lambda: receive(left))

    assert receive(left) == b"01234"


def test_an_interrupted_yield_leaves_the_buffer_untouched(pair: Pair) -> None:
    left, right = pair
    right.sendall(b"0123456789")
    left.recv(0)
    buffer = bytearray(5)

    with pytest.raises(Timeout):
        with_no_budget_left(lambda: left.recv_into(buffer))
    untouched = bytes(buffer)

    assert left.recv_into(buffer) == 5
    assert (untouched, bytes(buffer)) == (bytes(5), b"01234")


def test_an_interrupted_yield_has_sent_nothing(pair: Pair) -> None:
    left, right = pair
    left.send(b"first ")

    with pytest.raises(Timeout):
        with_no_budget_left(lambda: left.send(b"lost"))
    left.send(b"second")

    assert right.recv(100) == b"first second"


def test_an_interrupted_yield_leaves_the_connection_to_the_next_accept() -> None:
    with GreenSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with GreenSocket() as client:
            client.connect(listener.getsockname())
            with pytest.raises(Timeout):
                with_no_budget_left(listener.accept)

            server, address = listener.accept()

            with server:
                assert address == client.getsockname()


def test_a_socket_closed_during_the_yield_is_closed(pair: Pair) -> None:
    left, right = pair
    right.sendall(b"0123456789")
    left.recv(1)
    spawn(left.close)
    get_hub().budget = 0

    with pytest.raises(OSError, match="Bad file descriptor"):
        left.recv(5)


def test_one_who_always_finds_data_lets_others_run(pair: Pair) -> None:
    left, right = pair
    turns: list[int] = []
    right.sendall(bytes(1000))

    def tick() -> None:
        while True:
            turns.append(1)
            sleep(0)

    ticker = spawn(tick)
    for _ in range(1000):
        left.recv(1)
    ticker.kill()

    assert len(turns) >= 1000 // 64 - 1
