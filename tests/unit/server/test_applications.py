"""What applications may do, and what happens when they fail."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from greenlet import GreenletExit

from eventlet import wsgi
from eventlet.greenpool import GreenPile, GreenPool
from eventlet.greenthread import sleep
from eventlet.timeout import Timeout

from tests.unit.server.site import (
    Site,
    connect,
    listen,
    read_exactly,
    read_to_end,
    reset,
    wait_until,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def answer(result: Any, status: str = "200 OK", headers: Any = ()) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[Any]:
        start_response(status, list(headers))
        return result() if callable(result) else result  # type: ignore[no-any-return]

    return app


# --- results --------------------------------------------------------------------------------


def test_a_list_has_a_length() -> None:
    with Site(answer([b"he", b"llo"])) as site:
        first, second = site.replies(GET * 2)

    assert (first.body, first.headers["Content-Length"]) == (b"hello", "5")
    assert second.body == b"hello"


def test_a_generator_is_chunked() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"he"
        yield b""
        yield b"llo"

    with Site(answer(pieces)) as site:
        first, second = site.replies(GET * 2)

    assert (first.body, first.headers["Transfer-Encoding"]) == (b"hello", "chunked")
    assert second.body == b"hello"


def test_text_is_encoded_and_counted_in_bytes() -> None:
    with Site(answer(["café\n", "thé"])) as site:
        first, second = site.replies(GET * 2)

    assert first.body == second.body == "café\nthé".encode()
    assert first.headers["Content-Length"] == "10"


def test_a_minimum_can_be_set_by_the_server_and_by_the_application() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        environ["eventlet.minimum_write_chunk_size"] = int(environ["QUERY_STRING"])
        return iter([b"ab", b"cd", b"ef"])

    with Site(app) as site:
        assert b"\r\n\r\n2\r\nab\r\n2\r\ncd\r\n" in site.exchange(b"GET /?0 HTTP/1.1\r\n\r\n")
        assert b"\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n" in site.exchange(b"GET /?3 HTTP/1.1\r\n\r\n")
    with Site(answer(lambda: iter([b"ab", b"cd"])), minimum_chunk_size=1) as site:
        assert b"\r\n\r\n2\r\nab\r\n2\r\ncd\r\n" in site.exchange(GET)
    assert wsgi.HttpProtocol.minimum_chunk_size == wsgi.MINIMUM_CHUNK_SIZE


def test_a_stream_goes_out_while_it_is_made() -> None:
    gate: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x" * 5000
        while not gate:
            sleep(0.001)
        yield b"end"

    with Site(app) as site, site.connect() as sock:
        sock.sendall(GET)
        received = b""
        while received.count(b"x") < 5000:
            received += sock.recv(65536)
        gate.append("open")
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock).endswith(b"3\r\nend\r\n0\r\n\r\n")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_bodyless_statuses_keep_the_connection(status: str) -> None:
    with Site(answer([b"dropped"], status)) as site:
        replies = site.replies(GET * 2)

    assert [(reply.status, reply.body) for reply in replies] == [(int(status[:3]), b"")] * 2


def test_head_keeps_the_connection() -> None:
    with Site(answer([b"dropped"])) as site:
        raw = site.exchange(b"HEAD / HTTP/1.1\r\n\r\n" * 2)

    assert raw.count(b"HTTP/1.1 200 OK") == 2
    assert b"dropped" not in raw
    assert b"Content-Length" not in raw


@pytest.mark.parametrize(
    "body, complaint", [(b"short", "2 bytes shorter"), (b"much too long", "longer")]
)
def test_a_wrong_length_closes_the_connection(body: bytes, complaint: str) -> None:
    with Site(answer([body], headers=[("Content-Length", "7")])) as site:
        raw = site.exchange(GET * 2, half_close=False)

    assert raw.count(b"HTTP/1.1") == 1
    assert raw.endswith(b"\r\n\r\n" + body[:7])
    assert complaint in site.log.text


def test_version_1_0_is_the_most_we_speak_when_told_so() -> None:
    with Site(answer(lambda: iter([b"abc"])), max_http_version="HTTP/1.0") as site:
        raw = site.exchange(GET * 2, half_close=False)

    assert raw.startswith(b"HTTP/1.0 200 OK\r\n")
    assert raw.endswith(b"Connection: close\r\n\r\nabc")


def test_capitalising_can_be_turned_off_and_is_deprecated() -> None:
    app = answer([b""], headers=[("x-thing", "1"), ("content-length", "0")])
    with pytest.warns(DeprecationWarning, match="capitalize"):
        settings = wsgi.Server(None, None, app, capitalize_response_headers=False)
    assert settings.capitalize_response_headers is False

    with (
        pytest.warns(DeprecationWarning, match="capitalize"),
        Site(app, capitalize_response_headers=False) as site,
    ):
        raw = site.exchange(GET)

    assert b"x-thing: 1\r\ncontent-length: 0\r\n" in raw
    assert raw.lower().count(b"content-length") == 1


def test_a_request_may_fan_out_into_a_pool_and_answer_with_text() -> None:
    pool = GreenPool(2)
    running: list[str] = []
    most: list[int] = []

    def fetch_title(line: bytes) -> str:
        url = line.decode().strip()
        running.append(url)
        most.append(len(running))
        sleep(0.001)
        running.remove(url)
        return f"café at {url}"

    def app(environ: dict[str, Any], start_response: Any) -> list[str]:
        pile = GreenPile(pool)
        for url in environ["wsgi.input"].readlines():
            pile.spawn(fetch_title, url)
        titles = "\n".join(pile)
        start_response("200 OK", [("Content-type", "text/plain")])
        return [titles]

    urls = b"http://a/\nhttp://b/\nhttp://c/\nhttp://d/"
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(urls), urls)
    with Site(app) as site:
        first, second = site.replies(request * 2)

    assert first.body == second.body
    assert first.body.decode().splitlines() == [f"café at {url}" for url in urls.decode().split()]
    assert max(most) == 2


# --- the reference validator --------------------------------------------------------------------


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def lines(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield from environ["wsgi.input"]
    yield from environ["wsgi.input"].readlines(1)
    yield environ["wsgi.input"].readline()


def writer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(environ["wsgi.input"].read(3))
    return [environ["wsgi.input"].read(100)]


@pytest.mark.parametrize("app", [echo, lines, writer])
def test_the_reference_validator_has_no_complaint(app: Any) -> None:
    request = b"POST /a%20b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nab\ncd\ne"

    with Site(validator(app)) as site:
        replies = site.replies(request * 2)

    assert [(reply.status, reply.body) for reply in replies] == [(200, b"ab\ncd\ne")] * 2
    assert "Traceback" not in site.log.text


# --- failures ---------------------------------------------------------------------------------------


class Closeable:
    """A result that fails at a chosen moment and wants to be closed."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for step in self.steps:
            if isinstance(step, BaseException):
                raise step
            yield step

    def close(self) -> None:
        self.closed += 1


