"""A client that takes its time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame, PingFrame

from eventlet._http2 import connection
from eventlet._http2.frames import PREFACE, ErrorCode
from eventlet._http2.guard import MAX_CONTINUATIONS
from eventlet._unpatched import monotonic
from eventlet.greenthread import kill, sleep, spawn
from eventlet.timeout import Timeout
from eventlet.wsgi import Limits

from tests.unit.http2.peer import GET, POST, Peer
from tests.unit.http2.site import echo, hello, peer_of, site
from tests.unit.server.site import read_to_end, wait_until

SHORT = 0.1


@pytest.mark.parametrize("begin", [b"", PREFACE[:10]])
def test_a_client_that_does_not_begin(begin: bytes) -> None:
    limits = Limits(idle_timeout=SHORT, head_timeout=SHORT)
    with site(hello, limits=limits) as served, served.connect() as sock:
        sock.sendall(begin)
        assert read_to_end(sock) == b""


def test_an_idle_connection_is_told_and_ends() -> None:
    with peer_of(hello, limits=Limits(idle_timeout=SHORT)) as peer:
        peer.get(1)
        peer.answer(1)
        assert peer.ending() == ErrorCode.NO_ERROR


@contextmanager
def sending(peer: Peer, frame: bytes) -> Iterator[list[bytes]]:
    """Send a frame again and again, before any deadline; give those that were sent."""
    sent: list[bytes] = []

    def go_on() -> None:
        with suppress(OSError):
            while True:
                sleep(SHORT / 2)
                peer.send(frame)
                sent.append(frame)

    thread = spawn(go_on)
    try:
        with Timeout(20):
            yield sent
    finally:
        kill(thread)


def test_pings_are_no_requests() -> None:
    with (
        peer_of(hello, limits=Limits(idle_timeout=SHORT)) as peer,
        sending(peer, PingFrame(0, bytes(8)).serialize()),
    ):
        assert peer.ending() == ErrorCode.NO_ERROR


@pytest.mark.parametrize("limits", [Limits(idle_timeout=60), Limits(head_timeout=60)])
def test_a_server_that_is_held_up_itself_blames_nobody(
    monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> None:
    """What was there when the server had time to look has come in time."""
    monkeypatch.setattr(connection, "RECEIVE_BYTES", 17)  # a PING
    with peer_of(hello, limits=limits) as peer:
        peer.ping()
        clock = itertools.count(monotonic(), 100.0)  # that passes from one look to the next
        monkeypatch.setattr(connection, "monotonic", lambda: next(clock))
        peer.send(PingFrame(0, bytes(8)), peer.head(1, (*GET, ("x-long", "a" * 50))))
        assert peer.answer(1).body == b"hello"


def test_a_number_in_keepalive_is_the_idle_time() -> None:
    with peer_of(hello, keepalive=SHORT) as peer:
        assert peer.ending() == ErrorCode.NO_ERROR


def test_a_request_in_flight_is_no_idleness() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        sleep(3 * SHORT)
        return hello(environ, start_response)

    with peer_of(app, limits=Limits(idle_timeout=SHORT)) as peer:
        peer.get(1)
        assert peer.answer(1).body == b"hello"
        assert peer.ending() == ErrorCode.NO_ERROR


def test_a_frame_that_does_not_end() -> None:
    with peer_of(hello, limits=Limits(head_timeout=SHORT)) as peer:
        peer.send(PingFrame(0, bytes(8)).serialize()[:12])
        assert peer.ending() == ErrorCode.ENHANCE_YOUR_CALM


def test_a_header_block_that_does_not_end_whatever_comes_of_it() -> None:
    with peer_of(hello, limits=Limits(head_timeout=SHORT)) as peer:
        block = peer.encoder.encode(list(POST))
        peer.send(HeadersFrame(1, block[:1]))
        with sending(peer, b"\0\0\0\x09\0\0\0\0\x01") as sent:
            assert peer.ending() == ErrorCode.ENHANCE_YOUR_CALM
        assert len(sent) < MAX_CONTINUATIONS  # it was not their number


def test_a_slow_body_is_408_and_harms_its_own_stream_alone() -> None:
    with peer_of(echo, limits=Limits(body_timeout=SHORT)) as peer:
        peer.post(1)
        peer.data(1, b"some")
        assert peer.answer(1).status == 408
        peer.post(3)
        peer.data(3, b"all", True)
        assert peer.answer(3).body == b"all"


def test_a_part_of_a_data_frame_is_a_slow_body() -> None:
    with peer_of(echo, limits=Limits(body_timeout=SHORT, head_timeout=60)) as peer:
        peer.post(1)
        peer.send(b"\0\0\x05\0\x01\0\0\0\x01ab")
        assert peer.answer(1).status == 408


def test_a_window_that_stays_closed_ends_its_own_stream_alone() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x" * 100_000]

    limits = Limits(write_timeout=SHORT)
    with site(app, limits=limits) as served, Peer(served.connect(), {4: 0}) as peer:
        peer.get(1)
        assert peer.answer(1).reset == ErrorCode.CANCEL
        peer.get(3)
        peer.make_room(200_000, 0, 3)
        assert len(peer.answer(3).body) == 100_000
        assert "Traceback" not in served.log.text


def test_a_client_that_reads_nothing_at_all_is_left() -> None:
    ended: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            start_response("200 OK", [])
            while True:
                yield b"x" * 65536
        finally:
            ended.append(1)

    limits = Limits(write_timeout=SHORT)
    with site(app, limits=limits) as served, Peer(served.connect(), {4: 2**31 - 1}) as peer:
        peer.make_room(2**31 - 65536)
        peer.get(1)
        wait_until(lambda: ended == [1])
        assert "Traceback" not in served.log.text


def test_the_time_out_of_the_socket_is_that_of_each_wait() -> None:
    with peer_of(echo, socket_timeout=SHORT) as peer:
        peer.post(1)
        assert peer.answer(1).status == 408
        assert peer.ending() == ErrorCode.NO_ERROR
