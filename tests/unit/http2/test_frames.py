"""Frames are cut out of bytes that come in any pieces."""

from __future__ import annotations

import pytest
from hyperframe.frame import DataFrame, PingFrame, SettingsFrame
from hyperframe.frame import Frame as HyperFrame

from eventlet._http2.frames import PREFACE, ErrorCode, Frame, FrameCutter, Kind, ProtocolBroken


def cut(cutter: FrameCutter, data: bytes) -> list[Frame]:
    cutter.feed(data)
    return list(cutter.frames())


def test_frames_come_out_as_they_went_in_whatever_the_pieces() -> None:
    sent: list[HyperFrame] = [
        SettingsFrame(0),
        PingFrame(0, b"abcdefgh"),
        DataFrame(5, b"x" * 100, flags=["END_STREAM"]),
    ]
    data = PREFACE + b"".join(each.serialize() for each in sent)
    cutter = FrameCutter()

    frames = [frame for i in range(len(data)) for frame in cut(cutter, data[i : i + 1])]

    assert [(each.kind, each.stream_id, each.size) for each in frames] == [
        (Kind.SETTINGS, 0, 0),
        (Kind.PING, 0, 8),
        (Kind.DATA, 5, 100),
    ]
    assert b"".join(each.raw for each in frames) == data[len(PREFACE) :]
    assert cutter.is_between


def test_a_preface_that_is_none_shows_early() -> None:
    with pytest.raises(ProtocolBroken) as caught:
        cut(FrameCutter(), b"PRI * HTTP/1")
    assert caught.value.code == ErrorCode.PROTOCOL_ERROR


def test_a_frame_that_is_too_long_is_refused_by_its_first_bytes() -> None:
    with pytest.raises(ProtocolBroken) as caught:
        cut(FrameCutter(), PREFACE + (16385).to_bytes(3, "big") + bytes(6))
    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_it_knows_whether_a_part_of_a_frame_is_waiting() -> None:
    cutter = FrameCutter()
    assert not cutter.is_between
    cut(cutter, PREFACE)
    assert cutter.is_between
    cut(cutter, DataFrame(1, b"abc").serialize()[:4])
    assert not cutter.is_between
    assert cutter.begins_with_data


def test_padding_is_no_data() -> None:
    raw = DataFrame(1, b"abc", pad_length=5, flags=["PADDED"]).serialize()
    (frame,) = cut(FrameCutter(), PREFACE + raw)

    assert frame.size == 9
    assert frame.data_size == 3