def raising(error: BaseException) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise error

    return app


@pytest.mark.parametrize(
    "app",
    [
        raising(ZeroDivisionError("secret")),
        raising(Timeout()),
        raising(TimeoutError("of a backend")),
        raising(ConnectionResetError("of a backend")),
        answer(Closeable(ZeroDivisionError("secret"))),
        answer(Closeable(b"small", ZeroDivisionError("secret"))),
        answer(Closeable(b"small", Timeout())),
        answer([1]),
        answer(["é"], headers=[("Content-Type", "a/b; charset=ascii")]),
        answer([b""], headers=[("X", "a\r\nSet-Cookie: b")]),
        answer([b""], status="fine"),
        lambda environ, start_response: [b"no start_response"],
        lambda environ, start_response: iter([b"no start_response"]),
        lambda environ, start_response: None,
    ],
)
def test_an_error_before_the_response_began_is_a_500_and_closes(app: Any) -> None:
    with Site(app) as site:
        reply = site.reply(GET * 2)

    assert (reply.status, reply.reason) == (500, "Internal Server Error")
    assert reply.headers["Content-Type"] == "text/plain"
    assert (reply.headers["Content-Length"], reply.body) == ("0", b"")
    assert reply.headers["Connection"] == "close"
    assert "Traceback" in site.log.text
    assert '" 500 ' in site.log.requests[0]


