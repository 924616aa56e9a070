"""`100 Continue` over the wire: several of them, with headers, on both paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi

from tests.unit.server.site import Site, read_to_end, read_until

HEAD = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n"


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    wbufsize = 8192


BOTH = pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Classic], ids=["fast", "classic"])


@BOTH
def test_two_messages_after_two_interim_responses_with_headers(protocol: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        body.set_hundred_continue_response_headers([("x-part", "1")])
        first = body.read()
        body.set_hundred_continue_response_headers([("X-Part", "2"), ("Y", "z")])
        body.send_hundred_continue_response()
        start_response("200 OK", [])
        return [first, b" and ", body.read()]

    with Site(app, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(HEAD)
        first = read_until(sock, b"\r\n\r\n")
        sock.sendall(b"3\r\none\r\n0\r\n\r\n")
        second = read_until(sock, b"\r\n\r\n")
        sock.sendall(b"3\r\ntwo\r\n0\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        rest = read_to_end(sock)

    assert first == b"HTTP/1.1 100 Continue\r\nX-Part: 1\r\n\r\n"
    assert second == b"HTTP/1.1 100 Continue\r\nX-Part: 2\r\nY: z\r\n\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"one and two" in rest


@BOTH
@pytest.mark.parametrize("value", ["a\r\nb", "a\0", "a\nSet-Cookie: b"])
def test_headers_of_an_interim_response_cannot_be_split(protocol: Any, value: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].set_hundred_continue_response_headers([("A", value)])
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    with Site(app, protocol=protocol) as site:
        raw = site.exchange(HEAD + b"0\r\n\r\n")

    assert raw.startswith(b"HTTP/1.1 500 ")


@BOTH
def test_an_answer_without_reading_closes_and_says_so(protocol: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("417 Expectation Failed", [])
        return [b"no"]

    smuggled = b"GET /smuggled HTTP/1.1\r\n\r\n"
    with Site(app, protocol=protocol) as site:
        raw = site.exchange(
            HEAD + b"%x\r\n" % len(smuggled) + smuggled + b"\r\n0\r\n\r\n" + smuggled
        )

    assert raw.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in raw


@BOTH
def test_none_to_an_old_client(protocol: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    head = b"PUT / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with Site(app, protocol=protocol) as site:
        raw = site.exchange(head + b"hi")

    assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert raw.endswith(b"hi")


@BOTH
@pytest.mark.parametrize(
    "lines",
    [
        b"Expect: 100-continue\r\nExpect: 100-continue",
        b"Expect: 100-continue, 100-Continue",
        b"Expect: x=y, 100-continue",
    ],
)
def test_an_expectation_is_a_list(protocol: Any, lines: bytes) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" + lines + b"\r\n\r\n"
    with Site(app, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(head)
        interim = read_until(sock, b"\r\n\r\n")
        sock.sendall(b"hi")
        answer = read_until(sock, b"hi")

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@BOTH
def test_a_client_that_kept_its_body_back_is_cut_off_when_it_sends_it(protocol: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("417 Expectation Failed", [])
        return [b"no"]

    with Site(app, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 2500000\r\nExpect: 100-continue\r\n\r\n")
        answer = read_until(sock, b"no")
        # The kernel would take all of this for a socket that somebody may still read.
        sock.send(b"x" * 250_000)
        with pytest.raises(ConnectionError):
            sock.sendall(b"x" * 2_250_000)

    assert answer.startswith(b"HTTP/1.1 417 ")


@BOTH
def test_a_client_that_does_not_keep_its_body_back_gets_the_answer(protocol: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("417 Expectation Failed", [])
        return [b"no"]

    head = b"PUT / HTTP/1.1\r\nContent-Length: 60000\r\nExpect: 100-continue\r\n\r\n"
    with Site(app, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(head + b"x" * 10)
        answer = read_until(sock, b"no")
        sock.sendall(b"x" * 59990)

        assert read_to_end(sock) == b""
    assert answer.startswith(b"HTTP/1.1 417 ")
