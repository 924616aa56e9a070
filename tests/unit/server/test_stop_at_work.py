"""A stop loses no request of a client that is at work; those long idle do not hold it up."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eventlet import wsgi
from eventlet._core.scope import CancelScope
from eventlet._server import listener as listening
from eventlet._server.activity import LAST_SECONDS
from eventlet._unpatched import monotonic
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn

from tests.unit.server.clock import Clock
from tests.unit.server.site import (
    LONG,
    PATIENCE,
    Lines,
    listen,
    parse_replies,
    read_to_end,
    read_until,
    reset,
    wait_until,
    wait_until_read,
)
from tests.unit.server.test_stop import Gate, Stoppable

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class LineByLine(wsgi.HttpProtocol):
    """Overrides a reading method, so that it is served by the other path."""

    def parse_request(self) -> bool:
        return super().parse_request()


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def writes(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Send the head before the body is returned."""
    start_response("200 OK", [("Content-Length", "5")])(b"hell")
    return [b"o"]


@pytest.fixture(params=[wsgi.HttpProtocol, LineByLine])
def protocol(request: pytest.FixtureRequest) -> Any:
    return request.param


class Served:
    """Says hello, and keeps the sockets on which it did."""

    def __init__(self) -> None:
        self.socks: list[GreenSocket] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.socks.append(environ["eventlet.input"].get_socket())
        return hello(environ, start_response)


def wait_for_backlog(listener: GreenSocket, count: int) -> None:
    """Let nobody run until so many connections wait to be accepted, where the kernel tells."""
    deadline = monotonic() + PATIENCE
    while sys.platform == "linux":
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
        if struct.unpack("I", info[24:])[0] >= count:  # of a listening socket, its backlog
            return
        assert monotonic() < deadline


def ask(sock: GreenSocket) -> None:
    sock.sendall(GET)
    read_until(sock, b"hello")


