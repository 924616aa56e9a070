"""Every row of the request table and of the environ table, over a real socket."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.greenthread import sleep

from tests.unit.server.site import Site, parse_replies, read_to_end, read_until


class Recorder:
    """An application that keeps its environs and answers with the body."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.environs.append(environ)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]


def request_environ(request: bytes, **options: Any) -> dict[str, Any]:
    app = Recorder()
    with Site(app, **options) as site:
        assert site.reply(request).status == 200
    (environ,) = app.environs
    return environ


# --- refusals: the answer, byte for byte, and the end of the connection ------------------------


def refusal(request: bytes, **options: Any) -> bytes:
    app = Recorder()
    with Site(app, **options) as site:
        answer = site.exchange(request, half_close=False)
    assert app.environs == []
    return answer


def plain(status: str) -> bytes:
    return f"HTTP/1.0 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()


NEXT = b"GET /smuggled HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    "request_, status",
    [
        (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n\r\n", "414 Request URI Too Long"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 8192 + b"\r\n\r\n", "400 Header Line Too Long"),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 8000 + b"\r\n") * 9, "400 Headers Too Large"),
        (
            b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 101 + b"\r\n",
            "431 Request Header Fields Too Large",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: \r\n\r\n", "400 Bad Request"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400 Bad Request"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400 Bad Request"),
        (b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", "400 Bad Request"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 Bad Request",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc",
            "400 Bad Request",
        ),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400 Bad Request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: br, chunked\r\n\r\n", "501 Not Implemented"),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nName : v\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "400 Bad Request"),
        (b"nonsense\r\n\r\n", "400 Bad Request"),
        (b"GET /\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 Bad Request"),
        (b"EHLO mail.example.com\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\nHost: a\n\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 Bad Request"),
        (b"GET foo HTTP/1.1\r\n\r\n", "400 Bad Request"),
    ],
)
def test_refusals(request_: bytes, status: str) -> None:
    assert refusal(request_ + NEXT) == plain(status)


def test_the_limit_of_the_request_line_is_an_option() -> None:
    line = b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n\r\n"

    assert refusal(line, url_length_limit=100) == plain("414 Request URI Too Long")
    assert request_environ(line, url_length_limit=200)["REQUEST_METHOD"] == "GET"


def test_the_limits_of_header_lines_are_read_while_the_server_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def request(length: int) -> bytes:
        return b"GET / HTTP/1.1\r\nConnection: close\r\nX: " + b"a" * length + b"\r\n\r\n"

    with Site(Recorder()) as site:
        monkeypatch.setattr(wsgi, "MAX_HEADER_LINE", 50)
        long_line = site.exchange(request(60))
        monkeypatch.setattr(wsgi, "MAX_HEADER_LINE", 20000)
        fine = site.exchange(request(15000))
        monkeypatch.setattr(wsgi, "MAX_TOTAL_HEADER_SIZE", 10000)
        too_much = site.exchange(request(15000))

    assert long_line == plain("400 Header Line Too Long")
    assert fine.startswith(b"HTTP/1.1 200 OK\r\n")
    assert too_much == plain("400 Headers Too Large")


def test_a_subclass_may_let_chunked_win() -> None:
    class Lenient(wsgi.HttpProtocol):
        reject_bad_requests = False

    request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"

    with Site(Recorder(), protocol=Lenient) as site:
        reply = site.reply(request + b"5\r\nhello\r\n0\r\n\r\n")

    assert reply.body == b"hello"


@pytest.mark.parametrize("is_classic", [False, True])
def test_a_subclass_may_let_names_beyond_ascii_pass(is_classic: bool) -> None:
    class Lenient(wsgi.HttpProtocol):
        reject_bad_requests = False
        wbufsize = 0 if is_classic else wsgi.HttpProtocol.wbufsize

    request = (
        b"GET / HTTP/1.1\r\nConnection: close\r\nX-\xf0\x9f\x8c\xb4-a: \xf0\x9f\x91\x8d\r\n\r\n"
    )
    app = Recorder()

    with Site(app, protocol=Lenient) as site:
        served = site.reply(request)
    with Site(Recorder()) as site:
        refused = site.exchange(request)

    assert served.status == 200
    assert app.environs[0]["HTTP_X_\xf0\x9f\x8c\xb4_A"] == "\xf0\x9f\x91\x8d"
    assert refused == plain("400 Bad Request")


def test_a_subclass_may_read_names_beyond_ascii_by_itself() -> None:
    """As Swift does: the parser of the standard library ends at such a name."""

    class LikeSwift(wsgi.HttpProtocol):
        reject_bad_requests = False

        def parse_request(self) -> bool:
            self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
            self.command, self.path, self.request_version = self.requestline.split(" ")
            self.close_connection = True
            self.headers = http.client.parse_headers(self.rfile, _class=self.MessageClass)
            return True

        def get_environ(self) -> dict[str, Any]:
            environ = super().get_environ()
            rest = str(self.headers.get_payload())
            for line in rest.rstrip("\r\n").split("\n"):
                name, _, value = line.partition(":")
                environ[name] = value.strip()
            body: Any = environ["wsgi.input"]
            body.chunked_input = "Transfer-Encoding" in environ
            body.wfile, body.wfile_line = self.wfile, b"HTTP/1.1 100 Continue\r\n"
            return environ

    head = (
        b"PUT / HTTP/1.1\r\nX-A: 1\r\nX-\xf0\x9f\x8c\xb4: 2\r\n"
        b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    app = Recorder()

    with Site(app, protocol=LikeSwift) as site, site.connect() as sock:
        sock.sendall(head)
        interim = read_until(sock, b"\r\n\r\n")
        sock.sendall(b"5\r\nhello\r\n0\r\n\r\n")
        (reply,) = parse_replies(read_to_end(sock))

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert reply.body == b"hello"
    assert app.environs[0]["HTTP_X_A"] == "1"
    assert app.environs[0]["X-\xf0\x9f\x8c\xb4"] == "2"


# --- what is served ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.2\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"GET http://a.b/ HTTP/1.1\r\n\r\n",
    ],
)
def test_served(request_: bytes) -> None:
    assert request_environ(request_)["PATH_INFO"] == "/"


