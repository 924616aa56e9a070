"""Whatever comes, and however it is cut: the same events, or the same refusal, and no crash."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet._websocket.compression import Inflater
from eventlet._websocket.errors import FailedConnectionError
from eventlet._websocket.reading import FrameReader, Message

from tests.depth import games
from tests.unit.websocket.peer import deflate, frame

LIMIT = 200
CODES = {1002: "protocol", 1007: "data", 1009: "length"}  # any other is a KeyError


def read(pieces: list[bytes], client: bool = False) -> list[Any]:
    """Read all; the last event is the refusal, if there is one."""
    reader = FrameReader(client, LIMIT, Inflater(15, False))
    events: list[Any] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (event := reader.next_event()) is not None:
                events.append(event.data if isinstance(event, Message) else event)
    except FailedConnectionError as exc:
        events.append((CODES[exc.status], exc.message))
    return events


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


payloads = st.one_of(
    st.binary(max_size=250), st.text(max_size=60).map(str.encode), st.just(b"x" * 126)
)
frames = st.builds(
    lambda opcode, first, payload, squeezed, masked, length: frame(
        opcode,
        deflate(payload) if squeezed else payload,
        first=first | (0x40 if squeezed else 0),
        mask=masked,
        length=length,
    ),
    st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 3]),
    st.sampled_from([0x80, 0x80, 0x80, 0, 0, 0x20]),
    payloads,
    st.booleans(),
    st.sampled_from([True] * 9 + [False]),
    st.sampled_from([None] * 9 + [5]),
)
places = st.lists(st.integers(0, 5000), max_size=12)


@pytest.mark.slow
@games(100)
@given(st.lists(frames, max_size=8).map(b"".join), places)
def test_frames_mean_the_same_however_they_are_cut(data: bytes, where: list[int]) -> None:
    whole = read([data])

    assert read(cut(data, where)) == whole
    assert read([data[i : i + 1] for i in range(len(data))]) == whole


@games(100)
@given(st.binary(max_size=300), places, st.booleans())
def test_noise_is_refused_or_waited_for(data: bytes, where: list[int], client: bool) -> None:
    assert read(cut(data, where), client) == read([data], client)


@games(100)
@given(st.lists(st.one_of(st.text(max_size=40), st.binary(max_size=100)), max_size=8), places)
def test_good_messages_all_arrive(messages: list[str | bytes], where: list[int]) -> None:
    data = b"".join(
        frame(1, message.encode()) if isinstance(message, str) else frame(2, message)
        for message in messages
    )

    assert read(cut(data, where)) == messages
