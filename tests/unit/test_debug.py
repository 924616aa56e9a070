"""The switches of `debug`."""

import socket
from collections.abc import Iterator

import pytest

from eventlet import debug, greenpool, tpool
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import get_hub


@pytest.fixture
def several_readers() -> Iterator[None]:
    debug.hub_prevent_multiple_readers(False)
    yield
    debug.hub_prevent_multiple_readers()


@pytest.fixture
def silence() -> Iterator[None]:
    debug.hub_exceptions(False)
    yield
    debug.hub_exceptions()


@pytest.mark.usefixtures("several_readers")
def test_several_readers_are_served_first_come_first_served() -> None:
    left, right = (GreenSocket(end) for end in socket.socketpair())
    readers = [spawn(right.recv, 1) for _ in range(3)]
    sleep(0)
    for piece in (b"a", b"b", b"c"):
        left.sendall(piece)
        sleep(0.01)
    assert [reader.wait() for reader in readers] == [b"a", b"b", b"c"]
    left.close()
    right.close()


def test_second_reader_is_an_error_again() -> None:
    left, right = (GreenSocket(end) for end in socket.socketpair())
    first = spawn(right.recv, 1)
    sleep(0)
    with pytest.raises(RuntimeError, match="hub_prevent_multiple_readers"):
        right.recv(1)
    first.kill()
    left.close()
    right.close()


@pytest.mark.usefixtures("silence")
def test_exceptions_are_silent_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert not greenpool.DEBUG
    failing = spawn(int, "x")
    with pytest.raises(ValueError, match="invalid"):
        failing.wait()
    get_hub().call_soon(int, "y")
    sleep(0)
    assert capsys.readouterr().err == ""


def test_exceptions_of_tpool_are_printed_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("in the pool")

    for state in (True, False):
        debug.tpool_exceptions(state)
        with pytest.raises(ValueError, match="in the pool"):
            tpool.execute(fail)
        printed = capsys.readouterr().err
        assert ("ValueError: in the pool" in printed) is state
    tpool.killall()