@pytest.mark.usefixtures("long_moments")
@pytest.mark.parametrize("app", [hello, writes])
def test_who_was_answered_just_now_may_ask_once_more(
    protocol: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlet._server.closing.LINGER_SECONDS", LONG)
    with Stoppable(app, protocol=protocol) as site, site.connect() as sock:
        ask(sock)
        site.server.stop()
        sleep(0.05)
        sock.sendall(GET)
        (reply,) = parse_replies(read_to_end(sock))
        sock.close()
        site.wait()

    assert (reply.body, reply.headers["Connection"]) == (b"hello", "close")


@pytest.mark.usefixtures("long_moments")
def test_clients_of_a_unix_socket_may_ask_once_more_too(tmp_path: Path) -> None:
    listener = listen(socket.AF_UNIX, str(tmp_path / "socket"))
    with Stoppable(hello, listener) as site, site.connect() as sock:
        ask(sock)
        site.server.stop()
        sleep(0.02)
        sock.sendall(GET)
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.headers["Connection"] == "close"


@pytest.mark.usefixtures("long_moments")
def test_who_does_not_ask_within_a_moment_is_closed(
    protocol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LAST_SECONDS", 0.1)
    with Stoppable(hello, protocol=protocol) as site, site.connect() as sock:
        ask(sock)
        began = monotonic()
        site.server.stop()
        assert sock.recv(1) == b""
        took = monotonic() - began
        site.wait()

    assert took > 0.08


@pytest.mark.usefixtures("long_moments")
def test_a_grace_shorter_than_the_moment_rules() -> None:
    with Stoppable(hello) as site, site.connect() as sock:
        ask(sock)
        began = monotonic()
        site.server.stop(0.1)
        site.wait()
        took = monotonic() - began
        assert read_to_end(sock) == b""

    assert took > 0.08
    assert "killed" not in site.log.text  # it served nothing


@pytest.mark.usefixtures("long_moments")
def test_a_stop_without_grace_ends_a_moment_that_has_begun() -> None:
    with Stoppable(hello) as site, site.connect() as sock:
        ask(sock)
        site.server.stop()
        wait_until(lambda: site.listener.fileno() == -1)
        site.server.stop(0)
        site.wait()


@pytest.mark.usefixtures("long_moments")
def test_long_idle_clients_do_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stoppable(hello) as site:
        socks = [site.connect() for _ in range(20)]
        for sock in socks:
            ask(sock)
        monkeypatch.setattr(listening, "YOUNG_SECONDS", 0.0)
        site.server.stop()
        site.wait()
        assert [sock.recv(1) for sock in socks] == [b""] * 20
        for sock in socks:
            sock.close()


def test_who_has_begun_to_ask_may_finish(protocol: Any, clock: Clock) -> None:
    """The beginning was read already, so nothing of it waits in the kernel."""
    served = Served()
    with Stoppable(served, protocol=protocol) as site, clock, site.connect() as sock:
        ask(sock)
        clock.advance(listening.YOUNG_SECONDS + 0.1)
        sock.sendall(GET[:9])
        wait_until_read(served.socks[0])
        site.server.stop()
        clock.wait_until(lambda: site.listener.fileno() == -1)
        sock.sendall(GET[9:])
        (reply,) = parse_replies(read_to_end(sock))

    assert (reply.body, reply.headers["Connection"]) == (b"hello", "close")


def test_who_begins_to_ask_just_before_the_end_of_the_moment_may_finish(
    protocol: Any, clock: Clock
) -> None:
    served = Served()
    with Stoppable(served, protocol=protocol) as site, clock, site.connect() as sock:
        ask(sock)
        site.server.stop()
        clock.wait_until(lambda: site.listener.fileno() == -1)
        clock.advance(0.6 * LAST_SECONDS)
        sock.sendall(GET[:9])
        wait_until_read(served.socks[0])
        clock.advance(0.6 * LAST_SECONDS)
        sock.sendall(GET[9:])
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.body == b"hello"


@pytest.mark.usefixtures("long_moments")
def test_a_promise_to_keep_the_connection_holds_for_one_request(protocol: Any) -> None:
    """The head was sent before the stop, without `Connection: close`."""
    gate = Gate()

    def halfway(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])(b"hel")
        gate(environ, lambda *_: None)
        return [b"lo"]

    with Stoppable(halfway, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        read_until(sock, b"hel")
        site.server.stop()
        wait_until(lambda: site.listener.fileno() == -1)
        gate.is_open = True
        read_until(sock, b"lo")
        sleep(0.02)
        sock.sendall(GET)
        (reply,) = parse_replies(read_to_end(sock))
        sock.close()
        site.wait()

    assert (reply.body, reply.headers["Connection"]) == (b"hello", "close")


@pytest.mark.usefixtures("long_moments")
def test_a_promise_nobody_uses_holds_up_nothing_for_long(
    protocol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("connection", "http_protocol"):
        monkeypatch.setattr(f"eventlet._server.{module}.LAST_SECONDS", 0.05)
    gate = Gate()

    def halfway(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])(b"hello")
        return gate(environ, lambda *_: None) and []

    with Stoppable(halfway, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello")
        site.server.stop()
        wait_until(lambda: site.listener.fileno() == -1)
        gate.is_open = True
        assert read_to_end(sock) == b""


@pytest.mark.usefixtures("long_moments")
def test_who_is_connected_but_not_accepted_yet_is_answered() -> None:
    with Stoppable(hello) as site:
        socks = [socket.create_connection(site.address) for _ in range(20)]
        wait_for_backlog(site.listener, 20)
        site.server.stop()
        wait_until(lambda: site.listener.fileno() == -1)
        for sock in socks:
            sock.sendall(GET)
        green = [GreenSocket(sock) for sock in socks]
        replies = [parse_replies(read_to_end(sock))[0] for sock in green]
        for each in green:
            each.close()

    assert [reply.body for reply in replies] == [b"hello"] * 20
    assert {reply.headers["Connection"] for reply in replies} == {"close"}


def test_no_more_are_accepted_by_a_stop_than_there_are_places_for() -> None:
    gate = Gate()
    with Stoppable(gate, max_size=2) as site:
        copy = site.listener.dup()
        socks = [site.connect() for _ in range(6)]
        for sock in socks:
            sock.sendall(GET)
        wait_until(lambda: gate.waiting == 2 and site.log.text.count("accepted") == 3)
        site.server.stop()
        wait_until(lambda: site.listener.fileno() == -1)
        others = [copy.accept()[0] for _ in range(3)]  # somebody else listens there too
        gate.is_open = True
        site.wait()
        for sock in (*socks, *others, copy):
            sock.close()

    assert site.log.text.count("accepted") == 3


def test_a_cancelled_scope_and_a_stop_at_once_still_wait_for_requests() -> None:
    """What one of them interrupts, the other does not interrupt again."""
    gate, scope, log, listener = Gate(), CancelScope(), Lines(), listen()
    server = wsgi.Server(listener, listener.getsockname(), gate, log)

    def serve() -> None:
        with scope:
            server.serve()

    thread = spawn(serve)
    with GreenSocket() as sock:
        sock.connect(listener.getsockname())
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        scope.cancel()
        server.stop()
        sleep(0.02)
        assert not thread.dead

        gate.is_open = True
        (reply,) = parse_replies(read_to_end(sock))
    thread.wait()

    assert reply.body == b"hello"
    assert "do not end" not in log.text


@pytest.mark.usefixtures("long_moments")
def test_requests_of_clients_at_work_survive_one_server_after_another() -> None:
    """Kept connections, asked on again and again: none is closed without having been told."""
    listener = listen()
    is_over = False
    answers: list[str] = []

    def client() -> None:
        sock: GreenSocket | None = None
        while not is_over:
            if sock is None:
                sock = GreenSocket()
                sock.settimeout(PATIENCE)
                sock.connect(listener.getsockname())
            sock.sendall(GET)
            head = read_until(sock, b"hello").partition(b"\r\n\r\n")[0]
            answers.append("close" if b"Connection: close" in head else "keep")
            if answers[-1] == "close":
                sock.close()
                sock = None
            sleep(0.003)
        if sock is not None:
            reset(sock)

    def wait_for_answers(count: int) -> None:
        wait_until(lambda: answers.count("keep") >= count)

    pool = GreenPool()
    clients = [pool.spawn(client) for _ in range(10)]
    for i in range(1, 11):
        with Stoppable(hello, listener.dup()) as site:
            wait_for_answers(20 * i)
            site.server.stop()
            site.wait()
    with Stoppable(hello, listener.dup()):
        is_over = True
        for each in clients:
            each.wait()
    listener.close()

    assert answers.count("close") >= 10
