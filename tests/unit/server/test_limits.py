"""What one client may take: time and bytes."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

from eventlet import wsgi
from eventlet._server.limits import Limits
from eventlet._server.patience import WINDOW_BYTES, Patience
from eventlet.green import ssl as green_ssl
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.server.clock import Clock
from tests.unit.server.scripted_socket import ScriptedSocket
from tests.unit.server.site import (
    LONG,
    PATIENCE,
    Site,
    listen,
    parse_replies,
    read_to_end,
    read_until,
    wait_until,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"%d bytes" % len(body)]


def never_asked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    raise AssertionError("the request should have been refused")


@contextmanager
def full_pair() -> Iterator[tuple[GreenSocket, GreenSocket]]:
    """Two connected sockets; the first has no room for one byte more."""
    ours, theirs = (GreenSocket(sock) for sock in socket.socketpair())
    with ours, theirs:
        theirs.settimeout(PATIENCE)
        ours.settimeout(0.0)
        with suppress(BlockingIOError):
            while True:
                ours.send(b"x" * 100)
        ours.settimeout(None)
        yield ours, theirs


# --- time --------------------------------------------------------------------------------------


def test_the_idle_time_out_bounds_each_wait_for_a_request(clock: Clock) -> None:
    with Site(echo, limits=Limits(idle_timeout=0.1)) as site, clock, site.connect() as sock:
        clock.wait_until(lambda: "accepted" in site.log.text)
        clock.advance(0)
        for _ in range(2):
            clock.advance(0.06)
            sock.sendall(GET)
            read_until(sock, b"0 bytes")
        clock.advance(0.11)
        assert read_to_end(sock) == b""


def test_a_number_for_keepalive_comes_before_the_idle_time_out() -> None:
    limits = Limits(idle_timeout=60)
    with Site(echo, keepalive=0.05, limits=limits) as site, site.connect() as sock:
        assert read_to_end(sock) == b""


def test_a_body_that_does_not_come_is_a_408() -> None:
    with Site(echo, limits=Limits(body_timeout=0.05)) as site, site.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345")
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.status == 408
    assert "Traceback" not in site.log.text


def test_a_body_that_trickles_is_a_408() -> None:
    with Site(echo, limits=Limits(body_timeout=0.1)) as site, site.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(30):
            try:
                sock.sendall(b"x")
            except OSError:
                break
            sleep(0.01)
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.status == 408


def test_the_time_for_a_body_begins_anew_with_each_window() -> None:
    now = ScriptedSocket([b"x" * WINDOW_BYTES, b"y", b"z"])
    patience = Patience(now, Limits(body_timeout=500.0))

    for _ in range(3):
        patience.receive(WINDOW_BYTES)

    assert now.timeouts[0] == 500.0
    assert len(now.timeouts) > 1
    assert all(400.0 < seconds < 500.0 for seconds in now.timeouts[1:] if seconds)


BIG = 1_500_000


def big_list(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Connection", "close")])
    return [b"x" * BIG]


def big_file(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the server
    file.write(b"x" * BIG)
    file.seek(0)
    start_response("200 OK", [("Connection", "close")])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
    return wrapped


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    def get_environ(self) -> dict[str, Any]:
        return super().get_environ()


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Classic])
@pytest.mark.parametrize("app", [big_list, big_file])
@pytest.mark.parametrize("limits", [Limits(), Limits(idle_timeout=5.0)])
def test_a_response_may_take_longer_than_the_time_out_of_the_socket(
    limits: Limits, app: Any, protocol: Any, clock: Clock
) -> None:
    listener = listen()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
    site = Site(app, listener, socket_timeout=0.1, limits=limits, protocol=protocol)
    with site, clock, GreenSocket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
        sock.connect(site.address)
        sock.sendall(GET)
        taken = 0
        while data := sock.recv(100_000):
            taken += data.count(b"x")
            clock.advance(0.3 * len(data) / BIG)

    assert taken == BIG


def test_a_client_that_takes_no_response_is_given_up() -> None:
    def big(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"x" * 20_000_000

    with Site(big, limits=Limits(write_timeout=0.05)) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: "timed out" in site.log.text)
        assert len(read_to_end(sock)) < 20_000_000


def test_a_client_that_takes_a_little_at_a_time_is_served(clock: Clock) -> None:
    def big(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Connection", "close")])
        yield b"x" * 3_000_000

    limits = Limits(write_timeout=0.2, idle_timeout=5.0)
    with Site(big, limits=limits) as site, clock, site.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(GET)
        taken = 0
        while data := sock.recv(200_000):
            taken += len(data)
            clock.advance(0.6 * len(data) / 3_000_000)

    assert taken > 3_000_000


def test_the_first_wait_of_a_response_is_bounded_too() -> None:
    with full_pair() as (sock, _):
        patience = Patience(sock, Limits(write_timeout=0.05, idle_timeout=LONG))
        patience.use(patience.idle)

        with Timeout(PATIENCE), pytest.raises(TimeoutError):
            patience.sendall(b"x")


@pytest.mark.parametrize("seconds", [None, LONG])
def test_sending_may_wait_for_longer_than_a_request(seconds: float | None) -> None:
    limits = Limits(write_timeout=seconds, idle_timeout=0.05)
    with full_pair() as (sock, peer):
        patience = Patience(sock, limits)
        patience.use(patience.idle)

        thread = spawn(patience.sendall, b"last")
        sleep(0.1)
        assert not thread.dead
        while not peer.recv(65536).endswith(b"last"):
            pass
        thread.wait()


def test_a_socket_given_away_sends_as_long_as_it_is_meant_to() -> None:
    with full_pair() as (sock, _):
        sock.settimeout(0.05)
        patience = Patience(sock, Limits(write_timeout=LONG, idle_timeout=1.0), 0.05)
        patience.release()

        with Timeout(PATIENCE), pytest.raises(TimeoutError):
            sock.sendall(b"x")


def test_a_response_that_goes_out_at_once_costs_no_change_of_the_time_out() -> None:
    changes = []

    class Watched(GreenSocket):
        def settimeout(self, value: float | None) -> None:
            changes.append(value)
            super().settimeout(value)

    ours, theirs = socket.socketpair()
    with theirs, Watched(ours) as sock:
        patience = Patience(sock, Limits(write_timeout=1.0, idle_timeout=2.0))
        patience.sendall(b"whole")

        assert theirs.recv(10) == b"whole"
    assert changes == []


def test_a_socket_of_another_kind_has_its_time_out_set() -> None:
    sock = ScriptedSocket()
    patience = Patience(sock, Limits(write_timeout=1.0, idle_timeout=2.0))

    patience.sendall(b"whole")

    assert (sock.sent, sock.timeouts) == ([b"whole"], [1.0])


def test_the_socket_is_given_away_with_the_time_out_it_is_meant_to_have() -> None:
    seen = []

    def takes_over(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["eventlet.input"].get_socket().gettimeout())
        return echo(environ, start_response)

    for socket_timeout in (None, 7.0):
        limits = Limits(idle_timeout=3.0, write_timeout=2.0)
        with Site(takes_over, limits=limits, socket_timeout=socket_timeout) as site:
            assert site.reply(GET).status == 200

    assert seen == [None, 7.0]


def test_deadlines_hold_under_tls(clock: Clock) -> None:
    authority = trustme.CA()
    server_side = green_ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = green_ssl.create_default_context()
    authority.configure_trust(client_side)
    listener = server_side.wrap_socket(listen(), server_side=True, do_handshake_on_connect=False)
    size = 8_000_000

    def big(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(size))])
        yield b"x" * size

    limits = Limits(idle_timeout=0.2, write_timeout=0.3, body_timeout=1.0)
    with Site(big, listener, limits=limits) as site, clock:

        def connect() -> Any:
            plain = GreenSocket()
            plain.connect(site.address)
            return client_side.wrap_socket(plain, server_hostname="localhost")

        with connect() as quick, connect() as stubborn:
            stubborn.sendall(GET)
            for _ in range(2):
                quick.sendall(GET)
                left = size
                while left > 0:
                    left -= quick.recv(200_000).count(b"x")
            clock.advance(0.25)
            assert quick.recv(1) == b""  # idle for too long
            clock.advance(0.1)
            clock.wait_until(lambda: site.log.text.count("timed out") == 2)
            received = 0
            with suppress(OSError):
                while data := stubborn.recv(200_000):
                    received += len(data)
            assert received < size


# --- bytes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "head", "status"),
    [
        (Limits(request_line_bytes=20), b"GET /" + b"a" * 20 + b" HTTP/1.1", 414),
        (Limits(header_line_bytes=20), b"GET / HTTP/1.1\r\nX: " + b"a" * 20, 400),
        (Limits(headers_bytes=30), b"GET / HTTP/1.1" + b"\r\nX: 45678" * 4, 400),
        (Limits(header_count=3), b"GET / HTTP/1.1" + b"\r\nX: 45678" * 4, 431),
        (Limits(requires_host=True), b"GET / HTTP/1.1\r\nX: y", 400),
        (Limits(body_bytes=9), b"POST / HTTP/1.1\r\nContent-Length: 10", 413),
    ],
)
def test_a_request_over_a_limit_is_refused(limits: Limits, head: bytes, status: int) -> None:
    with Site(never_asked, limits=limits) as site:
        (reply,) = site.replies(head + b"\r\n\r\n")

    assert reply.status == status


@pytest.mark.parametrize(
    ("limits", "head"),
    [
        (Limits(header_count=300), b"GET / HTTP/1.1" + b"\r\nX: 45678" * 300),
        (Limits(header_line_bytes=20000), b"GET / HTTP/1.1\r\nX: " + b"a" * 15000),
        (Limits(requires_host=True), b"GET / HTTP/1.0\r\nX: y"),
        (Limits(requires_host=True), b"GET / HTTP/1.1\r\nHost: a"),
    ],
)
def test_a_request_within_the_limits_is_served(limits: Limits, head: bytes) -> None:
    with Site(echo, limits=limits) as site:
        assert site.reply(head + b"\r\n\r\n").status == 200


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
def test_chunks_count_together(size: int, status: int) -> None:
    chunks = b"1\r\nx\r\n" * size + b"0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Site(echo, limits=Limits(body_bytes=10)) as site:
        (reply,) = site.replies(head + chunks)

    assert reply.status == status
    assert "Traceback" not in site.log.text


def test_nobody_is_told_to_continue_with_a_body_that_is_too_long() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
    with Site(never_asked, limits=Limits(body_bytes=10)) as site:
        raw = site.exchange(head)

    assert raw.startswith(b"HTTP/1.0 413 Content Too Large\r\n")


@pytest.mark.parametrize("name", ["idle_timeout", "head_timeout", "write_timeout", "body_bytes"])
def test_a_negative_limit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative, as -1 is"):
        Limits(**{name: -1})  # type: ignore[arg-type]  # a number for each


@pytest.mark.parametrize("name", ["keepalive", "socket_timeout"])
def test_a_negative_time_is_refused_before_anything_is_served(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative, as -0.5 is"):
        wsgi.Server(None, None, echo, **{name: -0.5})  # type: ignore[arg-type]  # one of many


def test_the_limits_are_public() -> None:
    assert wsgi.Limits is Limits
