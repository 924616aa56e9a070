"""Whatever comes, the server neither fails, nor hangs, nor keeps anything.

`HTTP2_SECONDS` makes it longer; descriptors, green threads and timers that are left behind are
found by the check that every test has.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from eventlet._unpatched import monotonic
from eventlet.greenpool import GreenPool
from eventlet.timeout import Timeout
from eventlet.wsgi import Limits

from tests.unit.http2.noise import damaged, sound
from tests.unit.http2.peer import Peer
from tests.unit.http2.site import site
from tests.unit.server.site import Site, read_to_end, reset

ANSWER_SECONDS = 30.0
SECONDS = float(os.environ.get("HTTP2_SECONDS", "4"))
CLIENTS = 8


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise OSError("of the application")
    body = environ["wsgi.input"].read() if path == "/echo" else b""
    start_response("200 OK", [])
    if path == "/big":
        return (b"x" * 10_000 for _ in range(20))
    return [body]


@pytest.mark.slow
@pytest.mark.time_limit(SECONDS + 60)
@pytest.mark.parametrize("make", [sound, damaged])
def test_noise(make: Any) -> None:
    sessions = 0

    def client(served: Site, seed: int) -> None:
        nonlocal sessions
        random = Random(seed)
        own = 0
        while monotonic() < end or own < 2:
            data = make(random)
            with served.connect() as sock, suppress(BrokenPipeError, ConnectionResetError):
                _talk(random, sock, data)
            own += 1
        sessions += own

    limits = Limits(idle_timeout=5, head_timeout=5, body_timeout=5, write_timeout=5)
    with site(app, limits=limits) as served:
        end = monotonic() + SECONDS / 2
        pool = GreenPool(CLIENTS)
        for each in [pool.spawn(client, served, seed) for seed in range(CLIENTS)]:
            each.wait()
        with Peer(served.connect()) as peer:
            peer.get(1)
            assert peer.answer(1).status == 200
        assert sessions >= 2 * CLIENTS
        faults = served.log.text.split("Traceback")[1:]
        assert [each for each in faults if "OSError: of the application" not in each] == []


def _talk(random: Random, sock: Any, data: bytes) -> None:
    sent = 0
    while sent < len(data):
        size = random.choice([len(data), 1 + random.randrange(100), 1 + random.randrange(20000)])
        sock.sendall(data[sent : sent + size])
        sent += size
    way = random.random()
    if way < 0.2:
        reset(sock)
    elif way > 0.4:
        sock.shutdown(socket.SHUT_WR)
        with Timeout(ANSWER_SECONDS, AssertionError("the server neither answers nor closes")):
            read_to_end(sock)
