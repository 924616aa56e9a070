from __future__ import annotations

import zlib

import pytest

from eventlet._websocket.compression import Deflater, Inflater, make_deflater, make_inflater
from eventlet._websocket.errors import FailedConnectionError
from eventlet._websocket.extensions import DeflateParameters

MESSAGES = [b"spam " * 50, b"", b"spam " * 50, bytes(70_000), b""]
PLENTY = 1 << 20


@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("pieces", [1, 3])
def test_what_was_compressed_is_inflated(bits: int, forgets: bool, pieces: int) -> None:
    deflater, inflater = Deflater(bits, forgets), Inflater(bits, forgets)

    for message in MESSAGES:
        step = len(message) // pieces + 1
        parts = [message[i * step : (i + 1) * step] for i in range(pieces)]
        packed = [deflater.compress(part, False) for part in parts[:-1]]
        packed.append(deflater.compress(parts[-1], True))
        inflated = [inflater.inflate(each, PLENTY) for each in packed]
        assert b"".join([*inflated, inflater.finish(PLENTY)]) == message


def test_context_is_kept_or_not() -> None:
    keeps, forgets = Deflater(15, False), Deflater(15, True)
    for deflater in (keeps, forgets):
        deflater.compress(b"some words of length", True)

    assert len(keeps.compress(b"some words of length", True)) < 10
    assert len(forgets.compress(b"some words of length", True)) > 20


def test_inflating_stops_at_the_limit() -> None:
    packed = Deflater(15, False).compress(bytes(1 << 20), True)

    assert len(Inflater(15, False).inflate(packed, 1000)) == 1000


def test_streams_that_end_are_followed_by_others() -> None:
    def ended(data: bytes) -> bytes:
        return zlib.compress(data, wbits=-15)

    inflater = Inflater(15, False)
    for _ in range(20):
        assert inflater.inflate(ended(b"a") + ended(b"b") + b"\0", PLENTY) == b"ab"
        assert inflater.finish(PLENTY) == b""
    with pytest.raises(FailedConnectionError, match="Too many"):
        inflater.inflate(ended(b"") * 18, PLENTY)


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x07", b"\x00\x01\x00\x00\x00"])
def test_what_is_not_compressed_is_refused(data: bytes) -> None:
    with pytest.raises(FailedConnectionError) as raised:
        Inflater(15, False).inflate(data, PLENTY)

    assert raised.value.status == 1007


def test_who_compresses_with_what() -> None:
    parameters = DeflateParameters(server_max_window_bits=8, client_max_window_bits=10)

    assert make_deflater(None, True) is None
    assert make_inflater(None, True) is None
    assert make_deflater(parameters, False) is None  # zlib has no such small window
    assert make_deflater(parameters, True) is not None
    assert make_inflater(parameters, True) is not None
