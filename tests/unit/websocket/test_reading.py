"""Frames in, one after the other or in the smallest pieces: what they mean, what they break."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from eventlet._websocket.compression import Inflater
from eventlet._websocket.errors import FailedConnectionError
from eventlet._websocket.reading import Event, FrameReader, Message, PeerClose, Ping, Pong

from tests.unit.websocket.peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    close_frame,
    deflate,
    frame,
)

LIMIT = 1000


def read(data: bytes, *, step: int = 1 << 20, deflated: bool = False) -> list[Event]:
    """Feed a reader of the server's side, `step` bytes at a time."""
    reader = FrameReader(False, LIMIT, Inflater(15, False) if deflated else None)
    events = []
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        while (event := reader.next_event()) is not None:
            events.append(event)
    return events


def refusal(data: bytes, *, deflated: bool = False) -> tuple[int, str]:
    """Say how the reader refuses, which it does whole or in pieces."""
    found = set()
    for step in (1 << 20, 1, 3):
        with pytest.raises(FailedConnectionError) as raised:
            read(data, step=step, deflated=deflated)
        found.add((raised.value.status, raised.value.message))
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
def test_messages_in_pieces_of_any_size(step: int) -> None:
    data = b"".join(
        [
            frame(TEXT, "gr\u00fc\u00df dich".encode()),
            frame(BINARY, bytes(range(256))),
            frame(TEXT, b""),
            frame(TEXT, "\u20ac".encode()[:1], first=0),
            frame(PING, b"between"),
            frame(CONTINUATION, "\u20ac".encode()[1:2], first=0),
            frame(CONTINUATION, b"", first=0),
            frame(PONG),
            frame(CONTINUATION, "\u20ac".encode()[2:]),
            close_frame(4000, "\u00e4".encode()),
        ]
    )

    assert read(data, step=step) == [
        Message("gr\u00fc\u00df dich", None),
        Message(bytes(range(256)), None),
        Message("", None),
        Ping(b"between"),
        Pong(b""),
        Message("\u20ac", None),
        PeerClose(b"\x0f\xa0\xc3\xa4", 4000, "\u00e4"),
    ]


