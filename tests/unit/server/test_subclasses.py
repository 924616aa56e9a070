"""Subclasses of `HttpProtocol` as large programs have them."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.event import Event
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn

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


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("x-address", environ["REMOTE_ADDR"])])
    return [body]


class Storage(wsgi.HttpProtocol):
    """As an object store has it: own parsing, own log, the state kept by itself."""

    default_request_version = "HTTP/1.0"

    class MessageClass(wsgi.HttpProtocol.MessageClass):  # type: ignore[misc]  # a class attribute
        def get_default_type(self) -> str:
            return ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.forwarded_for: tuple[str, str] | None = None
        wsgi.HttpProtocol.__init__(self, *args, **kwargs)

    def log_request(self, *args: Any) -> None:
        pass

    def log_message(self, format: str, *args: Any) -> None:
        self.server.log.info("ERROR WSGI: %s", format % args)

    def handle_one_request(self) -> None:
        self.conn_state[2] = wsgi.STATE_IDLE
        super().handle_one_request()

    def _read_request_line(self) -> bytes:
        line = super()._read_request_line()
        self.conn_state[2] = wsgi.STATE_REQUEST
        return line

    def parse_request(self) -> bool:
        self.command = ""
        self.close_connection = True
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self.send_error(400, f"Bad request syntax ({self.requestline!r})")
            return False
        self.command, self.path, self.request_version = words
        self.headers = http.client.parse_headers(self.rfile, _class=self.MessageClass)
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        expects = self.headers.get("Expect", "").lower() == "100-continue"
        return not expects or self.handle_expect_100()

    def get_environ(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        environ: dict[str, Any] = wsgi.HttpProtocol.get_environ(self, *args, **kwargs)
        environ["wsgi.input"].content_length = int(environ.get("CONTENT_LENGTH", 0))
        return environ


class BehindProxy(Storage):
    """The client's address comes in a line of the PROXY protocol."""

    def handle(self) -> None:
        words = self.rfile.readline(self.server.url_length_limit).split()
        if len(words) == 6 and words[0] == b"PROXY":
            self.client_address = (words[2].decode(), int(words[4]))
        else:
            self.rfile.close()
            self.send_error(400, "Invalid PROXY line")
        super().handle()


def test_an_object_store_keeps_its_connections() -> None:
    requests = b"PUT / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody" + GET * 2
    with (
        pytest.warns(DeprecationWarning, match=r"capitalize_response_headers is disabled"),
        Site(echo, protocol=Storage, capitalize_response_headers=False, socket_timeout=60.0) as s,
    ):
        raw = s.exchange(requests)

    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx-address: 127.0.0.1")
    assert raw.count(b"HTTP/1.1 200 OK") == 3
    assert b"Connection" not in raw


def test_an_object_store_logs_what_it_refuses() -> None:
    with Site(echo, protocol=Storage) as site:
        reply = site.reply(b"GET / FOO\r\n\r\n" + GET)

    assert (reply.status, reply.reason) == (400, "Bad request syntax ('GET / FOO')")
    assert "ERROR WSGI: code 400, message Bad request syntax ('GET / FOO')" in site.log.text


def test_an_object_store_behind_a_proxy() -> None:
    with Site(echo, protocol=BehindProxy) as site:
        replies = site.replies(b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 443\r\n" + GET * 2)

    assert [reply.headers["X-Address"] for reply in replies] == ["192.0.2.1"] * 2


@pytest.mark.parametrize("line", [b"", b"PROXY TCP4 junk\r\n", b"\r\n"])
def test_who_closes_its_file_is_not_read_from(line: bytes) -> None:
    with Site(echo, protocol=BehindProxy) as site:
        reply = site.reply(line + GET)

    assert (reply.status, reply.reason) == (400, "Invalid PROXY line")
    assert "Traceback" not in site.log.text


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Storage])
@pytest.mark.parametrize("moment", ["fresh", "serving", "used"])
def test_who_keeps_the_state_does_not_hold_up_the_stop(protocol: Any, moment: str) -> None:
    gate = Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/wait":
            gate.send()
            sleep(0.05)
        return echo(environ, start_response)

    listener = listen()
    server = wsgi.Server(listener, listener.getsockname(), app, Lines(), protocol=protocol)
    thread = spawn(server.serve)
    with GreenSocket() as sock:
        sock.settimeout(PATIENCE)
        sock.connect(server.address)
        if moment == "used":
            sock.sendall(GET)
            read_until(sock, b"\r\n\r\n")
        elif moment == "serving":
            sock.sendall(GET.replace(b"/ ", b"/wait "))
            gate.wait()
        else:
            wait_until(lambda: server.outstanding_requests == 1)
        server.stop()
        sleep(0.01)
        if moment != "serving":
            with suppress(OSError):
                sock.sendall(GET)
        replies = parse_replies(read_to_end(sock))

    wait_until(lambda: thread.dead)
    assert all(reply.headers["Connection"] == "close" for reply in replies[-1:])


# --- send_error ------------------------------------------------------------------------------


class OwnErrors(wsgi.HttpProtocol):
    """Has pages of its own for errors."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.send_response(code, message)
        self.send_header("X-Own", "yes")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")


@pytest.mark.parametrize(
    "request_, status",
    [
        (b"GET / FOO\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 9000), 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ],
)
def test_every_refusal_goes_through_send_error(request_: bytes, status: int) -> None:
    with Site(hello, protocol=OwnErrors) as site:
        good, bad = site.replies(GET + request_ + GET)

    assert good.status == 200
    assert (bad.status, bad.headers["X-Own"], bad.body) == (status, "yes", b"page")
    assert "Traceback" not in site.log.text


def test_a_failing_send_error_harms_one_connection() -> None:
    class Failing(wsgi.HttpProtocol):
        def send_error(
            self, code: int, message: str | None = None, explain: str | None = None
        ) -> None:
            raise ZeroDivisionError

    with Site(hello, protocol=Failing) as site:
        assert site.exchange(b"GET / FOO\r\n\r\n") == b""
        assert site.reply(GET).body == b"hello"

    assert "ZeroDivisionError" in site.log.text


# --- setup -----------------------------------------------------------------------------------


def test_a_subclass_may_do_all_of_setup() -> None:
    class Own(wsgi.HttpProtocol):
        def setup(self) -> None:
            self.connection = self.request
            self.rfile = self.connection.makefile("rb", -1)
            self.wfile = self.connection.makefile("wb", 0)

    with Site(echo, protocol=Own) as site:
        replies = site.replies(b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" + GET)

    assert [reply.body for reply in replies] == [b"body", b""]