def test_a_head_in_pieces() -> None:
    with Site(Recorder()) as site, site.connect() as sock:
        for piece in (b"GET / HT", b"TP/1.1\r\nHost: a\r", b"\n\r", b"\n"):
            sock.sendall(piece)
            sleep(0.002)
        sock.shutdown(socket.SHUT_WR)
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.status == 200


@pytest.mark.parametrize(
    "head, kept",
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: Close\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: x, close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: x, keep-alive\r\n", True),
    ],
)
def test_keeping_the_connection(head: bytes, kept: bool) -> None:
    with Site(Recorder()) as site:
        first, *others = site.replies(head + b"\r\n" + b"GET / HTTP/1.0\r\n\r\n")

    assert (first.headers["Connection"] == "close") is not kept
    assert len(others) == kept


def test_pipelined_requests_are_answered_in_order() -> None:
    requests = b"".join(
        b"POST /%d HTTP/1.1\r\nContent-Length: 2\r\n\r\n%02d" % (i, i) for i in range(20)
    )
    with Site(Recorder()) as site:
        replies = site.replies(requests)

    assert [int(reply.body) for reply in replies] == list(range(20))


# --- environ -----------------------------------------------------------------------------------


def test_the_environ_of_a_request() -> None:
    app = Recorder()
    with Site(app) as site, site.connect() as sock:
        sock.sendall(
            b"POST /a%20b%FC?c=%20d HTTP/1.1\r\n"
            b"Host: h:1\r\n"
            b"Content-Type: text/x\r\n"
            b"Content-Length: 2\r\n"
            b"Accept: a\r\n"
            b"X_Under: no\r\n"
            b"accept: b\r\n"
            b"Cookie: a=1\r\n"
            b"Cookie: b=2\r\n"
            b"Connection: close\r\n\r\nhi"
        )
        peer = sock.getsockname()
        read_to_end(sock)
    (environ,) = app.environs

    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b\xfc",
        "RAW_PATH_INFO": "/a%20b%FC",
        "QUERY_STRING": "c=%20d",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "2",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(site.address[1]),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(peer[1]),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_HOST": "h:1",
        "HTTP_ACCEPT": "a,b",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_CONNECTION": "close",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "eventlet.posthooks": [],
    }
    objects = {"wsgi.input", "eventlet.input", "wsgi.errors", "eventlet.set_idle", "headers_raw"}
    objects |= {"wsgi.file_wrapper", "eventlet.on_stop"}
    assert {k: v for k, v in environ.items() if k not in objects} == expected
    assert objects <= environ.keys()
    assert environ["wsgi.input"] is environ["eventlet.input"]
    assert environ["headers_raw"] == (
        ("Host", "h:1"),
        ("Content-Type", "text/x"),
        ("Content-Length", "2"),
        ("Accept", "a"),
        ("X_Under", "no"),
        ("accept", "b"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("Connection", "close"),
    )


def test_what_was_not_sent_is_not_there() -> None:
    environ = request_environ(b"GET / HTTP/1.0\r\n\r\n")

    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert not environ.keys() & {
        "QUERY_STRING",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_HOST",
        "HTTPS",
    }


def test_an_empty_query_is_there() -> None:
    assert request_environ(b"GET /? HTTP/1.1\r\n\r\n")["QUERY_STRING"] == ""


def test_an_absolute_target_is_split_and_names_the_host() -> None:
    environ = request_environ(b"GET http://u:p@real:8/a?b HTTP/1.1\r\nHost: other\r\n\r\n")

    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a", "b")
    assert environ["HTTP_HOST"] == "real:8"
    assert environ["headers_raw"] == (("Host", "other"),)


def test_an_environ_can_be_given() -> None:
    environ = request_environ(
        b"GET / HTTP/1.1\r\n\r\n", environ={"my.key": 5, "wsgi.run_once": True}
    )

    assert (environ["my.key"], environ["wsgi.run_once"]) == (5, True)


def test_requests_do_not_share_their_environ() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        answer = repr(environ.get("seen")).encode()
        environ["seen"] = True
        environ["eventlet.posthooks"].append((lambda environ: None, (), {}))
        assert len(environ["eventlet.posthooks"]) == 1
        environ.clear()
        return [answer]

    with Site(app) as site:
        replies = site.replies(b"GET / HTTP/1.1\r\n\r\n" * 2)

    assert [reply.body for reply in replies] == [b"None", b"None"]


# --- bodies ---------------------------------------------------------------------------------------


FEEDS = b"http://a/\nhttp://b/\nlast without end"


def reading(read: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        result = read(environ["wsgi.input"])
        start_response("200 OK", [])
        return [repr(result).encode()]

    return app


@pytest.mark.parametrize(
    "read, expected",
    [
        (lambda body: body.readlines(), FEEDS.splitlines(True)),
        (list, FEEDS.splitlines(True)),
        (lambda body: body.read(), FEEDS),
        (lambda body: body.read(-1), FEEDS),
        (lambda body: body.read(10**6), FEEDS),
        (lambda body: [body.readline(), body.read(3)], [b"http://a/\n", b"htt"]),
        (lambda body: body.read(0), b""),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_reading_ends_with_the_body_while_the_client_waits(
    read: Any, expected: object, is_chunked: bool
) -> None:
    if is_chunked:
        framing = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nA: b\r\n\r\n"
    else:
        framing = b"Content-Length: %d\r\n\r\n%b"
    request = b"POST / HTTP/1.1\r\n" + framing % (len(FEEDS), FEEDS)

    with Site(reading(read)) as site, site.connect() as sock:
        sock.sendall(request)
        # The client keeps the connection open and sends nothing more.
        first = read_until(sock, repr(expected).encode())
        sock.sendall(request)
        second = read_until(sock, repr(expected).encode())

    assert (parse_replies(first)[0].status, parse_replies(second)[0].status) == (200, 200)


@pytest.mark.parametrize("read", [lambda body: body.readlines(), lambda body: None])
def test_the_next_pipelined_request_is_never_touched(read: Any) -> None:
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(FEEDS), FEEDS)

    with Site(reading(read)) as site:
        replies = site.replies(request * 5)

    assert [reply.status for reply in replies] == [200] * 5
    assert len({reply.body for reply in replies}) == 1


def test_an_unread_body_that_is_too_long_closes_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("answering", "response"):
        monkeypatch.setattr(f"eventlet._server.{module}.DRAIN_BYTES", 10)
    request = b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\nGET / HTTP/1.1\r\n\r\n"

    with Site(reading(lambda body: None)) as site:
        assert [reply.status for reply in site.replies(request)] == [200]


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
)
def test_a_body_that_ends_early_is_the_client_s_fault(body: bytes) -> None:
    with Site(reading(lambda body: body.read())) as site:
        reply = site.reply(b"POST / HTTP/1.1\r\n" + body)

    assert (reply.status, reply.headers["Connection"]) == (400, "close")
    assert "Traceback" not in site.log.text


def test_an_application_may_answer_a_bad_body_itself() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            environ["wsgi.input"].read()
        except wsgi.ChunkReadError:
            start_response("422 Nonsense", [])
        return [b"no"]

    with Site(app) as site, site.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        sleep(0.002)
        sock.sendall(b"zz\r\n" + NEXT)
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.status == 422


# --- 100 Continue ------------------------------------------------------------------------------------


EXPECTING = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_continue_goes_out_with_the_first_read_and_once() -> None:
    with Site(reading(lambda body: body.read(2) + body.read())) as site, site.connect() as sock:
        for _ in range(2):
            sock.sendall(EXPECTING)
            assert read_until(sock, b"\r\n\r\n") == CONTINUE
            sock.sendall(b"hello")
            reply = read_until(sock, b"b'hello'")
            assert reply.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_generator_may_read_before_it_answers() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        yield body

    with Site(app) as site, site.connect() as sock:
        for _ in range(2):
            sock.sendall(EXPECTING)
            assert read_until(sock, b"\r\n\r\n") == CONTINUE
            sock.sendall(b"hello")
            assert b"Connection" not in read_until(sock, b"0\r\n\r\n")


@pytest.mark.parametrize("result", [[b"no"], iter([b"no"])])
def test_an_answer_without_reading_closes_undrained(result: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("417 Expectation Failed", [])
        return result  # type: ignore[no-any-return]

    with Site(app) as site, site.connect() as sock:
        sock.sendall(EXPECTING + b"hello" + NEXT)
        (reply,) = parse_replies(read_to_end(sock))

    assert (reply.status, reply.headers["Connection"]) == (417, "close")


def send_on(sock: Any) -> None:
    """Send more than any kernel takes for one who does not read."""
    for _ in range(100):
        sock.sendall(b"x" * 2_000_000)


def test_a_client_that_sends_on_after_the_answer_is_cut_off() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("417 Expectation Failed", [])
        return [b"no"]

    with Site(app) as site, site.connect() as sock:
        sock.sendall(EXPECTING.replace(b"5", b"%d" % 10**8))
        read_until(sock, b"no")
        with pytest.raises(ConnectionError):
            send_on(sock)


def test_nothing_interim_for_version_1_0() -> None:
    request = EXPECTING.replace(b"HTTP/1.1", b"HTTP/1.0") + b"hello"

    with Site(reading(lambda body: body.read())) as site:
        assert site.exchange(request).startswith(b"HTTP/1.1 200 OK")


def test_nothing_interim_after_response_bytes() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "6")])(b"a")
        return [environ["wsgi.input"].read()]

    with Site(app) as site:
        raw = site.exchange(EXPECTING + b"hello")

    assert b"100 Continue" not in raw
    assert raw.endswith(b"\r\n\r\nahello")


def test_other_expectations_are_ignored() -> None:
    request = EXPECTING.replace(b"100-Continue", b"wonders") + b"hello"

    with Site(reading(lambda body: body.read())) as site:
        assert site.exchange(request).startswith(b"HTTP/1.1 200 OK")
