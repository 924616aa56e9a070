"""What arriving clients, and those who take their time, cost all others."""

from __future__ import annotations

import fcntl
import itertools
import socket
import struct
import sys
import termios
from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet._server import listener as listening
from eventlet._server.patience import WINDOW_BYTES
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn

from tests.unit.server.clock import Clock
from tests.unit.server.site import LONG, Lines, Site, listen, read_exactly, wait_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def test_a_burst_of_connections_is_accepted_a_few_at_a_time() -> None:
    listener, log = listen(), Lines()
    socks = [socket.create_connection(listener.getsockname()) for _ in range(40)]
    counts = [0]

    def count_each_turn() -> None:
        while counts[-1] < len(socks):
            counts.append(log.text.count("accepted"))
            sleep(0)

    with Site(hello, listener, log=log):
        spawn(count_each_turn).wait()
        for sock in socks:
            sock.close()

    steps = [after - before for before, after in itertools.pairwise(counts)]
    assert max(steps) <= listening.TURN_CONNECTIONS


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what it keeps as Linux does")
@pytest.mark.parametrize(
    ("limits", "limit_bytes"),
    [(wsgi.Limits(), 1536 * 1024), (wsgi.Limits(write_timeout=LONG), 384 * 1024)],
)
def test_who_does_not_read_costs_the_kernel_little(limits: wsgi.Limits, limit_bytes: int) -> None:
    served: list[Any] = []

    def large(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        served.append(environ["eventlet.input"].get_socket())
        start_response("200 OK", [])
        return [bytes(16 << 20)]

    with Site(large, limits=limits) as site, GreenSocket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(site.address)
        sock.sendall(GET)
        assert read_exactly(sock, 17) == b"HTTP/1.1 200 OK\r\n"
        sleep(0.05)  # in less, less is kept
        (kept,) = struct.unpack("i", fcntl.ioctl(served[0], termios.TIOCOUTQ, bytes(4)))
        sock.close()
        wait_until(lambda: served[0].fileno() == -1)

    assert 0 < kept < limit_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="what a kernel keeps is bounded on Linux only")
def test_who_takes_a_window_in_time_gets_all_of_a_large_response(clock: Clock) -> None:
    """A kernel that keeps megabytes asks for more when the client has taken one of them."""
    size, took_for_window = 5 << 20, 0.025

    def large(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [bytes(size)]

    taken = 0
    with Site(large, limits=wsgi.Limits(write_timeout=0.3)) as site, clock, GreenSocket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES // 4)
        sock.connect(site.address)
        sock.sendall(GET)
        while taken < size:
            piece = sock.recv(WINDOW_BYTES // 16)
            assert piece, f"cut off after {taken} bytes"
            taken += len(piece)
            clock.advance(took_for_window * len(piece) / WINDOW_BYTES)
    assert "timed out" not in site.log.text
