"""Applications that take a connection over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet._server.takeover import TakeOver
from eventlet.greenthread import GreenThread, getcurrent, kill, sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.server.site import PATIENCE, Site, read_to_end, read_until, wait_until
from tests.unit.server.test_stop import Stoppable

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n"


class Lines(wsgi.HttpProtocol):
    """Read line by line."""

    def parse_request(self) -> bool:
        return super().parse_request()


class Farewell:
    """Says what it is told to say, and goodbye when the server is stopped."""

    def __init__(self, last: Callable[[], object] = lambda: None) -> None:
        self.last = last
        self.threads: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        sock = environ["eventlet.input"].get_socket()

        def goodbye() -> None:
            sock.sendall(b"goodbye")
            self.last()

        environ["eventlet.on_stop"](goodbye)
        self.threads.append(getcurrent())
        sock.sendall(b"hello ")
        try:
            while sock.recv(1) != b"":
                pass
        finally:
            wsgi.WSGI_LOCAL.already_handled = True
        return []


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Lines])
def test_what_is_left_to_say_is_said_when_the_server_stops(protocol: Any) -> None:
    with Stoppable(Farewell(), protocol=protocol) as site, site.connect() as sock:
        sock.sendall(GET)
        assert read_until(sock, b"hello ") == b"hello "
        site.server.stop()
        assert read_until(sock, b"goodbye") == b"goodbye"
        sock.close()
        site.wait()


def test_killing_the_server_says_it_too() -> None:
    with Site(Farewell()) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello ")
        killing = spawn(site.stop)
        assert read_until(sock, b"goodbye") == b"goodbye"
        sock.close()
        killing.wait()


def test_even_without_a_grace_it_is_said() -> None:
    with Stoppable(Farewell()) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello ")
        site.server.stop(0)
        assert read_to_end(sock) == b"goodbye"


def test_who_does_not_end_is_killed_after_the_grace() -> None:
    farewell = Farewell()
    with Stoppable(farewell) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello ")
        site.server.stop(0.05)
        assert read_to_end(sock) == b"goodbye"
        site.wait()
    assert "killed 1 connection\n" in site.log.text


def test_who_takes_over_while_all_ends_is_told_at_once() -> None:
    def late(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        site.server.stop()
        sleep(0.01)
        return Farewell()(environ, start_response)

    with Stoppable(late) as site, site.connect() as sock:
        sock.sendall(GET)
        assert read_until(sock, b"goodbye") in {b"hello goodbye", b"goodbyehello "}
        sock.close()
        site.wait()


def test_it_can_be_taken_back() -> None:
    def changes_its_mind(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.on_stop"](lambda: said.append(1))
        environ["eventlet.on_stop"](None)
        site.server.stop()
        sleep(0.01)
        start_response("200 OK", [])
        return [b"hello"]

    said: list[int] = []
    with Stoppable(changes_its_mind) as site:
        (reply,) = site.replies(GET)
        site.wait()

    assert reply.body == b"hello"
    assert not said


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Lines])
def test_it_lasts_as_long_as_the_request(protocol: Any) -> None:
    def changes_its_mind(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.on_stop"](lambda: said.append(1))
        start_response("200 OK", [])
        return [b"hello"]

    said: list[int] = []
    with Stoppable(changes_its_mind, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello")
        site.server.stop()
        read_to_end(sock)
        site.wait()

    assert not said


def test_what_goes_wrong_there_is_logged_and_stops_nobody() -> None:
    def fail() -> None:
        raise LookupError("odd")

    with Stoppable(Farewell(fail)) as site, site.connect() as sock:
        sock.sendall(GET)
        read_until(sock, b"hello ")
        site.server.stop(0.05)
        read_to_end(sock)
        site.wait()

    assert "LookupError: odd" in site.log.text


def test_a_connection_that_no_listener_knows_has_nothing_to_say() -> None:
    said: list[int] = []
    with Stoppable(Farewell()) as site:
        site.server.call_on_stop(["nobody", None, "idle"], lambda: said.append(1))
        site.server.stop()
        site.wait()

    assert not said


# --- the log ----------------------------------------------------------------------------------


def log_of(app: Any, request: bytes = GET, **options: Any) -> list[str]:
    """Status and bytes as the access log has them, and what else it says."""
    log_format = "%(status_code)s %(body_length)s"
    with Site(app, log_format=log_format, **options) as site:
        site.exchange(request, half_close=False)
        wait_until(lambda: any(line[:3].isdigit() for line in site.log))
    return [line for line in site.log if line[:3].isdigit()]


def takes_over(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    environ["eventlet.input"].get_socket().sendall(b"odd")
    wsgi.WSGI_LOCAL.already_handled = True
    return []


def takes_over_and_tells(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    wsgi.WSGI_LOCAL.handled_status = 299
    wsgi.WSGI_LOCAL.handled_bytes = 3
    return takes_over(environ, start_response)


def takes_over_by_the_book(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("202 Accepted", [])
    yield from takes_over(environ, start_response)


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Lines])
@pytest.mark.parametrize(
    ("app", "request_bytes", "line"),
    [
        (takes_over, GET, "200 0"),
        (takes_over, UPGRADE, "101 0"),
        (takes_over_and_tells, UPGRADE, "299 3"),
        (takes_over_by_the_book, GET, "202 0"),
    ],
)
def test_the_log_has_the_status_that_the_client_got(
    app: Any, request_bytes: bytes, line: str, protocol: Any
) -> None:
    assert log_of(app, request_bytes, protocol=protocol) == [line]


@pytest.mark.parametrize("exc", [LookupError("odd"), Timeout(), OSError(5, "odd")])
def test_an_error_after_it_is_logged_and_nothing_is_sent(exc: BaseException) -> None:
    def fail(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        takes_over(environ, start_response)
        raise exc

    with Site(fail) as site:
        assert site.exchange(UPGRADE) == b"odd"
        wait_until(lambda: bool(site.log.requests))
        assert site.log.text.count("Traceback") == 1
        assert '" 101 0 ' in site.log.requests[0]


def test_one_that_is_closed_is_no_trouble() -> None:
    def closes(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        result = takes_over(environ, start_response)
        environ["eventlet.input"].get_socket().close()
        return result

    with Site(closes) as site:
        assert site.exchange(GET) == b"odd"
        wait_until(lambda: bool(site.log.requests))
        sleep(0.01)

    assert "without ceremony" not in site.log.text


def test_a_killed_one_is_logged_too() -> None:
    farewell = Farewell()
    with Site(farewell) as site, site.connect() as sock:
        sock.sendall(UPGRADE)
        read_until(sock, b"hello ")
        kill(farewell.threads[0])
        read_to_end(sock)
        wait_until(lambda: bool(site.log.requests))
        assert '" 101 0 ' in site.log.requests[0]


def test_the_flag_is_taken_once() -> None:
    taking = TakeOver()
    taking.already_handled = True
    taking.handled_status = 101

    first, second = taking.take(), taking.take()
    taking.already_handled = True
    third = taking.take()

    assert first is not None
    assert first.status == 101
    assert second is None
    assert third is not None
    assert third.status is None


def test_each_green_thread_has_its_own() -> None:
    def take() -> object:
        return taking.take()

    taking = TakeOver()
    taking.already_handled = True
    other: GreenThread = spawn(take)

    with Timeout(PATIENCE):
        assert other.wait() is None
