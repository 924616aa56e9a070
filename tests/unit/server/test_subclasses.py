"""Subclasses of `HttpProtocol` as large programs have them."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
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


# --- files -----------------------------------------------------------------------------------


class Simple:
    """A file with the simplest methods."""

    def __init__(self, file: Any) -> None:
        self.read, self.readline, self.close = file.read, file.readline, file.close


class SimpleFile(wsgi.HttpProtocol):
    def setup(self) -> None:
        super().setup()
        self.rfile = Simple(self.rfile)  # type: ignore[assignment]  # it does


class RawFile(wsgi.HttpProtocol):
    rbufsize = 0


@pytest.mark.parametrize("protocol", [SimpleFile, RawFile])
@pytest.mark.parametrize("body_timeout", [None, PATIENCE])
def test_files_need_no_more_than_the_simplest_methods(
    protocol: Any, body_timeout: float | None
) -> None:
    requests = (
        b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    )
    limits = wsgi.Limits(body_timeout=body_timeout)
    with Site(echo, protocol=protocol, limits=limits) as site:
        replies = site.replies(requests + GET)

    assert [reply.body for reply in replies] == [b"body", b"body", b""]


# --- settings of an instance -------------------------------------------------------------------


def stream(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("x-thing", "1")])
    yield b"a"
    yield b"b"


class EarlySettings(wsgi.HttpProtocol):
    def __init__(self, conn_state: list[Any], server: Any) -> None:
        self.minimum_chunk_size = 1
        self.capitalize_response_headers = False
        super().__init__(conn_state, server)


class LateSettings(wsgi.HttpProtocol):
    def setup(self) -> None:
        super().setup()
        self.minimum_chunk_size = 1
        self.capitalize_response_headers = False


@pytest.mark.parametrize("protocol", [EarlySettings, LateSettings])
def test_an_instance_may_have_settings_of_its_own(protocol: Any) -> None:
    with Site(stream, protocol=protocol) as site:
        raw = site.exchange(GET)
        assert wsgi.HttpProtocol.minimum_chunk_size == 4096

    assert b"\r\nx-thing: 1\r\n" in raw
    assert raw.endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "version, most, spoken",
    [("HTTP/1.0", "HTTP/1.1", b"HTTP/1.0"), ("HTTP/1.1", "HTTP/1.0", b"HTTP/1.0")],
)
def test_an_instance_may_speak_an_older_version_only(
    version: str, most: str, spoken: bytes
) -> None:
    class Old(wsgi.HttpProtocol):
        def setup(self) -> None:
            super().setup()
            self.protocol_version = version

    with Site(stream, protocol=Old, max_http_version=most) as site:
        raw = site.exchange(GET * 2)

    assert raw.startswith(spoken)
    assert raw.endswith(b"Connection: close\r\n\r\nab")


def with_argument(conn_state: list[Any], server: Any, address: str) -> wsgi.HttpProtocol:
    class Named(wsgi.HttpProtocol):
        def get_client_address(self) -> tuple[str, Any]:
            return address, 1

    return Named(conn_state, server)


@pytest.mark.parametrize("most", ["HTTP/1.1", None])
def test_the_protocol_may_be_what_makes_one(most: Any) -> None:
    protocol = partial(with_argument, address="192.0.2.7")
    with Site(hello, protocol=protocol, max_http_version=most) as site:
        assert site.reply(GET).body == b"hello"

    assert site.log.requests[0].startswith("192.0.2.7 - - ")


# --- the log -------------------------------------------------------------------------------------


class Complaining(wsgi.HttpProtocol):
    """Hears of errors, and reads as fast as the class itself."""

    heard: list[str]

    def log_message(self, format: str, *args: Any) -> None:
        self.heard.append(format % args)


class ComplainingClassic(Complaining):
    def get_environ(self) -> dict[str, Any]:
        return super().get_environ()


@pytest.mark.parametrize("protocol", [Complaining, ComplainingClassic])
def test_who_overrides_the_log_hears_of_refusals(
    protocol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(Complaining, "heard", heard, raising=False)
    with Site(hello, protocol=protocol) as site:
        site.exchange(GET + b"GET / HTTP/3.0\r\n\r\n")

    assert heard == ["code 505, message HTTP Version Not Supported"]


def test_a_log_method_that_fails_does_not_keep_the_answer_back() -> None:
    class Failing(wsgi.HttpProtocol):
        def log_error(self, format: str, *args: Any) -> None:
            raise ZeroDivisionError

    with Site(hello, protocol=Failing) as site:
        assert site.reply(b"nonsense\r\n\r\n").status == 400

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