@pytest.mark.parametrize("debug, shown", [(True, True), (False, False)])
def test_tracebacks_go_to_clients_only_when_asked_for(debug: bool, shown: bool) -> None:
    with Site(raising(ZeroDivisionError("secret")), debug=debug) as site:
        reply = site.reply(GET)

    assert (b"ZeroDivisionError: secret" in reply.body) is shown
    assert "ZeroDivisionError: secret" in site.log.text


def test_a_traceback_names_its_charset() -> None:
    with Site(raising(ZeroDivisionError("é")), debug=True) as site:
        reply = site.reply(GET)

    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "é" in reply.body.decode("utf-8")


@pytest.mark.parametrize("error", [ZeroDivisionError(), Timeout()])
def test_an_error_after_the_response_began_leaves_it_without_an_end(error: BaseException) -> None:
    result = Closeable(b"x" * 5000, error)

    with Site(answer(result)) as site:
        raw = site.exchange(GET * 2, half_close=False)

    assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not raw.endswith(b"0\r\n\r\n")
    assert raw.count(b"HTTP/1.1") == 1
    assert result.closed == 1
    assert "Traceback" in site.log.text


@pytest.mark.parametrize("steps", [(), (b"a",), (b"a", ZeroDivisionError())])
def test_the_result_is_closed_whatever_happens(steps: Any) -> None:
    result = Closeable(*steps)

    with Site(answer(result)) as site:
        site.exchange(GET)

    assert result.closed == 1


def test_an_error_while_closing_the_result_is_logged() -> None:
    class Failing(Closeable):
        def close(self) -> None:
            raise ZeroDivisionError

    with Site(answer(Failing(b"a"))) as site:
        assert site.reply(GET * 2).body == b"a"

    assert "ZeroDivisionError" in site.log.text


def test_the_server_survives_its_applications() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise ZeroDivisionError
        start_response("200 OK", [])
        return [b"fine"]

    with Site(app) as site:
        for _ in range(3):
            assert site.reply(b"GET /fail HTTP/1.1\r\n\r\n").status == 500
            assert site.reply(GET).body == b"fine"


def test_a_killed_handler_logs_and_closes() -> None:
    result = Closeable(b"x" * 5000, GreenletExit())

    with Site(answer(result)) as site:
        raw = site.exchange(GET, half_close=False)
        assert site.reply(b"HEAD / HTTP/1.1\r\n\r\n").status == 200

    assert not raw.endswith(b"0\r\n\r\n")
    assert result.closed == 2
    assert len(site.log.requests) == 2


# --- clients that go away -----------------------------------------------------------------------------


