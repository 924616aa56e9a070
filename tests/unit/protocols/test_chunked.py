from __future__ import annotations

import pytest

from eventlet._protocols.chunked import (
    ChunkReadError,
    check_beginning,
    check_trailer_line,
    encode_chunk,
    parse_size_line,
)


@pytest.mark.parametrize(
    "line, size",
    [
        (b"0\r\n", 0),
        (b"000\r\n", 0),
        (b"5\r\n", 5),
        (b"1e\r\n", 30),
        (b"1E\r\n", 30),
        (b"0005\r\n", 5),
        (b"ffffffffffffffff\r\n", 2**64 - 1),
        (b"5;a\r\n", 5),
        (b"5;a=b\r\n", 5),
        (b"5 ; a = b\r\n", 5),
        (b"5; some; parameters=stuff\r\n", 5),
        (b'5;a="b c;\\"d"\r\n', 5),
    ],
)
def test_size_lines(line: bytes, size: int) -> None:
    assert parse_size_line(line) == size


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"5",
        b"5\n",
        b"5\r",
        b"\r\n",
        b" 5\r\n",
        b"5 \r\n",
        b"-5\r\n",
        b"+5\r\n",
        b"0x5\r\n",
        b"5_0\r\n",
        b"5 5\r\n",
        b"g\r\n",
        b"10000000000000000\r\n",
        b"5;\r\n",
        b"5;a=\r\n",
        b";a\r\n",
        b"5;a=b\rc\r\n",
        b'5;a="b\r\n',
        b"5;a=b\0\r\n",
        b"5\n;\r\n",
        b"\xb25\r\n",
    ],
)
def test_size_lines_that_are_none(line: bytes) -> None:
    with pytest.raises(ChunkReadError):
        parse_size_line(line)


def test_the_error_is_a_value_error() -> None:
    assert issubclass(ChunkReadError, ValueError)


def test_an_empty_line_ends_the_trailer() -> None:
    assert check_trailer_line(b"\r\n") is True
    assert check_trailer_line(b"Vary: *\r\n") is False


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"Vary",
        b"Vary: *",
        b"Vary: *\n",
        b"Vary\r\n",
        b"Vary : *\r\n",
        b" Vary: *\r\n",
        b"Vary: a\0b\r\n",
        b"Vary: a\rb\r\n",
        b"Content-Length: 99\r\n",
        b"content-length: 99\r\n",
        b"Host: a\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ],
)
def test_trailer_lines_that_are_none(line: bytes) -> None:
    with pytest.raises(ChunkReadError):
        check_trailer_line(line)


WHOLE = b"5;a\r\nhello\r\n1\r\n!\r\n0\r\nVary: *\r\n\r\n"


@pytest.mark.parametrize("length", range(len(WHOLE) + 1))
def test_every_beginning_of_a_good_body_is_good(length: int) -> None:
    check_beginning(WHOLE[:length])


def test_what_follows_a_body_is_not_looked_at() -> None:
    check_beginning(WHOLE + b"-5\r\n\0")


@pytest.mark.parametrize(
    "data",
    [
        b"-5\r\n",
        b"\r\n",
        b"5\r\nhelloX",
        b"5\r\nhello\rX",
        b"5\r\nhello\r\n5_0\r\n",
        b"0\r\nHost: a\r\n",
        b"0\r\nVary: *\r\nHost: a\r\n",
    ],
)
def test_a_bad_beginning_is_refused(data: bytes) -> None:
    with pytest.raises(ChunkReadError):
        check_beginning(data)


def test_chunks_are_framed_with_a_hexadecimal_size() -> None:
    assert encode_chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"


def test_an_empty_piece_does_not_end_the_body() -> None:
    assert encode_chunk(b"") == b""
