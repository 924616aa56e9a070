"""Thousands of mutated requests over real sockets, each as an independent reader has it.

One reading of every request: what the application sees is what the oracle sees, what the oracle
refuses is refused, and nothing behind a refusal is answered. Both paths of the server are tried.
"""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.greenpool import GreenPool

from tests.unit.server.http1_messages import NEXT
from tests.unit.server.http1_mutations import FAMILIES
from tests.unit.server.http1_oracle import judge
from tests.unit.server.http1_telling import fault, tell
from tests.unit.server.site import Site, read_to_end

AT_ONCE = 50


class Classic(wsgi.HttpProtocol):
    """Reads line by line."""

    wbufsize = 8192


def ask(site: Site, data: bytes) -> bytes:
    with site.connect() as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before the end
        return read_to_end(sock)


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
