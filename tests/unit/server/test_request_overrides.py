"""What no subclass of `HttpProtocol` may loosen, whatever it parses by itself."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.timeout import Timeout

from tests.unit.server.site import Site, parse_replies, read_to_end, read_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


class Adding(wsgi.HttpProtocol):
    """Adds to the environ, as most subclasses do."""

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "added": True}


class Loose(wsgi.HttpProtocol):
    """Takes whatever has three words for a request line, and never wants to end."""

    def parse_request(self) -> bool:
        words = self.raw_requestline.decode("latin-1").split()
        self.requestline = " ".join(words)
        self.command, self.path, self.request_version = words
        self.headers = http.client.parse_headers(self.rfile)
        self.close_connection = False
        return True


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_a_connection_that_the_client_gives_up_is_not_kept(head: bytes) -> None:
    with Site(hello, protocol=Loose) as site:
        (reply,) = site.replies(head + GET)

    assert reply.headers["Connection"] == "close"


@pytest.mark.parametrize("code", [*range(9), 11, 12, *range(13, 32), 127])
def test_control_characters_in_a_request_line_are_for_no_subclass(code: int) -> None:
    with Site(hello, protocol=Loose) as site:
        reply = site.reply(b"GET /%c HTTP/1.1\r\n\r\n" % code + GET)

    assert reply.status == 400


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\0", b"\0" * 100, b"\x05\1\0", b"GET / HTTP/1.1\rHost: a\r\r"]
)
@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Adding, Loose])
def test_what_is_no_http_is_not_waited_for(junk: bytes, protocol: Any) -> None:
    with Site(hello, protocol=protocol) as site:
        raw = site.exchange(junk, half_close=False)

    assert [reply.status for reply in parse_replies(raw)] == [400]


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Adding])
def test_a_time_out_of_the_application_does_not_change_where_the_body_ends(protocol: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with Timeout(0.05, False):
            environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    smuggled = b"\r\nGET /smuggled HTTP/1.1\r\n\r\n!!"
    head = b"POST /first HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Site(app, protocol=protocol) as site, site.connect() as sock:
        sock.sendall(head + b"2")
        first = read_until(sock, b"/first")
        # Half of the size alone would be the end of the body, after which a request comes.
        sock.sendall(b"0\r\n" + smuggled.ljust(32) + b"\r\n0\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        rest = read_to_end(sock)

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"smuggled" not in rest


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Adding])
def test_what_a_client_sends_comes_before_the_environ_of_the_server(protocol: Any) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append({name: environ[name] for name in own})
        return hello(environ, start_response)

    own = {"HTTP_A": "own", "HTTP_B": "own", "CONTENT_TYPE": "own", "HTTP_HOST": "own"}
    data = b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nA: 2\r\nContent-Type: t\r\n\r\n"
    with Site(app, protocol=protocol, environ=own) as site:
        site.exchange(data)

    assert seen == [{"HTTP_A": "1,2", "HTTP_B": "own", "CONTENT_TYPE": "t", "HTTP_HOST": "h"}]


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Adding, Loose])
@pytest.mark.parametrize("lines", [b"", b"Host: a\r\n", b"Host: a\r\n\r"])
def test_a_head_without_an_end_is_not_served(lines: bytes, protocol: Any) -> None:
    with Site(hello, protocol=protocol) as site:
        replies = site.replies(b"GET / HTTP/1.1\r\n" + lines)

    assert [reply.status for reply in replies] in ([], [400])
