"""`Server.serve` and `Server.stop`."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import pytest

from eventlet import wsgi
from eventlet._server import listener as listening
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.greenthread import GreenThread, sleep, spawn
from eventlet.timeout import Timeout

from tests.isolated_runner import run_isolated
from tests.unit.server.site import (
    PATIENCE,
    Lines,
    Site,
    listen,
    parse_replies,
    read_to_end,
    read_until,
    wait_until,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


class Gate:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.waiting = 0
        self.is_open = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.waiting += 1
        try:
            while not self.is_open:
                sleep(0.001)
        finally:
            self.waiting -= 1
        return hello(environ, start_response)


class Stoppable(Site):
    """A site that is served by a `Server`, which can be told to end."""

    thread: GreenThread

    def __enter__(self) -> Self:
        self.server = wsgi.Server(self.listener, self.address, self.app, self.log, **self.options)
        self.thread = spawn(self.server.serve)
        sleep(0)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.stop(0)
        self.wait()

    def wait(self) -> Any:
        with Timeout(PATIENCE):
            return self.thread.wait()


def test_who_comes_after_the_stop_is_refused_while_requests_finish() -> None:
    gate = Gate()
    with Stoppable(gate) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        site.server.stop()
        wait_until(lambda: site.listener.fileno() == -1)
        with GreenSocket() as late, pytest.raises(ConnectionRefusedError):
            late.connect(site.address)

        gate.is_open = True
        (reply,) = parse_replies(read_to_end(sock))
        site.wait()

    assert reply.body == b"hello"


def test_serve_returns_when_stopped() -> None:
    with Stoppable(hello) as site:
        assert site.reply(GET).body == b"hello"
        site.server.stop()

        assert site.wait() is None
        assert site.listener.fileno() == -1
    assert "wsgi exited, is_accepting=True" in site.log.text


def test_stop_closes_idle_connections_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "YOUNG_SECONDS", 0.0)
    with Stoppable(hello) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello")
        site.server.stop()

        assert sock.recv(1) == b""


def test_what_is_in_flight_is_finished_and_says_close() -> None:
    gate = Gate()
    with Stoppable(gate) as site, site.connect() as sock:
        sock.sendall(GET * 2)
        wait_until(lambda: gate.waiting == 1)
        site.server.stop()
        sleep(0.01)
        gate.is_open = True
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.body == b"hello"
    assert reply.headers["Connection"] == "close"


def test_who_is_still_served_when_the_grace_is_over_is_killed() -> None:
    gate = Gate()
    with Stoppable(gate) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        site.server.stop(0.05)
        site.wait()

        assert gate.waiting == 0
        assert read_to_end(sock) == b""
    assert "killed 1 connection\n" in site.log.text


class OwnProtocol(wsgi.HttpProtocol):
    """One with an override, so that requests are read line by line."""

    def get_environ(self) -> Any:
        return super().get_environ()


@pytest.mark.parametrize("request_line", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, OwnProtocol])
def test_who_is_killed_waits_for_nobody(protocol: Any, request_line: bytes) -> None:
    """The client neither reads nor closes."""
    began = []

    def flood(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        while True:
            began.append(1)
            yield bytes(100_000)

    pool = GreenPool()
    is_asked = request_line.endswith(b"\r\n\r\n")
    with Stoppable(flood, protocol=protocol, custom_pool=pool) as site, site.connect() as sock:
        sock.sendall(request_line)
        wait_until(lambda: len(began) > 1 if is_asked else pool.running() == 1)
        site.server.stop(0.0)
        site.wait()
        assert "though killed" not in site.log.text
        assert "ended without ceremony" not in site.log.text


def test_a_second_stop_shortens_the_grace_and_never_lengthens_it() -> None:
    gate = Gate()
    with Stoppable(gate) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        site.server.stop()
        sleep(0.01)
        site.server.stop(0.02)
        site.server.stop(1000)
        site.wait()


def test_who_survives_being_killed_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "KILLED_SECONDS", 0.02)
    gate = Gate()

    def stubborn(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        while True:
            try:
                return gate(environ, start_response)
            except BaseException:
                if gate.is_open:
                    raise

    with Stoppable(stubborn) as site, site.connect() as sock:
        sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1)
        site.server.stop(0.0)
        site.wait()
        gate.is_open = True
        assert read_to_end(sock).endswith(b"hello")
    assert "1 connections do not end, though killed" in site.log.text


def test_a_connection_marked_idle_is_not_waited_for() -> None:
    entered = []

    def takes_over(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.set_idle"]()
        entered.append(1)
        sock = environ["eventlet.input"].get_socket()
        while sock.recv(1) != b"":
            pass
        wsgi.WSGI_LOCAL.already_handled = True
        return []

    with Stoppable(takes_over) as site, site.connect() as sock:
        sock.sendall(GET + b"and")
        wait_until(lambda: bool(entered))
        site.server.stop()
        site.wait()
        assert read_to_end(sock) == b""


def test_a_stop_before_serving_ends_it_at_once() -> None:
    sock = listen()
    server = wsgi.Server(sock, sock.getsockname(), hello, Lines())

    server.stop()
    server.serve()

    assert sock.fileno() == -1


def test_an_application_may_stop_its_server() -> None:
    def last_words(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        site.server.stop()
        return hello(environ, start_response)

    with Stoppable(last_words) as site:
        (reply,) = site.replies(GET)
        site.wait()

    assert reply.body == b"hello"


def test_who_waits_for_a_place_when_all_ends_gets_one() -> None:
    gate = Gate()
    with Stoppable(gate, max_size=1) as site, site.connect() as first, site.connect() as second:
        for sock in (first, second):
            sock.sendall(GET)
        wait_until(lambda: gate.waiting == 1 and site.log.text.count("accepted") == 2)
        site.server.stop()
        sleep(0.01)
        gate.is_open = True
        replies = [parse_replies(read_to_end(sock)) for sock in (first, second)]

    assert [[reply.body for reply in each] for each in replies] == [[b"hello"], [b"hello"]]


@pytest.mark.parametrize("busy", [False, True])
def test_a_signal_handler_may_stop_it(busy: bool) -> None:
    """Wherever the handler finds the process: in the hub's poll, or in an application."""
    script = f"""
import os, signal
import eventlet
from eventlet import wsgi
from eventlet.green import socket

def app(environ, start_response):
    if {busy}:
        os.kill(os.getpid(), signal.SIGTERM)
    start_response("200 OK", [])
    return [b"hello"]

listener = eventlet.listen(("127.0.0.1", 0))
server = wsgi.Server(listener, listener.getsockname(), app, log_output=False)
signal.signal(signal.SIGTERM, lambda *_: server.stop(50))

def client():
    with socket.create_connection(listener.getsockname()) as sock:
        sock.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
        while sock.recv(4096):
            pass
    if not {busy}:
        signal.setitimer(signal.ITIMER_REAL, 0.05)

signal.signal(signal.SIGALRM, lambda *_: server.stop(50))
eventlet.spawn(client)
server.serve()
print("ended in peace")
"""
    assert run_isolated(script).stdout == "ended in peace\n"
