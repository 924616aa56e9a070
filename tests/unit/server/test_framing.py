"""Thousands of mutated requests over real sockets, each as an independent reader has it.

One reading of every request: what the application sees is what the oracle sees, what the oracle
refuses is refused, and nothing behind a refusal is answered. Both paths of the server are tried.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.greenpool import GreenPool

from tests.unit.server.http1_messages import NEXT
from tests.unit.server.http1_mutations import FAMILIES
from tests.unit.server.http1_oracle import Opinion, judge
from tests.unit.server.site import Reply, Site, parse_replies, read_to_end

AT_ONCE = 50
REFUSALS = {400, 414, 431, 501, 505}


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    wbufsize = 8192


def tell(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with what was asked."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    words = [
        environ["REQUEST_METHOD"],
        environ["RAW_PATH_INFO"],
        environ.get("QUERY_STRING"),
        environ.get("HTTP_HOST"),
    ]
    return [repr(words).encode("ascii", "backslashreplace"), b"\n", body]


def told(opinion: Opinion) -> list[bytes]:
    """What `tell` has to say of the requests that are to be served."""
    answers = []
    for served in opinion.served:
        words = [
            None if word is None else word.decode("latin-1")
            for word in (served.method, served.path, served.query, served.host)
        ]
        body = repr(words).encode("ascii", "backslashreplace") + b"\n" + served.body
        answers.append(b"" if served.method in (b"HEAD", b"CONNECT") else body)
    return answers


def ask(site: Site, data: bytes) -> bytes:
    with site.connect() as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before the end
        return read_to_end(sock)


def fault(data: bytes, raw: bytes) -> str | None:
    """Say what is wrong with the answers to some bytes; None if nothing is."""
    opinion = judge(data)
    # For the standard library's client an answer to CONNECT may have a body; ours has none.
    methods = [served.method.decode().replace("CONNECT", "HEAD") for served in opinion.served]
    try:
        replies: list[Reply] = parse_replies(raw, methods)
    except Exception as exc:
        return f"answers that are none: {exc!r}"
    answers = [reply.body for reply in replies if reply.status == 200]
    if answers != told(opinion):
        return f"served {answers}, not {told(opinion)}"
    refusals = [reply.status for reply in replies if reply.status != 200]
    if not set(refusals) <= REFUSALS or (refusals and replies[-1].status == 200):
        return f"refusals {refusals}"
    allowed = {"over": [0], "refused": [1], "unfinished": [0, 1]}[opinion.end]
    return None if len(refusals) in allowed else f"{opinion.end}, but refused with {refusals}"


@pytest.mark.parametrize("protocol", [wsgi.HttpProtocol, Classic], ids=["fast", "classic"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_mutation_has_one_reading(family: str, protocol: Any) -> None:
    cases = list(dict.fromkeys(data + NEXT for data in FAMILIES[family]()))
    pool = GreenPool(AT_ONCE)
    with Site(tell, protocol=protocol) as site:
        answers = pool.imap(lambda data: (data, ask(site, data)), cases)
        faults = [(data, what) for data, raw in answers if (what := fault(data, raw)) is not None]

    assert faults == []
    assert "Traceback" not in site.log.text


def test_there_are_thousands_of_them() -> None:
    assert len({data for family in FAMILIES.values() for data in family()}) > 4000


def test_the_fault_finder_can_find_one() -> None:
    refused = b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    next_told = b"['GET', '/next', None, 'next']\n"
    served = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(next_told) + next_told

    assert fault(NEXT, served) is None
    assert fault(b"\0" + NEXT, refused) is None
    for data, raw in [
        (NEXT, b""),
        (NEXT, served * 2),
        (NEXT, served + refused),
        (NEXT, refused),
        (NEXT, served.replace(b"/next", b"/nexT")),
        (NEXT, served[:-1]),
        (b"\0" + NEXT, b""),
        (b"\0" + NEXT, served),
        (b"\0" + NEXT, refused + served),
        (b"\0" + NEXT, refused.replace(b"400", b"500")),
    ]:
        assert fault(data, raw) is not None, (data, raw)


@pytest.mark.parametrize(
    ("data", "opinion"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", r"served=\[Served\(method=b'GET', path=b'/'.*'over'"),
        (b"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "served=.., end='refused'"),
        (b"GET / HTTP/1.1\r\nContent", "served=.., end='unfinished'"),
    ],
)
def test_the_oracle_has_an_opinion(data: bytes, opinion: str) -> None:
    assert re.search(opinion, repr(judge(data)))
