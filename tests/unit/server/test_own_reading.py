"""A subclass that overrides all that reads a request: what it has read is judged all the same."""

from __future__ import annotations

import base64
import http.client
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.greenthread import sleep

from tests.unit.server.site import Site, parse_replies, read_to_end
from tests.unit.server.test_request_cases import CASES, NEEDS_A_READER, judge, post, reading_app

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Reading(wsgi.HttpProtocol):
    """Has its own loop and its own parser, as those who wrote them before there were others."""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(self.server.url_length_limit)
        if not self.raw_requestline:
            self.close_connection = True
            return
        original = self.rfile
        try:
            self.rfile = wsgi.FileObjectForHeaders(original)  # type: ignore[assignment]  # has readline
            if not self.parse_request():
                return
        finally:
            self.rfile = original
        self.conn_state[2] = wsgi.STATE_REQUEST
        self.environ = self.get_environ()
        self.application = self.server.app
        self.handle_one_response()

    def parse_request(self) -> bool:
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split(" ")
        if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
            self.send_error(400)
            return False
        self.command, self.path, self.request_version = words
        self.headers = http.client.parse_headers(self.rfile, _class=self.MessageClass)
        connection = self.headers.get("Connection", "").lower()
        self.close_connection = connection == "close" or (
            self.request_version == "HTTP/1.0" and connection != "keep-alive"
        )
        return True


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_requests_are_answered_one_after_another(body: bytes) -> None:
    with Site(reading_app, protocol=Reading) as site:
        replies = site.replies(b"PUT / HTTP/1.1\r\n" + body + GET)

    assert [(reply.status, reply.body) for reply in replies] == [(200, b"abc"), (200, b"")]


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Content-Length: +3\r\n",
        b"Host: a\r\nHost: b\r\n",
        b"Host: a\r\nX Y: b\r\nContent-Length: 3\r\n",
        b"Host: a\r\nX : b\r\nContent-Length: 3\r\n",
        b" Host: a\r\nContent-Length: 3\r\n",
        b": a\r\nContent-Length: 3\r\n",
        b"X: a\r\n b\r\n",
    ],
)
def test_what_frames_a_request_is_judged(lines: bytes) -> None:
    with Site(reading_app, protocol=Reading) as site:
        (reply,) = site.replies(b"PUT / HTTP/1.1\r\n" + lines + b"\r\nabc" + GET)

    assert reply.status == 400


def test_a_body_over_the_limit_is_refused() -> None:
    limits = wsgi.Limits(body_bytes=2)
    with Site(reading_app, protocol=Reading, limits=limits) as site:
        (reply,) = site.replies(b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")

    assert reply.status == 413


ACCEPTED = [
    case
    for case in CASES
    if case["expect"] == "accept" and (case["corpus"], case["name"]) not in NEEDS_A_READER
]


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda c: f"{c['corpus'][9:]}-{c['name']}")
def test_no_accepted_case_fails_or_is_read_twice(case: dict[str, Any]) -> None:
    with Site(reading_app, protocol=Reading) as site:
        statuses = [reply.status for reply in post(site, base64.b64decode(case["b64"]), 65536)]

    assert judge(case, statuses) or statuses == [400]  # its parser of the first line is simple
    assert "Traceback" not in site.log.text


class Lenient(wsgi.HttpProtocol):
    """Has its own parser alone, which takes any line end."""

    parse_request = Reading.parse_request


def test_a_request_line_that_ends_in_lf_alone_is_refused_before_a_parser_sees_it() -> None:
    with Site(reading_app, protocol=Lenient) as site, site.connect() as sock:
        sock.sendall(b"G")
        sleep(0.02)  # so that the first look at it shows nothing wrong
        sock.sendall(b"ET / HTTP/1.1\nHost: a\r\nConnection: close\r\n\r\n")
        (reply,) = parse_replies(read_to_end(sock))

    assert reply.status == 400