def streaming(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    for _ in range(2000):
        yield b"x" * 65536


def reading(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"x"]


@pytest.mark.parametrize("leave", [reset, lambda sock: sock.close()], ids=["reset", "close"])
@pytest.mark.parametrize(
    "app, request_, then",
    [
        (reading, b"", b""),
        (reading, b"GET / HT", b""),
        (reading, GET, b""),
        (reading, b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", b""),
        (reading, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", b""),
        (streaming, GET, b""),
        (streaming, GET * 3, b"HTTP/1.1 200 OK"),
    ],
    ids=["connected", "in head", "in answer", "in body", "in chunk", "unread", "in stream"],
)
def test_a_client_that_leaves_harms_nobody(
    app: Any, request_: bytes, then: bytes, leave: Any
) -> None:
    with Site(app) as site:
        sock = site.connect()
        sock.sendall(request_)
        if then:
            assert read_exactly(sock, len(then)) == then
        leave(sock)

        with site.connect() as other:
            other.sendall(b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert read_to_end(other).startswith(b"HTTP/1.1 200 OK")

    assert "Traceback" not in site.log.text


def test_hooks_and_log_line_come_after_a_disconnect_too() -> None:
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        environ["eventlet.posthooks"].append((lambda env, n: seen.append(n), (1,), {}))
        return streaming(environ, start_response)

    with Site(app) as site:
        sock = site.connect()
        sock.sendall(GET)
        sock.recv(100)
        reset(sock)
        wait_until(lambda: seen == [1])

    assert len(site.log.requests) == 1


def test_a_client_that_never_reads_is_given_up() -> None:
    listener = listen()
    sock = connect(listener.getsockname(), GET)
    with Site(streaming, listener, socket_timeout=0.05) as site:
        wait_until(lambda: "timed out" in site.log.text)
        sock.close()

    assert "Traceback" not in site.log.text


def test_a_client_that_sends_no_body_is_answered_and_given_up() -> None:
    listener = listen()
    sock = connect(listener.getsockname(), b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
    with Site(reading, listener, socket_timeout=0.05) as site, sock:
        raw = read_to_end(sock)

    assert raw.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert "Traceback" not in site.log.text


# --- hooks ------------------------------------------------------------------------------------------------


def test_hooks_run_after_the_response_with_the_environ() -> None:
    calls: list[Any] = []

    def hook(environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        calls.append((environ["PATH_INFO"], args, kwargs))

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.posthooks"] = [(hook, (1, 2), {"a": 3}), (hook, (), {})]
        start_response("200 OK", [])
        assert calls == []
        return [b""]

    with Site(app) as site:
        assert site.reply(GET).status == 200

    assert calls == [("/", (1, 2), {"a": 3}), ("/", (), {})]


def test_hooks_survive_an_emptied_environ() -> None:
    calls: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.posthooks"].append((calls.append, (), {}))
        environ.clear()
        start_response("200 OK", [])
        return [b""]

    with Site(app) as site:
        assert site.reply(GET).status == 200

    assert calls == [{}]


@pytest.mark.parametrize("failure", [ZeroDivisionError("failed"), Timeout(None, False)])
def test_a_failing_hook_does_not_stop_the_next(failure: BaseException) -> None:
    calls: list[int] = []

    def failing(environ: dict[str, Any]) -> None:
        raise failure

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.posthooks"] += [
            (failing, (), {}),
            None,
            (lambda environ: calls.append(1), (), {}),
        ]
        start_response("200 OK", [])
        return [b""]

    with Site(app) as site:
        assert len(site.replies(GET * 2)) == 2

    assert calls == [1, 1]
    assert type(failure).__name__ in site.log.text


# --- connections taken over --------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [[b""], iter([])])
def test_an_application_may_take_the_connection_over(result: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        sock = environ["eventlet.input"].get_socket()
        sock.sendall(b"my own protocol")
        wsgi.WSGI_LOCAL.already_handled = True
        return result

    with Site(app) as site:
        assert site.exchange(GET * 2, half_close=False) == b"my own protocol"
        assert site.exchange(GET) == b"my own protocol"

    assert ['" 200 0 ' in line for line in site.log.requests] == [True, True]


def test_the_flag_of_one_green_thread_is_not_that_of_another() -> None:
    wsgi.WSGI_LOCAL.already_handled = True
    try:
        with Site(answer([b"x"])) as site:
            assert site.reply(GET).body == b"x"
        assert wsgi.WSGI_LOCAL.already_handled is True
    finally:
        wsgi.WSGI_LOCAL.already_handled = False
