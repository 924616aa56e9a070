"""A client that breaks HTTP/2: the stream is reset, or the connection ends, with the right code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from eventlet._http2.frames import ErrorCode
from eventlet.greenthread import sleep, spawn

from tests.unit.http2.peer import GET, POST, Peer
from tests.unit.http2.site import Gate, echo, hello, peer_of, site
from tests.unit.server.site import wait_until

Fault = Callable[[Peer], Any]
PROTOCOL_ERROR = ErrorCode.PROTOCOL_ERROR


def frame(kind: int, flags: int, stream_id: int, payload: bytes, size: int | None = None) -> bytes:
    length = len(payload) if size is None else size
    head = length.to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big")
    return head + payload


def block(peer: Peer, *extra: tuple[str, str]) -> bytes:
    return peer.encoder.encode([*GET, *extra])


def half_a_block(peer: Peer) -> HeadersFrame:
    return HeadersFrame(1, block(peer)[:2], flags=["END_STREAM"])


# What ends the connection.
BROKEN: dict[str, tuple[Fault, ErrorCode]] = {
    "a frame that is too long": (
        lambda peer: peer.send(frame(0, 0, 1, b"", 16385)),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "PING of another size": (
        lambda peer: peer.send(frame(6, 0, 0, b"1234567")),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "PING on a stream": (lambda peer: peer.send(frame(6, 0, 1, b"12345678")), PROTOCOL_ERROR),
    "SETTINGS of an odd size": (
        lambda peer: peer.send(frame(4, 0, 0, b"12345")),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "SETTINGS on a stream": (lambda peer: peer.send(frame(4, 0, 1, b"")), PROTOCOL_ERROR),
    "SETTINGS: push of 2": (
        lambda peer: peer.send(SettingsFrame(0, settings={2: 2})),
        PROTOCOL_ERROR,
    ),
    "SETTINGS: a window of 2**31": (
        lambda peer: peer.send(SettingsFrame(0, settings={4: 2**31})),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "SETTINGS: frames of 1 byte": (
        lambda peer: peer.send(SettingsFrame(0, settings={5: 1})),
        PROTOCOL_ERROR,
    ),
    "SETTINGS: frames of 2**24": (
        lambda peer: peer.send(SettingsFrame(0, settings={5: 2**24})),
        PROTOCOL_ERROR,
    ),
    "WINDOW_UPDATE of another size": (
        lambda peer: peer.send(frame(8, 0, 0, b"123")),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "WINDOW_UPDATE of nothing": (
        lambda peer: peer.send(frame(8, 0, 0, bytes(4))),
        PROTOCOL_ERROR,
    ),
    "WINDOW_UPDATE beyond all bounds": (
        lambda peer: peer.make_room(2**31 - 1),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "WINDOW_UPDATE on an idle stream": (lambda peer: peer.make_room(1, 5), PROTOCOL_ERROR),
    "RST_STREAM on an idle stream": (lambda peer: peer.reset(5), PROTOCOL_ERROR),
    "RST_STREAM on no stream": (lambda peer: peer.send(frame(3, 0, 0, bytes(4))), PROTOCOL_ERROR),
    "RST_STREAM of another size": (
        lambda peer: peer.send(peer.head(1, GET), frame(3, 0, 1, bytes(3))),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "DATA on an idle stream": (lambda peer: peer.data(1, b"x"), PROTOCOL_ERROR),
    "DATA on no stream": (lambda peer: peer.send(frame(0, 0, 0, b"x")), PROTOCOL_ERROR),
    "DATA that is all padding": (
        lambda peer: peer.send(peer.head(1, POST, "END_HEADERS"), frame(0, 8, 1, b"\x05ab")),
        PROTOCOL_ERROR,
    ),
    "DATA beyond the window": (
        lambda peer: (
            peer.post(1),
            [peer.data(1, bytes(16384)) for _ in range(9)],
        ),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "HEADERS on no stream": (lambda peer: peer.send(frame(1, 5, 0, block(peer))), PROTOCOL_ERROR),
    "HEADERS on a stream of ours": (
        lambda peer: peer.send(frame(1, 5, 2, block(peer))),
        PROTOCOL_ERROR,
    ),
    "HEADERS on a stream passed over": (
        lambda peer: (peer.get(5), peer.get(3)),
        PROTOCOL_ERROR,
    ),
    "HEADERS that nobody can unpack": (
        lambda peer: peer.send(frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff")),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "HEADERS padded beyond their end": (
        lambda peer: peer.send(frame(1, 13, 1, b"\xff" + block(peer))),
        PROTOCOL_ERROR,
    ),
    "HEADERS that depend on themselves": (
        lambda peer: peer.send(frame(1, 0x25, 1, b"\0\0\0\x01\0" + block(peer))),
        PROTOCOL_ERROR,
    ),
    "trailers that do not end the stream": (
        lambda peer: (
            peer.post(1),
            peer.send(HeadersFrame(1, peer.encoder.encode([("a", "b")]), flags=["END_HEADERS"])),
        ),
        PROTOCOL_ERROR,
    ),
    "CONTINUATION of nothing": (
        lambda peer: peer.send(frame(9, 4, 1, block(peer))),
        PROTOCOL_ERROR,
    ),
    "CONTINUATION of another stream": (
        lambda peer: peer.send(half_a_block(peer), ContinuationFrame(3, b"")),
        PROTOCOL_ERROR,
    ),
    "PING within a header block": (
        lambda peer: peer.send(half_a_block(peer), PingFrame(0, bytes(8))),
        PROTOCOL_ERROR,
    ),
    "GOAWAY within a header block": (
        lambda peer: peer.send(half_a_block(peer), GoAwayFrame(0)),
        PROTOCOL_ERROR,
    ),
    "an unknown frame within a header block": (
        lambda peer: peer.send(half_a_block(peer), frame(0xBB, 0, 0, b"")),
        PROTOCOL_ERROR,
    ),
    "GOAWAY on a stream": (lambda peer: peer.send(frame(7, 0, 1, bytes(8))), PROTOCOL_ERROR),
    "GOAWAY cut short": (
        lambda peer: peer.send(frame(7, 0, 0, bytes(4))),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    "PUSH_PROMISE of a client": (
        lambda peer: (
            peer.post(1),
            peer.send(PushPromiseFrame(1, 2, block(peer), flags=["END_HEADERS"])),
        ),
        PROTOCOL_ERROR,
    ),
    "PRIORITY on itself": (
        lambda peer: peer.send(PriorityFrame(1, depends_on=1)),
        PROTOCOL_ERROR,
    ),
    "PRIORITY on no stream": (lambda peer: peer.send(frame(2, 0, 0, bytes(5))), PROTOCOL_ERROR),
    "PRIORITY of another size": (
        lambda peer: peer.send(frame(2, 0, 1, bytes(4))),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
}


@pytest.mark.parametrize("fault, code", BROKEN.values(), ids=BROKEN.keys())
def test_the_connection_ends(fault: Fault, code: ErrorCode) -> None:
    with site(echo) as served:
        with Peer(served.connect()) as peer:
            fault(peer)
            assert peer.ending() == code
        with Peer(served.connect()) as peer:
            peer.get(1)
            assert peer.answer(1).status == 200
        assert "Traceback" not in served.log.text


@pytest.mark.parametrize(
    "first",
    [
        PingFrame(0, bytes(8)),
        SettingsFrame(0, flags=["ACK"]),
        GoAwayFrame(0),
        ExtensionFrame(0xBB, 0),
    ],
)
def test_something_before_the_settings(first: Any) -> None:
    from eventlet._http2.frames import PREFACE

    with site(hello) as served, Peer(served.connect(), None) as peer:
        peer.send(PREFACE, first)
        assert peer.ending() == PROTOCOL_ERROR


# What resets the stream, and no other.
RESET: dict[str, tuple[Fault, ErrorCode]] = {
    "a body that is too long": (
        lambda peer: (peer.post(1, ("content-length", "1")), peer.data(1, b"ab", True)),
        PROTOCOL_ERROR,
    ),
    "a body that is too long before its end": (
        lambda peer: (peer.post(1, ("content-length", "1")), peer.data(1, b"ab")),
        PROTOCOL_ERROR,
    ),
    "a body that is too short": (
        lambda peer: (peer.post(1, ("content-length", "3")), peer.data(1, b"ab", True)),
        PROTOCOL_ERROR,
    ),
    "a body that trailers cut short": (
        lambda peer: (
            peer.post(1, ("content-length", "3")),
            peer.data(1, b"ab"),
            peer.send(peer.head(1, [("a", "b")])),
        ),
        PROTOCOL_ERROR,
    ),
    "a length without a body": (
        lambda peer: peer.send(peer.head(1, [*POST, ("content-length", "3")])),
        PROTOCOL_ERROR,
    ),
    "pseudo-headers among the trailers": (
        lambda peer: (peer.post(1), peer.send(peer.head(1, [(":path", "/")]))),
        PROTOCOL_ERROR,
    ),
    "no path": (lambda peer: peer.send(peer.head(1, GET[:3])), PROTOCOL_ERROR),
    "an upper-case name": (lambda peer: peer.get(1, ("X-A", "b")), PROTOCOL_ERROR),
    "a line end in a value": (lambda peer: peer.get(1, ("a", "b\r\nc: d")), PROTOCOL_ERROR),
    "a field of the connection": (
        lambda peer: peer.get(1, ("transfer-encoding", "chunked")),
        PROTOCOL_ERROR,
    ),
    "a window of the stream beyond all bounds": (
        lambda peer: (peer.post(1), peer.make_room(2**31 - 1, 1)),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "DATA behind the end": (
        lambda peer: (peer.post(1), peer.data(1, b"", True), peer.data(1, b"x")),
        ErrorCode.STREAM_CLOSED,
    ),
    "HEADERS behind the end": (
        lambda peer: (peer.get(1), peer.send(peer.head(1, [("a", "b")]))),
        ErrorCode.STREAM_CLOSED,
    ),
}


@pytest.mark.parametrize("fault, code", RESET.values(), ids=RESET.keys())
def test_the_stream_ends(fault: Fault, code: ErrorCode) -> None:
    gate = Gate()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/echo":
            return echo(environ, start_response)
        environ["wsgi.input"].read()
        return gate(environ, start_response)

    with site(app) as served, Peer(served.connect()) as peer:
        fault(peer)
        assert peer.wait_for(RstStreamFrame, 1).error_code == code
        peer.post(3, path="/echo")
        peer.data(3, b"still here", True)
        assert peer.answer(3).body == b"still here"
        gate.open()
        peer.ping()
        assert "Traceback" not in served.log.text


REFUSED: dict[str, tuple[tuple[str, str], int]] = {
    "another host": (("host", "b"), 400),
    "a long field": (("x", "a" * 9000), 400),
    "a length that is no number": (("content-length", "x"), 400),
    "several lengths in one": (("content-length", "1, 2"), 400),
}


@pytest.mark.parametrize("field, status", REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_request_has_a_status_and_a_line_in_the_log(
    field: tuple[str, str], status: int
) -> None:
    with site(hello) as served, Peer(served.connect()) as peer:
        peer.get(1, field, path="/x")
        assert peer.answer(1).status == status
        assert f'"GET /x HTTP/2" {status}' in served.log.requests[0]
        peer.get(3)
        assert peer.answer(3).status == 200


def test_lengths_that_differ_are_400_and_harm_no_other_stream() -> None:
    with peer_of(echo) as peer:
        peer.post(1)
        peer.post(3, ("content-length", "1"), ("content-length", "2"))
        assert peer.answer(3).status == 400
        peer.data(1, b"still here", True)
        assert peer.answer(1).body == b"still here"


def test_too_many_fields_are_431_and_the_tables_stay_in_step() -> None:
    with peer_of(hello) as peer:
        peer.get(1, *[(f"x-{i}", "1") for i in range(150)])
        assert peer.answer(1).status == 431
        peer.get(3, ("x-149", "1"))
        assert peer.answer(3).status == 200


def test_a_body_over_the_limit_is_413() -> None:
    from eventlet.wsgi import Limits

    with peer_of(echo, limits=Limits(body_bytes=10)) as peer:
        peer.post(1, ("content-length", "11"))
        assert peer.answer(1).status == 413
        peer.post(3)
        peer.data(3, b"x" * 11)
        assert peer.answer(3).status == 413
        peer.post(5)
        peer.data(5, b"x" * 10, True)
        assert peer.answer(5).body == b"x" * 10


def test_streams_beyond_the_limit_are_refused_and_the_others_go_on() -> None:
    gate = Gate()
    with peer_of(gate) as peer:
        for stream_id in range(1, 203, 2):
            peer.get(stream_id)
        assert peer.wait_for(RstStreamFrame).stream_id == 201
        gate.open()
        assert {each.status for each in peer.answers(*range(1, 201, 2))} == {200}
        peer.get(203)
        assert peer.answer(203).status == 200


def test_unknown_frames_flags_and_settings_mean_nothing() -> None:
    with peer_of(hello, {0x99: 5}) as peer:
        peer.send(frame(0xBB, 0xFF, 0, b"abc"), frame(6, 0xFE, 0, bytes(8)))
        peer.send(frame(0xBB, 0, 77, b"abc"))
        peer.get(1)
        assert peer.answer(1).status == 200


@pytest.mark.parametrize("stream_id", [0, 1, 2, 99])
@pytest.mark.parametrize("kind", [10, 11, 12, 16, 255])
def test_frames_of_extensions_mean_nothing_whatever_they_say(kind: int, stream_id: int) -> None:
    with peer_of(hello) as peer:
        for payload in (b"", b"abc", b"\xff\xffabc", b"\0\x01abc"):
            peer.send(frame(kind, 255, stream_id, payload))
        peer.get(1)
        assert peer.answer(1).status == 200


def test_a_priority_is_taken_notice_of_and_no_more() -> None:
    with peer_of(hello) as peer:
        peer.send(PriorityFrame(3, depends_on=1), frame(1, 0x25, 1, bytes(5) + block(peer)))
        assert peer.answer(1).status == 200


def test_frames_for_a_stream_that_has_ended_do_no_harm() -> None:
    with peer_of(hello) as peer:
        peer.get(1)
        peer.answer(1)
        peer.get(3)
        peer.answer(3)
        peer.make_room(1, 1)
        peer.reset(1)
        peer.send(PriorityFrame(1, depends_on=0))
        peer.get(5)
        assert peer.answer(5).status == 200


# --- the client goes away ---------------------------------------------------------------------------


def test_who_reads_the_body_of_a_stream_that_is_reset_hears_of_it() -> None:
    met: list[BaseException] = []
    hooks: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["eventlet.posthooks"].append((lambda env: hooks.append("ran"), (), {}))
        try:
            environ["wsgi.input"].read()
        except OSError as exc:
            met.append(exc)
            raise
        return []

    with site(app) as served, Peer(served.connect()) as peer:
        peer.post(1)
        peer.data(1, b"some")
        peer.ping()
        peer.reset(1)
        wait_until(lambda: bool(hooks))
        assert isinstance(met[0], ConnectionResetError)
        assert "Traceback" not in served.log.text


def test_who_writes_to_a_stream_that_is_reset_hears_of_it_and_is_closed() -> None:
    ended: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])

        def pieces() -> Iterable[bytes]:
            try:
                while True:
                    yield b"x" * 10000
            finally:
                ended.append("closed")

        return pieces()

    with site(app) as served, Peer(served.connect()) as peer:
        peer.get(1)
        peer.wait_for(DataFrame)
        peer.reset(1)
        wait_until(lambda: ended == ["closed"])
        peer.ping()
        assert "Traceback" not in served.log.text


@pytest.mark.parametrize("is_abrupt", [True, False])
def test_a_client_that_is_gone_ends_all_its_streams(is_abrupt: bool) -> None:
    from tests.unit.server.site import reset

    ended: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            if environ["PATH_INFO"] == "/read":
                environ["wsgi.input"].read()
            start_response("200 OK", [])
            yield b"x" * 1_000_000
        finally:
            ended.append(environ["PATH_INFO"])

    with site(app) as served:
        peer = Peer(served.connect())
        peer.post(1, path="/read")
        peer.get(3, path="/write")
        peer.wait_for(DataFrame)
        (reset if is_abrupt else type(peer.sock).close)(peer.sock)
        wait_until(lambda: sorted(ended) == ["/read", "/write"])
        sleep(0)
        assert "Traceback" not in served.log.text


def test_a_client_that_says_goodbye_gets_what_it_has_asked_for() -> None:
    gate = Gate()
    with peer_of(gate) as peer:
        peer.get(1)
        gate.wait_for(1)
        peer.send(GoAwayFrame(0))
        peer.wait_for(GoAwayFrame)
        gate.open()
        assert peer.answer(1).body == b"hello"
        assert peer.ending() == ErrorCode.NO_ERROR


def test_the_last_word_says_which_streams_were_heard() -> None:
    with peer_of(echo) as peer:
        peer.get(1)
        peer.answer(1)
        peer.get(3)
        peer.answer(3)
        peer.send(WindowUpdateFrame(0, window_increment=2**31 - 1))
        assert peer.wait_for(GoAwayFrame).last_stream_id == 3


@pytest.mark.parametrize("is_reset", [True, False])
def test_a_request_that_is_over_wakes_who_else_reads_its_body(is_reset: bool) -> None:
    met: list[BaseException] = []

    def read(body: Any) -> None:
        try:
            body.read()
        except OSError as exc:
            met.append(exc)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        spawn(read, environ["wsgi.input"])
        sleep(0)
        if is_reset:
            raise ValueError("it was of no use")
        return hello(environ, start_response)

    with peer_of(app) as peer:
        peer.post(1)
        peer.answer(1)
        wait_until(lambda: bool(met))
        assert isinstance(met[0], ConnectionResetError)


def test_a_request_that_is_over_says_so_to_who_writes_on() -> None:
    kept: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kept.append(start_response("200 OK", []))
        kept[0](b"a piece")
        raise ValueError("and then it failed")

    with peer_of(app) as peer:
        peer.get(1)
        assert peer.answer(1).reset == ErrorCode.INTERNAL_ERROR
        with pytest.raises(ConnectionResetError):
            kept[0](b"another piece")


def test_two_who_wait_for_one_body_both_wake() -> None:
    got: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        readers = [spawn(lambda: got.append(body.read(1))) for _ in range(2)]
        for reader in readers:
            reader.wait()
        return hello(environ, start_response)

    with peer_of(app) as peer:
        peer.post(1)
        peer.ping()
        peer.data(1, b"ab", True)
        assert peer.answer(1).body == b"hello"
        assert sorted(got) == [b"a", b"b"]


def test_an_unexpected_end_of_the_writer_ends_all_its_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from eventlet._http2.outbox import Outbox

    gate = Gate()

    def run(outbox: Outbox) -> None:
        gate.wait_for(1)
        raise ValueError("nobody thought of this")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        gate.began += 1
        try:
            return [environ["wsgi.input"].read()]
        finally:
            gate.ended += 1

    monkeypatch.setattr(Outbox, "run", run)
    with peer_of(app) as peer:
        peer.post(1)
        assert peer.ending() is None
        assert gate.ended == 1
