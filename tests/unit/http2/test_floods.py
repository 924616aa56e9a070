"""A client that asks for much and gives little."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from eventlet._http2 import connection, guard
from eventlet._http2.frames import PREFACE, ErrorCode, FrameCutter
from eventlet._http2.frames import Frame as CutFrame
from eventlet._unpatched import monotonic
from eventlet.greenthread import sleep, spawn

from tests.unit.http2.peer import POST, Peer
from tests.unit.http2.site import Gate, echo, hello, peer_of, site

Flood = Callable[[Peer, int], Iterable[Frame | bytes]]
MANY = 5000

pytestmark = pytest.mark.slow


def opened_and_reset(peer: Peer, number: int) -> Iterable[Frame]:
    stream_id = 2 * number + 1
    return (
        HeadersFrame(
            stream_id, peer.encoder.encode(list(POST)), flags=["END_HEADERS", "END_STREAM"]
        ),
        RstStreamFrame(stream_id, error_code=8),
    )


def made_to_reset(peer: Peer, number: int) -> Iterable[Frame]:
    stream_id = 2 * number + 1
    return (
        HeadersFrame(stream_id, peer.encoder.encode(list(POST)), flags=["END_HEADERS"]),
        WindowUpdateFrame(stream_id, window_increment=2**31 - 1),
    )


def malformed(peer: Peer, number: int) -> Iterable[Frame]:
    block = peer.encoder.encode([*POST, ("connection", "close")])
    return (HeadersFrame(2 * number + 1, block, flags=["END_HEADERS"]),)


def continued(peer: Peer, number: int) -> Iterable[Frame]:
    if not number:
        return (HeadersFrame(1, peer.encoder.encode(list(POST))),)
    return (ContinuationFrame(1, b""),)


def long_block(peer: Peer, number: int) -> Iterable[Frame]:
    if not number:
        return (HeadersFrame(1, peer.encoder.encode(list(POST))),)
    return (ContinuationFrame(1, b"\0\x01a\x7f\x80\x7f" + bytes(16000)),)


def empty_data(peer: Peer, number: int) -> Iterable[Frame]:
    if not number:
        return (HeadersFrame(1, peer.encoder.encode(list(POST)), flags=["END_HEADERS"]),)
    return (DataFrame(1, b""),)


FLOODS: dict[str, Flood] = {
    "PING": lambda peer, number: (PingFrame(0, bytes(8)),),
    "SETTINGS": lambda peer, number: (SettingsFrame(0, settings={4: 65535 + number % 2}),),
    "acknowledged SETTINGS": lambda peer, number: (SettingsFrame(0, flags=["ACK"]),),
    "PRIORITY": lambda peer, number: (PriorityFrame(1, depends_on=3),),
    "WINDOW_UPDATE": lambda peer, number: (WindowUpdateFrame(0, window_increment=1),),
    "unknown frames": lambda peer, number: (ExtensionFrame(0xBB, 0),),
    "empty DATA": empty_data,
    "CONTINUATION": continued,
    "a header block without end": long_block,
    "rapid reset": opened_and_reset,
    "made to reset": made_to_reset,
    "malformed requests": malformed,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
@pytest.mark.parametrize("reads", [True, False])
def test_a_flood_ends_the_connection(flood: Flood, reads: bool) -> None:
    began = resource.getrusage(resource.RUSAGE_SELF)
    gate = Gate()
    gate.open()
    with site(gate) as served, Peer(served.connect()) as peer:
        reader = spawn(peer.ending) if reads else None
        for number in range(MANY):
            try:
                peer.send(*flood(peer, number))
            except OSError:
                break
        code = peer.ending() if reader is None else reader.wait()
        # Bytes that come after the end may be answered by a reset, which takes GOAWAY with it.
        assert code in (ErrorCode.ENHANCE_YOUR_CALM, None)
        assert "ENHANCE_YOUR_CALM" in served.log.text
        with Peer(served.connect()) as peer:
            peer.get(1)
            assert peer.answer(1).status == 200
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert used.ru_utime - began.ru_utime < 5.0


def test_the_code_arrives_where_the_client_waits_for_it() -> None:
    with peer_of(hello) as peer:
        peer.send(*[PingFrame(0, bytes(8)) for _ in range(1500)])
        assert peer.ending() == ErrorCode.ENHANCE_YOUR_CALM


def test_a_client_that_downloads_may_open_its_windows_as_often_as_it_likes() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return (b"x" * 100 for _ in range(1000))

    with peer_of(app, minimum_chunk_size=1) as peer:
        peer.get(1)
        assert len(peer.answer(1).body) == 100_000  # two WINDOW_UPDATE for each 100 bytes


def test_room_for_one_byte_at_a_time_is_not_for_free() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [bytes(100_000)]

    def dribble(peer: Peer) -> None:
        for _ in range(MANY):
            peer.make_room(1, 1)
            peer.wait_for(DataFrame)

    with site(app) as served, Peer(served.connect(), {4: 0}) as peer:
        peer.get(1)
        with pytest.raises((AssertionError, OSError)):
            dribble(peer)
        assert "ENHANCE_YOUR_CALM" in served.log.text


def test_heads_that_cost_much_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    # One takes some 20 ms. How many are judged before others run, if one is as much as a turn?
    fields = b"\x10\x01a\x00" * 3800
    head = b"\x82\x86\x84\x41\x01a" + fields
    in_a_row: list[int] = [0]
    judge = connection._Connection._judge

    def count(self: Any, frame: CutFrame) -> None:
        in_a_row[-1] += 1
        judge(self, frame)

    def tick() -> None:
        while True:
            sleep(0)
            in_a_row.append(0)

    monkeypatch.setattr(connection._Connection, "_judge", count)
    monkeypatch.setattr(connection, "TURN_SECONDS", 0.0)
    with peer_of(hello) as peer:
        ticker = spawn(tick)
        peer.send(
            b"".join(
                HeadersFrame(2 * number + 1, head, flags=["END_HEADERS", "END_STREAM"]).serialize()
                for number in range(30)
            )
        )
        assert peer.answer(59).status == 431
        ticker.kill()
    assert sum(in_a_row) >= 30
    assert max(in_a_row) <= 2


def test_heads_that_are_too_large_are_not_for_free() -> None:
    def ask(peer: Peer) -> None:
        fields = [(f"x-{number}", "") for number in range(120)]
        for number in range(guard.RESETS + 200):
            peer.get(2 * number + 1, *fields)
            peer.answer(2 * number + 1)

    with peer_of(hello) as peer:
        with pytest.raises((AssertionError, OSError)):
            ask(peer)
        assert peer.ending() == ErrorCode.ENHANCE_YOUR_CALM


def test_one_who_writes_in_tiny_pieces_holds_up_nobody() -> None:
    turns = [0]

    def tick() -> None:
        while True:
            sleep(0)
            turns[0] += 1

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        before = turns[0]
        for _ in range(1000):
            write(b"x")
        write(b"%d" % (turns[0] - before))
        return []

    with peer_of(app) as peer:
        ticker = spawn(tick)
        peer.get(1)
        body = peer.answer(1).body
        ticker.kill()
        assert int(body[1000:]) >= 10


def test_the_last_piece_of_a_body_is_no_crumb() -> None:
    judge = guard.Guard(65536, 0.0)
    frames = [
        SettingsFrame(0),
        HeadersFrame(1, b"", flags=["END_HEADERS"]),
        *(DataFrame(1, b"x", flags=["END_STREAM"]) for _ in range(guard.CRUMBS + 1)),
    ]
    for frame in frames:
        judge.check(cut(frame), 1, 0.0)
        assert not judge.is_crumbling(0.0)
    for _ in range(guard.CRUMBS + 1):
        judge.check(cut(DataFrame(1, b"x")), 1, 0.0)
    assert judge.is_crumbling(0.0)


def test_crumbs_go_through_no_faster_than_they_are_paid_for() -> None:
    clock = 0.0
    judge = guard.Guard(65536, clock)
    judge.check(cut(SettingsFrame(0)), 1, clock)
    crumb = cut(DataFrame(1, b"x"))
    rounds = 200
    for _ in range(rounds):
        for _ in range(connection.TURN_FRAMES):
            judge.check(crumb, 1, clock)
            clock += 0.00005
        if judge.is_crumbling(clock):
            clock += connection.CRUMB_SECONDS
    to_pay = rounds * connection.TURN_FRAMES - guard.CRUMBS
    assert clock * guard.CRUMBS_PER_SECOND > 0.95 * to_pay


def cut(frame: Frame) -> CutFrame:
    cutter = FrameCutter()
    cutter.feed(PREFACE + frame.serialize())
    (one,) = cutter.frames()
    return one


def test_resets_do_not_buy_more_streams_than_may_run() -> None:
    gate = Gate()
    with peer_of(gate) as peer:
        for stream_id in range(1, 301, 2):
            peer.get(stream_id)
            peer.ping()
            peer.reset(stream_id)
        peer.ping()
        assert gate.began == 100
        refused = [each for each in peer.frames if isinstance(each, RstStreamFrame)]
        assert {each.error_code for each in refused} == {ErrorCode.REFUSED_STREAM}
        assert len(refused) == 50
        gate.open()
        while gate.ended < 100:
            sleep(0.001)
        peer.get(301)
        assert peer.answer(301).status == 200


def test_a_request_that_is_reset_before_its_turn_is_never_run() -> None:
    gate = Gate()
    gate.open()
    with peer_of(gate) as peer:
        peer.send(*opened_and_reset(peer, 0))
        peer.ping()
    assert gate.began == 0


def test_a_bomb_of_header_compression_goes_off_outside() -> None:
    with peer_of(hello) as peer:
        entry = peer.encoder.encode([("x", "a" * 3900)])
        index = b"\xbe"  # the entry that was added last
        peer.send(HeadersFrame(1, entry + index * 12000, flags=["END_HEADERS", "END_STREAM"]))
        assert peer.ending() == ErrorCode.ENHANCE_YOUR_CALM


def test_a_client_cannot_have_us_keep_large_tables() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("X-" + environ["QUERY_STRING"], "y" * 1000)])
        return []

    with peer_of(app, {1: 2**31}) as peer:
        peer.decoder.max_allowed_table_size = 2**31
        for number in range(50):
            peer.get(2 * number + 1, path=f"/?{number}")
            assert peer.answer(2 * number + 1).status == 200
        assert peer.decoder.header_table_size <= 4096


def test_a_body_in_crumbs_is_read_slowly_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "CRUMBS", 100)
    with site(echo) as served, Peer(served.connect()) as peer, Peer(served.connect()) as other:
        began = monotonic()
        peer.post(1)
        peer.send(*[DataFrame(1, b"x") for _ in range(500)], DataFrame(1, flags=["END_STREAM"]))
        slow = spawn(peer.answer, 1)
        other.get(1)
        assert other.answer(1).status == 200
        assert not slow.dead
        assert slow.wait().body == b"x" * 500
        assert monotonic() - began > 0.25


def test_crumbs_that_come_one_at_a_time_are_read_as_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CRUMBS", 100)
    with peer_of(echo) as peer:
        began = monotonic()
        peer.post(1)
        for _ in range(400):
            peer.data(1, b"x")
            peer.ping()
        peer.data(1, b"", True)
        assert peer.answer(1).body == b"x" * 400
        assert monotonic() - began > 0.25


def test_a_body_takes_no_more_than_its_window_while_nobody_reads_it() -> None:
    gate = Gate()
    with peer_of(gate) as peer:
        peer.post(1)
        for _ in range(8):
            peer.data(1, bytes(16384))
        peer.ping()
        assert not any(
            isinstance(each, WindowUpdateFrame) and each.stream_id for each in peer.frames
        )
        peer.post(3)
        peer.data(3, b"", True)
        gate.open()
        assert peer.answer(3).status == 200


def test_a_response_is_made_no_faster_than_it_is_taken() -> None:
    made: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        for number in range(100):
            made.append(number)
            yield b"x" * 10_000

    with peer_of(app) as peer:
        peer.get(1)
        for _ in range(20):
            peer.ping()
        assert len(made) < 10  # the window is 65535 bytes
        came = sum(len(each.data) for each in peer.frames if isinstance(each, DataFrame))
        assert came == 65535
        peer.make_room(came, 0, 1)
        assert len(peer.answer(1).body) == 1_000_000


def test_a_stream_that_is_not_read_holds_up_no_other() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x" * 200_000] if environ["PATH_INFO"] == "/long" else [b"short"]

    with peer_of(app) as peer:
        peer.make_room(1_000_000)
        peer.get(1, path="/long")
        peer.ping()
        peer.get(3)
        assert peer.answer(3).body == b"short"


def test_streams_take_turns_in_the_room_of_the_connection() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x" * (1_000_000 if environ["PATH_INFO"] == "/long" else 100_000)]

    with peer_of(app, {4: 2**31 - 1}) as peer:
        peer.get(1, path="/long")
        peer.ping()
        peer.get(3)
        peer.get(5)
        over: set[int] = set()
        while over != {3, 5}:
            frame = peer.wait_for(DataFrame)
            peer.make_room(len(frame.data))
            over |= {frame.stream_id} if "END_STREAM" in frame.flags else set()
        long = sum(
            len(each.data)
            for each in peer.frames
            if isinstance(each, DataFrame) and each.stream_id == 1
        )
        assert long < 500_000


def test_windows_may_be_closed_and_opened_by_settings() -> None:
    with peer_of(echo, {4: 0}) as peer:
        peer.post(1)
        peer.data(1, b"hello", True)
        peer.wait_for(HeadersFrame)
        peer.ping()
        assert not any(isinstance(each, DataFrame) for each in peer.frames)
        peer.send(SettingsFrame(0, settings={4: 3}))
        assert peer.wait_for(DataFrame).data == b"hel"
        peer.make_room(1, 1)
        assert peer.wait_for(DataFrame).data == b"l"
        peer.send(SettingsFrame(0, settings={4: 10}))
        assert peer.wait_for(DataFrame).data == b"o"


def test_frames_are_no_longer_than_the_client_takes() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x" * 60_000]

    with peer_of(app) as peer:
        peer.get(1)
        peer.answer(1)
        sizes = [len(each.data) for each in peer.frames if isinstance(each, DataFrame)]
        assert max(sizes) == 16384