REFUSED = {
    "RSV1 without an extension": (frame(TEXT, b"x", first=FIN | RSV1), 1002),
    "RSV2": (frame(TEXT, b"x", first=FIN | RSV2), 1002),
    "RSV3": (frame(TEXT, b"x", first=FIN | RSV3), 1002),
    "RSV2 on a ping": (frame(PING, first=FIN | RSV2), 1002),
    "RSV1 on a close frame": (frame(CLOSE, first=FIN | RSV1), 1002),
    "an unmasked frame": (frame(TEXT, b"x", mask=False), 1002),
    "an unmasked empty frame": (frame(TEXT, mask=False), 1002),
    "a fragmented ping": (frame(PING, first=0), 1002),
    "a fragmented close frame": (frame(CLOSE, first=0), 1002),
    "a long ping": (frame(PING, bytes(126)), 1002),
    "a long close frame": (close_frame(1000, bytes(124)), 1002),
    "a misplaced continuation": (frame(CONTINUATION, b"x"), 1002),
    "a continuation behind the end": (frame(TEXT, b"x") + frame(CONTINUATION, b"x"), 1002),
    "a message within a message": (frame(TEXT, b"x", first=0) + frame(TEXT, b"y"), 1002),
    "bytes within a text": (frame(TEXT, b"x", first=0) + frame(BINARY, b"y"), 1002),
    "a length in more bytes than needed": (b"\x82\xfe\x00\x05" + bytes(9), 1002),
    "a length in eight bytes that fits two": (b"\x82\xff" + bytes(6) + b"\xff\xff", 1002),
    "a length with its highest bit set": (b"\x82\xff\x80" + bytes(7), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "bad UTF-8": (frame(TEXT, b"ab\xff"), 1007),
    "half a character at the end": (frame(TEXT, b"\xe2\x82"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "bad UTF-8 over two frames": (frame(TEXT, b"\xe2", first=0) + frame(CONTINUATION, b"("), 1007),
    "bad UTF-8 in a close reason": (close_frame(1000, b"\xff"), 1007),
}


@pytest.mark.parametrize("data, code", REFUSED.values(), ids=REFUSED)
def test_refusals(data: bytes, code: int) -> None:
    status, message = refusal(data)

    assert status == code
    assert message


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_unknown_opcodes_are_refused(opcode: int) -> None:
    assert refusal(frame(opcode))[0] == 1002


@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_close_codes_that_may_be_sent(code: int) -> None:
    assert [event.code for event in read(close_frame(code)) if isinstance(event, PeerClose)] == [
        code
    ]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
def test_close_codes_that_must_not_be_sent(code: int) -> None:
    assert refusal(close_frame(code))[0] == 1002


def test_an_empty_close_frame_has_no_code() -> None:
    assert read(frame(CLOSE)) == [PeerClose(b"", 1005, "")]


def test_a_client_takes_no_masked_frames() -> None:
    reader = FrameReader(True, LIMIT, None)
    reader.feed(frame(TEXT, b"ok", mask=False) + frame(TEXT, b"x"))

    assert reader.next_event() == Message("ok", None)
    with pytest.raises(FailedConnectionError) as raised:
        reader.next_event()
    assert raised.value.status == 1002


# -- limits ------------------------------------------------------------------------------------


def test_the_limit_itself_passes() -> None:
    assert read(frame(BINARY, bytes(LIMIT))) == [Message(bytes(LIMIT), None)]


@pytest.mark.parametrize("length", [LIMIT + 1, 1 << 16, 1 << 62])
def test_a_long_frame_is_refused_before_any_of_its_payload(length: int) -> None:
    assert refusal(frame(BINARY, length=length)[:-4] + bytes(4)) == (
        1009,
        f"Incoming frame of {length} bytes is above length limit of {LIMIT} bytes.",
    )


def test_a_message_of_many_frames_is_refused_with_the_header_that_is_too_much() -> None:
    data = frame(BINARY, bytes(600), first=0) + frame(CONTINUATION, length=401)

    assert refusal(data)[0] == 1009


def test_many_frames_up_to_the_limit_pass() -> None:
    data = frame(BINARY, bytes(600), first=0) + frame(CONTINUATION, bytes(400))

    assert read(data + data) == [Message(bytes(LIMIT), None)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_byte_by_byte_takes_little_memory(opcode: int) -> None:
    reader = FrameReader(False, 1 << 20, None)
    piece = frame(CONTINUATION, b"x", first=0) + frame(CONTINUATION, first=0)
    reader.feed(frame(opcode, first=0))

    tracemalloc.start()
    try:
        for _ in range(10_000):
            reader.feed(piece)
            assert reader.next_event() is None
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    reader.feed(frame(CONTINUATION, b"\r\n"))
    text = "x" * 10_000 + "\r\n"
    assert reader.next_event() == Message(text if opcode == TEXT else text.encode(), None)


# -- compressed messages -------------------------------------------------------------------------


def packed(data: bytes, opcode: int = TEXT) -> bytes:
    return frame(opcode, deflate(data), first=FIN | RSV1)


@pytest.mark.parametrize("step", [1, 5, 1 << 20])
def test_compressed_messages_in_pieces_of_any_size(step: int) -> None:
    stream = zlib.compressobj(wbits=-15)
    data = b""
    for text in (b"hello hello", b"hello hello", b""):
        payload = (stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH) or b"\0....")[:-4]
        data += (
            frame(TEXT, payload[:3], first=RSV1) + frame(PING) + frame(CONTINUATION, payload[3:])
        )
    data += frame(TEXT, b"plain")

    events = [event for event in read(data, step=step, deflated=True) if isinstance(event, Message)]
    assert [event.data for event in events] == ["hello hello", "hello hello", "", "plain"]
    assert [event.decompressor is not None for event in events] == [True, True, True, False]


def test_the_example_of_a_stream_that_ends_in_the_middle() -> None:
    ended = bytes.fromhex("f348cdc9c9070000")

    events = read(frame(TEXT, ended, first=FIN | RSV1) * 2, deflated=True)
    assert [event.data for event in events if isinstance(event, Message)] == ["Hello", "Hello"]


def test_inflated_up_to_the_limit_passes() -> None:
    events = read(packed(b"a" * LIMIT) * 2, deflated=True)

    assert [event.data for event in events if isinstance(event, Message)] == ["a" * LIMIT] * 2


def test_inflated_over_the_limit_is_refused() -> None:
    assert refusal(packed(b"a" * (LIMIT + 1)), deflated=True)[0] == 1009


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compressobj(9, wbits=-15)
    payload = bomb.compress(bytes(50 << 20)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    reader = FrameReader(False, 100_000, Inflater(15, False))
    reader.feed(frame(BINARY, payload[:-4], first=FIN | RSV1))

    tracemalloc.start()
    try:
        with pytest.raises(FailedConnectionError) as raised:
            reader.next_event()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert raised.value.status == 1009


@pytest.mark.parametrize(
    "data, code",
    [
        (frame(TEXT, b"\xff\xff\xff", first=FIN | RSV1), 1007),
        (packed(b"\xff"), 1007),
        (frame(TEXT, b"x", first=RSV1) + frame(CONTINUATION, b"x", first=FIN | RSV1), 1002),
        (frame(PING, b"x", first=FIN | RSV1), 1002),
        (frame(TEXT, b"x", first=FIN | RSV1 | RSV2), 1002),
        (frame(TEXT, b"\x03\x00" * 100, first=FIN | RSV1), 1007),
    ],
    ids=[
        "no deflate stream",
        "bad UTF-8",
        "RSV1 on a continuation",
        "on a ping",
        "RSV2",
        "streams",
    ],
)
def test_compressed_refusals(data: bytes, code: int) -> None:
    assert refusal(data, deflated=True)[0] == code
