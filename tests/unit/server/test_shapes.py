"""Applications of every shape: the reference validator has no complaint, and odd ones do no harm."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from eventlet import wsgi

from tests.unit.server.site import Site, parse_replies

TEXT = [("Content-Type", "text/plain")]
GET = b"GET /? HTTP/1.1\r\nHost: a\r\n\r\n"


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    wbufsize = 8192


# --- shapes ----------------------------------------------------------------------------------


def all_of(environ: dict[str, Any]) -> bytes:
    data: bytes = environ["wsgi.input"].read(-1)
    return data


def a_list(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", TEXT)
    return [all_of(environ)]


def a_list_of_many(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", TEXT)
    return [bytes([c]) for c in all_of(environ)]


def a_tuple(environ: dict[str, Any], start_response: Any) -> tuple[bytes, ...]:
    start_response("200 OK", TEXT)
    return (b"", all_of(environ), b"")


def a_generator(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", TEXT)
    yield b""
    yield all_of(environ)


def a_late_starter(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    body = all_of(environ)
    yield from ()
    start_response("200 OK", TEXT)
    yield body


class AClass:
    def __init__(self, environ: dict[str, Any], start_response: Any) -> None:
        self._environ = environ
        self._start = start_response

    def __iter__(self) -> Iterator[bytes]:
        self._start("200 OK", TEXT)
        yield all_of(self._environ)


class Iterated:
    """Its own iterator, which wants to be closed."""

    closed = 0

    def __init__(self, data: bytes) -> None:
        self._data = [data]

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._data:
            raise StopIteration
        return self._data.pop()

    def close(self) -> None:
        type(self).closed += 1


def an_object(environ: dict[str, Any], start_response: Any) -> Iterated:
    start_response("200 OK", TEXT)
    return Iterated(all_of(environ))


def a_writer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    write = start_response("200 OK", TEXT)
    write(b"")
    write(all_of(environ))
    return []


def with_a_length(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    body = all_of(environ)
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    yield body


def a_second_thought(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("500 Too Early", TEXT)
    try:
        raise ValueError("thought better of it")
    except ValueError as exc:
        start_response("200 OK", TEXT, (type(exc), exc, exc.__traceback__))
    return [all_of(environ)]


def a_file(environ: dict[str, Any], start_response: Any) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(all_of(environ))
    file.seek(0)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file)


def a_file_in_memory(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(all_of(environ)), 1)


def line_by_line(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", TEXT)
    body = environ["wsgi.input"]
    return [body.readline(), body.readline(2), *body, *body.readlines(1)]


SHAPES = [
    *(a_list, a_list_of_many, a_tuple, a_generator, a_late_starter, AClass, an_object),
    *(a_writer, with_a_length, a_second_thought, a_file, a_file_in_memory, line_by_line),
]
BODY = b"ab\ncdef\ng"
REQUESTS = {
    "length": b"POST /a%20b?c HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n" + BODY,
    "chunked": b"PUT /? HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\nab\nc\r\n5;x=y\r\ndef\ng\r\n0\r\nT: u\r\n\r\n",
    "old": b"POST /? HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Classic], ids=["fast", "classic"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("app", SHAPES, ids=lambda app: app.__name__)
def test_the_reference_validator_has_no_complaint(app: Any, request_: bytes, protocol: Any) -> None:
    with Site(validator(app), protocol=protocol) as site:
        replies = site.replies(request_ + GET)

    assert (replies[0].status, replies[0].body) == (200, BODY)
    if len(replies) == 2:
        assert (replies[1].status, replies[1].body) == (200, b"")
    else:  # without a length, the end of an old connection is the end of its body
        assert "HTTP/1.0" in request_.decode()
        assert "Content-Length" not in replies[0].headers
    assert "Traceback" not in site.log.text


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"DELETE", b"PURGE"])
@pytest.mark.parametrize("app", SHAPES, ids=lambda app: app.__name__)
def test_other_methods_keep_the_connection(app: Any, method: bytes) -> None:
    with Site(app) as site:
        replies = site.replies(method + b" / HTTP/1.1\r\n\r\n" + GET, method.decode())

    assert [(reply.status, reply.body) for reply in replies] == [(200, b"")] * 2


# --- odd ones --------------------------------------------------------------------------------


def starting(*args: Any, result: Any = (b"body",)) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(*args)
        return result() if callable(result) else result

    return app


def start_twice(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("404 No", TEXT)
    start_response("200 OK", TEXT)
    return [b"body"]


def start_again_too_late(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", TEXT)(b"x")
    start_response("200 OK", TEXT)
    return [b"body"]


def stop_iterating(environ: dict[str, Any], start_response: Any) -> Any:
    raise StopIteration


async def coroutine(environ: dict[str, Any], start_response: Any) -> Any:
    return [b"body"]


def clobber(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    environ.clear()
    environ["eventlet.posthooks"] = [None, 1, (print,)]
    return [b"body"]


class Unmeasured:
    def __len__(self) -> int:
        raise ValueError("no length")

    def __iter__(self) -> Iterator[bytes]:
        yield b"body"


ODD = {
    "no headers": (starting("200 OK", []), 200),
    "a dictionary": (starting("200 OK", {}), 200),
    "a generator of headers": (starting("200 OK", iter(TEXT)), 200),
    "lists for pairs": (starting("200 OK", [["A", "b"]]), 200),
    "a number for a value": (starting("200 OK", [("A", 1)]), 200),
    "text for bytes": (starting("200 OK", TEXT, result=["body"]), 200),
    "one string": (starting("200 OK", TEXT, result="body"), 200),
    "bytes": (starting("200 OK", TEXT, result=b"body"), 200),
    "a bytearray": (starting("200 OK", TEXT, result=[bytearray(b"body")]), 200),
    "twice": (start_twice, 200),
    "a clobbered environ": (clobber, 200),
    "status without a reason": (starting("200", TEXT), 200),
    "status in bytes": (starting(b"200 OK", TEXT), 500),
    "status as a number": (starting(200, TEXT), 500),
    "status of a few words": (starting("all right", TEXT), 500),
    "status with a line end": (starting("200 OK\r\nA: b", TEXT), 500),
    "no headers at all": (starting("200 OK"), 500),
    "None for headers": (starting("200 OK", None), 500),
    "three in a pair": (starting("200 OK", [("A", "b", "c")]), 500),
    "bytes in a header": (starting("200 OK", [(b"A", b"b")]), 500),
    "a name that is none": (starting("200 OK", [("A b", "c")]), 500),
    "a colon in a name": (starting("200 OK", [("A:", "c")]), 500),
    "no name": (starting("200 OK", [("", "c")]), 500),
    "a line end in a value": (starting("200 OK", [("A", "b\nC: d")]), 500),
    "a zero in a value": (starting("200 OK", [("A", "b\0")]), 500),
    "two lengths": (starting("200 OK", [("Content-Length", "4"), ("Content-Length", "5")]), 500),
    "a bad length": (starting("200 OK", [("Content-Length", "-4")]), 500),
    "an own coding": (starting("200 OK", [("Transfer-Encoding", "gzip")]), 500),
    "numbers for pieces": (starting("200 OK", TEXT, result=[1, 2]), 500),
    "None for a piece": (starting("200 OK", TEXT, result=lambda: iter([None])), 500),
    "None": (starting("200 OK", TEXT, result=None), 500),
    "a number": (starting("200 OK", TEXT, result=5), 500),
    "the end of iteration": (stop_iterating, 500),
    "no callable": (None, 500),
    "takes no arguments": (lambda: [b""], 500),
    "a length that fails": (starting("200 OK", TEXT, result=Unmeasured()), 200),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_applications_answer_or_fail_in_order(name: str) -> None:
    app, status = ODD[name]
    with Site(app) as site:
        for _ in range(2):
            replies = site.replies(GET * 2)
            assert {reply.status for reply in replies} == {status}
            assert len(replies) == (2 if status == 200 else 1)
            if status == 200:
                assert {reply.body for reply in replies} == {b"body"}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_coroutine_is_no_application() -> None:
    with Site(coroutine) as site:  # type: ignore[arg-type]  # which is the point
        assert site.reply(GET).status == 500


def test_starting_again_too_late_tears_the_connection() -> None:
    with Site(start_again_too_late) as site:
        raw = site.exchange(GET * 2)

    assert raw.count(b"HTTP/1.1 200 OK") == 1
    assert not raw.endswith(b"0\r\n\r\n")
    assert "start_response called again" in site.log.text


def test_a_kept_write_is_of_no_use_afterwards() -> None:
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if kept:
            with pytest.raises(AssertionError, match="over"):
                kept[0](b"HTTP/1.1 200 OK\r\n\r\n")
        kept.append(start_response("200 OK", TEXT))
        return [b"body"]

    with Site(app) as site:
        replies = parse_replies(site.exchange(GET * 2))

    assert [reply.body for reply in replies] == [b"body"] * 2
