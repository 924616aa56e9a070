"""Subclasses of `HttpProtocol`: everything goes through what they override, and is judged alike."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet._server.connection import Connection
from eventlet._server.limits import Limits
from eventlet.green import socket
from eventlet.greenthread import sleep

from tests.unit.server.site import Site, connect, listen, parse_replies, read_to_end, reset
from tests.unit.server.test_request_cases import CASES, NEEDS_A_READER, idle_app, judge, post
from tests.unit.server.test_request_cases import reading_app as echo_length

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


class Plain(wsgi.HttpProtocol):
    """Overrides nothing."""

    extra = 1


class Adding(wsgi.HttpProtocol):
    """Adds to the environ, as most subclasses do."""

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "added": True}


class Parsing(wsgi.HttpProtocol):
    """Reads a head by itself, with the means of the standard library."""

    def parse_request(self) -> bool:
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split(" ")
        if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1", "HTTP/1.2"):
            self.send_error(505 if words[-1].startswith("HTTP/2") else 400)
            return False
        self.command, self.path, self.request_version = words
        self.headers = http.client.parse_headers(
            self.rfile,
            _class=self.MessageClass,
        )
        connection = self.headers.get("Connection", "").lower()
        self.close_connection = connection == "close" or (
            self.request_version == "HTTP/1.0" and connection != "keep-alive"
        )
        return True


def case_id(case: dict[str, Any]) -> str:
    return f"{case['corpus'][9:]}-{case['name']}"


# --- one verdict -----------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [65536, 1], ids=["at-once", "byte-by-byte"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_the_classic_path_has_the_same_verdict(case: dict[str, Any], piece: int) -> None:
    with Site(echo_length, protocol=Adding) as site:
        replies = post(site, base64.b64decode(case["b64"]), piece)

    statuses = [reply.status for reply in replies]
    assert judge(case, statuses), (statuses, case["note"], case.get("why"))
    assert "Traceback" not in site.log.text


@pytest.mark.parametrize(
    "case", [c for c in CASES if (c["corpus"], c["name"]) not in NEEDS_A_READER], ids=case_id
)
def test_the_classic_path_has_the_same_verdict_unread(case: dict[str, Any]) -> None:
    with Site(idle_app, protocol=Adding) as site:
        replies = post(site, base64.b64decode(case["b64"]), 65536)

    assert judge(case, [reply.status for reply in replies])


# The subclass above reads request lines less strictly than we do; nothing else can be so.
REQUEST_LINES = {
    case["name"]
    for case in CASES
    if case["expect"] in ("reject", "any", "incomplete")
    and not base64.b64decode(case["b64"]).startswith((b"GET / HTTP", b"POST / HTTP"))
}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["name"] not in REQUEST_LINES], ids=case_id
)
def test_header_lines_that_a_subclass_reads_are_judged_all_the_same(case: dict[str, Any]) -> None:
    with Site(echo_length, protocol=Parsing) as site:
        replies = post(site, base64.b64decode(case["b64"]), 65536)

    statuses = [reply.status for reply in replies]
    assert judge(case, statuses), (statuses, case["note"], case.get("why"))
    assert "Traceback" not in site.log.text


@pytest.mark.parametrize("protocol", [Adding, Parsing])
def test_what_frames_a_message_is_what_came_over_the_wire(protocol: Any) -> None:
    class Misled(protocol):  # type: ignore[misc]  # a class that is a parameter
        def parse_request(self) -> bool:
            parsed: bool = super().parse_request()
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = "1"
            return parsed

    data = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" + GET
    with Site(echo, protocol=Misled) as site:
        replies = site.replies(data)

    assert [reply.body for reply in replies] == [b"body", b""]


# --- which path ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "is_fast"), [(wsgi.HttpProtocol, True), (Plain, True), (Adding, False)]
)
def test_who_overrides_nothing_keeps_the_fast_path(
    protocol: Any, is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = []
    original = Connection.handle

    def handle(self: Connection) -> None:
        served.append(1)
        original(self)

    monkeypatch.setattr(Connection, "handle", handle)
    with Site(hello, protocol=protocol) as site:
        assert site.reply(GET).body == b"hello"

    assert bool(served) is is_fast


def test_a_method_replaced_on_the_class_itself_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    original = wsgi.HttpProtocol.get_environ
    monkeypatch.setattr(
        wsgi.HttpProtocol, "get_environ", lambda self: {**original(self), "replaced": "yes"}
    )

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["replaced"]]

    with Site(app) as site:
        assert site.reply(GET).body == b"yes"


# --- override points -------------------------------------------------------------------------


class Noting(wsgi.HttpProtocol):
    """Notes the calls of all override points."""

    calls: list[Any]

    def setup(self) -> None:
        self.calls.append("setup")
        super().setup()

    def handle(self) -> None:
        self.calls.append("handle")
        super().handle()

    def finish(self) -> None:
        self.calls.append("finish")
        super().finish()

    def handle_one_request(self) -> None:
        self.calls.append("handle_one_request")
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.calls.append(("parse_request", self.raw_requestline))
        parsed = super().parse_request()
        self.calls.append((parsed, self.command, self.path, self.request_version))
        self.calls.append((self.requestline, self.close_connection, self.headers.items()))
        return parsed

    def handle_expect_100(self) -> bool:
        self.calls.append("handle_expect_100")
        return super().handle_expect_100()

    def get_environ(self) -> dict[str, Any]:
        self.calls.append("get_environ")
        return super().get_environ()

    def formalize_key_naming(self, k: str) -> str | None:
        key = super().formalize_key_naming(k)
        self.calls.append((k, key))
        return key

    def handle_one_response(self) -> None:
        self.calls.append(("handle_one_response", self.application, self.conn_state[2]))
        super().handle_one_response()
        self.calls.append(self.close_connection)

    def get_client_address(self) -> tuple[str, Any]:
        return "client", 7


class FinishingPlainly(wsgi.HttpProtocol):
    """Ends as the standard library does, and closes."""

    def finish(self) -> None:
        wsgi.BaseHTTPServer.BaseHTTPRequestHandler.finish(self)
        self.connection.close()


def test_an_end_by_the_means_of_the_base_class() -> None:
    with Site(hello, protocol=FinishingPlainly) as site:
        raw = site.exchange(GET + GET)

    assert [reply.status for reply in parse_replies(raw)] == [200, 200]


def test_an_override_of_finish_is_not_called_where_setup_failed() -> None:
    listener = listen()
    client = connect(listener.getsockname())
    connection, address = listener.accept()
    reset(client)
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    served = wsgi.Server(
        listener, listener.getsockname(), hello, protocol=FinishingPlainly, log_output=False
    )
    served.process_request([address, connection, wsgi.STATE_IDLE])
    listener.close()

    assert connection.fileno() == -1


def test_every_override_point_is_called_in_order() -> None:
    class Protocol(Noting):
        calls: list[Any] = []

    with Site(echo, protocol=Protocol) as site:
        raw = site.exchange(
            b"POST /a?b HTTP/1.1\r\nX_Y: 1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
        )

    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert Protocol.calls == [
        "setup",
        "handle",
        "handle_one_request",
        ("parse_request", b"POST /a?b HTTP/1.1\r\n"),
        "handle_expect_100",
        (True, "POST", "/a?b", "HTTP/1.1"),
        (
            "POST /a?b HTTP/1.1",
            False,
            [("X_Y", "1"), ("Expect", "100-continue"), ("Content-Length", "2")],
        ),
        "get_environ",
        ("X_Y", None),
        ("Expect", "EXPECT"),
        ("Content-Length", "CONTENT_LENGTH"),
        ("handle_one_response", echo, "request"),
        False,
        "handle_one_request",
        ("parse_request", b"GET / HTTP/1.1\r\n"),
        (True, "GET", "/", "HTTP/1.1"),
        ("GET / HTTP/1.1", True, [("Connection", "close")]),
        "get_environ",
        ("Connection", "CONNECTION"),
        ("handle_one_response", echo, "request"),
        True,
        "finish",
    ]
    assert all(line.startswith("client - - ") for line in site.log.requests)


def test_the_classic_environ_is_the_fast_one() -> None:
    environs = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        environs.append(environ)
        return hello(environ, start_response)

    data = (
        b"POST http://h:1/a%20b%FC?c=%20d HTTP/1.1\r\nHost: other\r\nContent-Type: text/x\r\n"
        b"Content-Length: 2\r\nAccept: a\r\nX_Under: no\r\naccept: b\r\nX-L: \xe9\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nConnection: close\r\n\r\nhi"
    )
    for protocol in (wsgi.HttpProtocol, Adding):
        with Site(app, protocol=protocol) as site:
            site.exchange(data)

    fast, classic = environs
    assert classic.pop("added")
    own = {"REMOTE_PORT", "SERVER_PORT", "wsgi.input", "eventlet.input", "eventlet.set_idle"}
    own.add("eventlet.on_stop")
    assert {k: v for k, v in classic.items() if k not in own} == {
        k: v for k, v in fast.items() if k not in own
    }
    assert classic.keys() == fast.keys()


def test_headers_are_of_the_message_class() -> None:
    class Message(http.client.HTTPMessage):
        def get_default_type(self) -> str:
            return "none/given"

    types = []

    class Protocol(wsgi.HttpProtocol):
        MessageClass = Message

        def get_environ(self) -> dict[str, Any]:
            types.append(self.headers.get_content_type())
            return super().get_environ()

    with Site(hello, protocol=Protocol) as site:
        assert site.reply(GET).status == 200

    assert types == ["none/given"]


def test_a_subclass_may_read_before_the_first_request() -> None:
    class Proxied(wsgi.HttpProtocol):
        def handle(self) -> None:
            words = self.rfile.readline(107).decode("ascii").split()
            self.client_address = (words[2], int(words[4]))
            super().handle()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{environ['REMOTE_ADDR']} {environ['REMOTE_PORT']}".encode()]

    with Site(app, protocol=Proxied) as site:
        replies = site.replies(b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 80\r\n" + GET * 2)

    assert [reply.body for reply in replies] == [b"192.0.2.1 4321"] * 2
    assert site.log.requests[0].startswith("192.0.2.1 - - ")


def test_a_subclass_may_wrap_the_files() -> None:
    class Counting(wsgi.HttpProtocol):
        def setup(self) -> None:
            super().setup()
            original = self.wfile.write
            self.sent = 0

            def write(data: Any) -> int:
                counts.append(len(data))
                return original(data)

            self.wfile.write = write  # type: ignore[method-assign]  # a buffered writer has a dict

    counts: list[int] = []
    with Site(hello, protocol=Counting) as site:
        raw = site.exchange(GET)

    assert sum(counts) == len(raw)


def test_a_response_can_be_timed() -> None:
    class Timed(wsgi.HttpProtocol):
        def handle_one_response(self) -> None:
            super().handle_one_response()
            self.server.log.info("timed by a subclass")

    with Site(hello, protocol=Timed) as site:
        site.reply(GET)

    assert "timed by a subclass" in site.log.text


def test_a_header_may_be_renamed_or_left_out() -> None:
    class Renaming(wsgi.HttpProtocol):
        def formalize_key_naming(self, k: str) -> str | None:
            return None if k == "Secret" else k.upper().replace("-", "_")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["HTTP_X_UNDER"], str("HTTP_SECRET" in environ)]

    with Site(app, protocol=Renaming) as site:
        assert site.reply(b"GET / HTTP/1.1\r\nX_Under: y\r\nSecret: s\r\n\r\n").body == b"yFalse"


def test_an_expectation_may_be_refused() -> None:
    class Refusing(wsgi.HttpProtocol):
        def handle_expect_100(self) -> bool:
            self.send_error(417)
            return False

    head = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with Site(hello, protocol=Refusing) as site:
        (reply,) = site.replies(head + b"hi" + GET)

    assert (reply.status, reply.reason) == (417, "Expectation Failed")


def test_an_error_message_cannot_smuggle_lines() -> None:
    class Refusing(wsgi.HttpProtocol):
        def parse_request(self) -> bool:
            self.send_error(400, "Bad\r\nSet-Cookie: a=b")
            return False

    with Site(hello, protocol=Refusing) as site:
        (reply,) = site.replies(GET)

    assert reply.reason == "Bad??Set-Cookie: a=b"
    assert "Set-Cookie" not in reply.headers


def test_an_own_input_is_used() -> None:
    class Shouting(wsgi.Input):
        def read(self, length: int | None = None) -> bytes:
            return super().read(length).upper()

    class Protocol(wsgi.HttpProtocol):
        def get_environ(self) -> dict[str, Any]:
            environ = super().get_environ()
            own = Shouting(self.rfile, 4, self.connection)
            environ["wsgi.input"] = environ["eventlet.input"] = own
            return environ

    with Site(echo, protocol=Protocol) as site:
        replies = site.replies(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody" + GET)

    assert replies[0].body == b"BODY"
    assert len(replies) == 2


def test_messages_go_to_the_log_of_the_server() -> None:
    class Talking(wsgi.HttpProtocol):
        def handle_one_request(self) -> None:
            self.log_message("a %s\n", "message\x1b")
            super().handle_one_request()

    with Site(hello, protocol=Talking) as site:
        site.reply(GET)

    assert r"a message\x1b\n" in site.log.text


def test_the_constructor_serves() -> None:
    server = wsgi.Server(None, None, hello, log_output=False)
    for protocol in (wsgi.HttpProtocol, Adding):
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(GET)
            theirs.shutdown(socket.SHUT_WR)
            protocol([("a", 1), ours, wsgi.STATE_IDLE], server)

            assert read_to_end(theirs).endswith(b"hello")
            assert ours.fileno() == -1


def test_headers_may_come_from_elsewhere() -> None:
    class Sessions(wsgi.HttpProtocol):
        def parse_request(self) -> bool:
            self.requestline = "POST / HTTP/1.1"
            self.command, self.path, self.request_version = "POST", "/", "HTTP/1.1"
            self.headers = http.client.HTTPMessage()
            self.headers["Content-Length"] = "4"
            self.close_connection = False
            return True

    with Site(echo, protocol=Sessions) as site:
        replies = site.replies(b"session 1\r\nbodysession 1\r\nmore")

    assert [reply.body for reply in replies] == [b"body", b"more"]


def test_header_lines_that_a_subclass_left_behind_are_no_body() -> None:
    class Hasty(wsgi.HttpProtocol):
        def parse_request(self) -> bool:
            self.requestline = "POST / HTTP/1.1"
            self.command, self.path, self.request_version = "POST", "/", "HTTP/1.1"
            self.headers = http.client.HTTPMessage()
            self.rfile.readline()
            return True

    with Site(echo, protocol=Hasty) as site:
        (reply,) = site.replies(b"GET / HTTP/1.1\r\nA: b\r\nGET /smuggled HTTP/1.1\r\n\r\n")

    assert reply.status == 400


# --- trouble -----------------------------------------------------------------------------------


def test_a_failing_override_ends_one_connection() -> None:
    class Failing(wsgi.HttpProtocol):
        def get_environ(self) -> dict[str, Any]:
            if self.path == "/fail":
                raise RuntimeError("of the subclass")
            return super().get_environ()

    with Site(hello, protocol=Failing) as site:
        assert site.exchange(GET.replace(b"/ ", b"/fail ")).startswith(b"HTTP/1.0 500 ")
        assert site.reply(GET).body == b"hello"
    assert "of the subclass" in site.log.text


def test_clients_that_leave_harm_nobody() -> None:
    with Site(hello, protocol=Adding) as site:
        for data in (b"", GET[:5], GET[:20], GET, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"):
            for leave in (reset, lambda sock: sock.close()):
                sock = site.connect()
                sock.sendall(data)
                leave(sock)
        assert site.reply(GET).body == b"hello"
    assert "Traceback" not in site.log.text


def test_a_slow_head_has_a_deadline() -> None:
    limits = Limits(head_timeout=0.1)
    with Site(hello, protocol=Adding, limits=limits) as site, site.connect() as sock:
        for i in range(30):
            try:
                sock.sendall(GET[i : i + 1] or b"x")
            except OSError:
                break
            sleep(0.01)
        assert read_to_end(sock) == b""
    assert "timed out" in site.log.text


def test_a_slow_body_has_a_deadline() -> None:
    limits = Limits(body_timeout=0.1)
    with Site(echo, protocol=Adding, limits=limits) as site, site.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
        for _ in range(30):
            try:
                sock.sendall(b"x")
            except OSError:
                break
            sleep(0.01)
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.status == 408


def test_idle_seconds_and_limits_hold() -> None:
    options: dict[str, Any] = {"keepalive": 0.05, "limits": Limits(body_bytes=3)}
    listener = listen()
    idle = connect(listener.getsockname(), GET)
    large = connect(listener.getsockname(), b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody")
    with Site(echo, listener, protocol=Adding, **options), idle, large:
        raw = read_to_end(idle)
        (refused,) = parse_replies(read_to_end(large))

    assert raw.startswith(b"HTTP/1.1 200")
    assert refused.status == 413


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 9 + b"\r\n",
        b"\r\n" * 40000 + GET,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    ],
    ids=["line", "header", "fields", "total", "blank-lines", "tls"],
)
@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Parsing, Adding])
def test_both_paths_have_the_same_limits(request_: bytes, protocol: Any) -> None:
    with Site(hello, protocol=protocol) as site:
        (reply,) = site.replies(request_)

    assert reply.status in (400, 414, 431)


def test_file_object_for_headers_knows_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lines:
        def readline(self, size: int) -> bytes:
            return b"X: 1234567890\r\n"[:size]

    assert wsgi.FileObjectForHeaders(Lines()).readline() == b"X: 1234567890\r\n"
    assert wsgi.FileObjectForHeaders(Lines()).readline(3) == b"X: "
    monkeypatch.setattr(wsgi, "MAX_TOTAL_HEADER_SIZE", 20)
    lines = wsgi.FileObjectForHeaders(Lines())
    lines.readline()
    with pytest.raises(wsgi.HeadersTooLarge):
        lines.readline()
    monkeypatch.setattr(wsgi, "MAX_HEADER_LINE", 10)
    with pytest.raises(wsgi.HeaderLineTooLong):
        wsgi.FileObjectForHeaders(Lines()).readline()
