"""The corpus over real sockets: at once, in lines, byte by byte, and behind another request.

The client never ends its side: an answer must come, and the server must end the connection, for
what the client has sent alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep

from tests.unit.server.http1_corpus import CASES, Asked, Case
from tests.unit.server.site import Site, parse_replies, read_to_end

AT_ONCE = 50
FIRST = b"PUT /before HTTP/1.1\r\nContent-Length: 1\r\n\r\nb"


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    def parse_request(self) -> bool:
        return super().parse_request()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with what was asked, read in whichever way is its turn."""
    body = environ["wsgi.input"]
    read = READERS[int(environ["REMOTE_PORT"]) % len(READERS)]
    asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"], read(body))
    start_response("200 OK", [])
    return [repr(asked).encode("ascii", "backslashreplace")]


READERS: list[Callable[[Any], bytes]] = [
    lambda body: body.read(),
    lambda body: b"".join(body.readlines()),
    b"".join,
    lambda body: b"".join(iter(lambda: body.read(1), b"")),
    lambda body: b"".join(iter(lambda: body.readline(3), b"")),
]


def at_once(data: bytes) -> list[bytes]:
    return [data]


def in_lines(data: bytes) -> list[bytes]:
    """Cut between CR and LF, and behind LF."""
    return re.findall(rb"\n|[^\n]+", data)


def in_bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def ask(site: Site, pieces: list[bytes]) -> bytes:
    with site.connect() as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
                sleep(0)
        except OSError:
            pass  # refused before the end
        try:
            return read_to_end(sock)
        except TimeoutError:
            return b""  # which no case has for its answer


def fault(case: Case, raw: bytes, before: tuple[Asked, ...] = ()) -> str | None:
    """Say what is wrong with the answers to a case."""
    replies = parse_replies(raw)
    bodies = [reply.body for reply in replies if reply.status == 200]
    expected = [
        repr(asked).encode("ascii", "backslashreplace") for asked in (*before, *case.served)
    ]
    if bodies != expected:
        return f"served {bodies}, not {expected}"
    refusals = [reply.status for reply in replies if reply.status != 200]
    if len(refusals) != bool(case.refusals) or not case.refusals.issuperset(refusals):
        return f"refused with {refusals}, not {set(case.refusals)}"
    if not replies or replies[-1].headers["Connection"] != "close":
        return "the last answer does not say that it is the last"
    return None


PROTOCOLS = pytest.mark.parametrize(
    "protocol", [wsgi.HttpProtocol, Classic], ids=["fast", "classic"]
)


@PROTOCOLS
@pytest.mark.parametrize(
    ("cut", "cases"),
    [
        (at_once, CASES),
        (in_lines, [case for case in CASES if len(case.data) < 20_000]),
        (in_bytes, [case for case in CASES if len(case.data) < 500][::4]),  # for the time it takes
    ],
)
def test_every_case_has_its_answer(
    cut: Callable[[bytes], list[bytes]], cases: list[Case], protocol: Any
) -> None:
    faults, log = try_all(cases, cut, protocol)

    assert faults == []
    assert_clean(log)


@PROTOCOLS
def test_every_case_has_its_answer_behind_another_request(protocol: Any) -> None:
    cases = [case for case in CASES if len(case.data) < 5000]

    faults, log = try_all(cases, at_once, protocol, FIRST, (("PUT", "/before", b"b"),))

    assert faults == []
    assert_clean(log)


def try_all(
    cases: list[Case],
    cut: Callable[[bytes], list[bytes]],
    protocol: Any,
    first: bytes = b"",
    before: tuple[Asked, ...] = (),
) -> tuple[list[Any], str]:
    pool = GreenPool(AT_ONCE)
    with Site(app, protocol=protocol) as site:
        answers = pool.imap(lambda case: (case, ask(site, cut(first + case.data))), cases)
        faults = [
            (case.data[:300], what)
            for case, raw in answers
            if (what := fault(case, raw, before)) is not None
        ]
    return faults, site.log.text


def assert_clean(log: str) -> None:
    """Nothing failed, and nothing that a client sent reached the log as it was."""
    assert "Traceback" not in log
    assert all(line.isprintable() for line in log.split("\n"))


def test_there_are_many_cases() -> None:
    assert len(CASES) > 900


def test_the_fault_finder_can_find_one() -> None:
    served = Case(b"", (("GET", "/", b""),))
    refused = Case(b"", (), frozenset({400}))
    body = repr(served.served[0]).encode()
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    )
    refusal = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    assert fault(served, answer) is None
    assert fault(refused, refusal) is None
    for case, raw in [
        (served, b""),
        (served, answer * 2),
        (served, refusal),
        (served, answer + refusal),
        (served, answer.replace(b"GET", b"PUT")),
        (served, answer.replace(b"close", b"other")),
        (refused, b""),
        (refused, answer),
        (refused, refusal * 2),
        (refused, refusal.replace(b"400", b"500")),
        (refused, refusal.replace(b"close", b"other")),
    ]:
        assert fault(case, raw) is not None, (case, raw)


@PROTOCOLS
@pytest.mark.parametrize(
    ("data", "logged"),
    [
        (b"GET /a HTTP/1.1\r\nX: \0\r\n\r\n", '"GET /a HTTP/1.1" 400 '),
        (b"GET /a HTTP/1.1\r\nX: y\r\nno colon\r\n\r\n", '"GET /a HTTP/1.1" 400 '),
        (b"GET /" + b"a" * 9000, '"GET /aaa'),
        (b"GET /a HTTP/1.1\r\nX: " + b"a" * 9000, '"GET /a HTTP/1.1" 400 '),
        (b"\x16\x03\x01", r'"\x16\x03\x01" 400 '),
        (b"GET /a HTTP/1.1\nHost: a\n\n", '"GET /a HTTP/1.1'),
    ],
)
def test_a_refusal_is_logged_with_what_came(data: bytes, logged: str, protocol: Any) -> None:
    with Site(app, protocol=protocol) as site:
        site.exchange(data, half_close=False)

    (line,) = site.log.requests
    assert logged in line
    assert len(line) < 1200
    assert_clean(site.log.text)
