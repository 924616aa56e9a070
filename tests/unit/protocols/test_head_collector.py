from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet._protocols.head_collector import HeadCollector, HeadLimits, check_bytes
from eventlet._protocols.http1 import HeadParser
from eventlet._protocols.refusals import (
    BadRequest,
    HeaderLineTooLong,
    HeadersTooLarge,
    RequestLineTooLong,
    RequestRefused,
)


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1")


# --- limits -------------------------------------------------------------------------------------


LIMITS = HeadLimits(request_line=40, header_line=30, total=80)


def line_of(length: int, start: str) -> str:
    return start + "a" * (length - 2 - len(start))


def test_a_request_line_may_not_reach_its_limit() -> None:
    start = "GET /"
    fits = start + "a" * (39 - 2 - len("GET / HTTP/1.1")) + " HTTP/1.1"
    LIMITS.check(fits.encode())

    with pytest.raises(RequestLineTooLong) as caught:
        LIMITS.check(fits.replace("/", "/a").encode())

    assert (caught.value.status, caught.value.phrase) == (414, "Request URI Too Long")


def test_a_header_line_may_not_reach_its_limit() -> None:
    LIMITS.check(head("GET / HTTP/1.1", line_of(29, "X: ")))

    with pytest.raises(HeaderLineTooLong) as caught:
        LIMITS.check(head("GET / HTTP/1.1", line_of(30, "X: ")))

    assert (caught.value.status, caught.value.phrase) == (400, "Header Line Too Long")


def test_all_header_lines_may_not_exceed_their_limit() -> None:
    lines = [line_of(29, "X: "), line_of(29, "X: ")]
    LIMITS.check(head("GET / HTTP/1.1", *lines, line_of(22, "X: ")))

    with pytest.raises(HeadersTooLarge) as caught:
        LIMITS.check(head("GET / HTTP/1.1", *lines, line_of(23, "X: ")))

    assert (caught.value.status, caught.value.phrase) == (400, "Headers Too Large")


# --- gathering ----------------------------------------------------------------------------------


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("size", range(1, len(REQUEST) + 1))
def test_a_head_in_pieces_of_any_size(size: int) -> None:
    collector = HeadCollector(HeadLimits())
    pieces = [REQUEST[i : i + size] for i in range(0, len(REQUEST), size)]

    found = [collector.feed(piece) for piece in pieces]

    assert found[:-1] == [None] * (len(pieces) - 1)
    assert found[-1] == (REQUEST[:-4], b"")


def test_what_follows_a_head_is_handed_back() -> None:
    assert HeadCollector(HeadLimits()).feed(REQUEST + b"next") == (REQUEST[:-4], b"next")


@pytest.mark.parametrize("pieces", [[b"\r\n\r\n", REQUEST], [b"\r", b"\n" + REQUEST]])
def test_empty_lines_before_a_request_are_skipped(pieces: list[bytes]) -> None:
    collector = HeadCollector(HeadLimits())

    assert [collector.feed(piece) for piece in pieces] == [None, (REQUEST[:-4], b"")]


def feed_all(collector: HeadCollector, pieces: list[bytes]) -> None:
    for piece in pieces:
        assert collector.feed(piece) is None


def test_empty_lines_have_an_end() -> None:
    collector = HeadCollector(LIMITS)

    with pytest.raises(HeadersTooLarge):
        feed_all(collector, [b"\r\n"] * 80)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\n",
        b"HELO there\r\n",
        b"GET /\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nX: \0",
        b"GET / HTTP/1.1\r\nX: a\rb\r\n",
        b"GET / HTTP/1.1\rHost: a\r\r",
        b"GET / HTTP/1.1\r\nX: a\rb",
    ],
)
def test_what_can_never_be_a_head_is_refused_before_its_end(data: bytes) -> None:
    with pytest.raises(BadRequest):
        HeadCollector(HeadLimits()).feed(data)


@pytest.mark.parametrize(
    "data, refusal",
    [
        (b"GET /" + b"a" * 40, RequestLineTooLong),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 30, HeaderLineTooLong),
        (b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaaaaaaaaa\r\n" * 5, HeadersTooLarge),
        (b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaaaaaaaaa\r\n" * 5 + b"\r\n", HeadersTooLarge),
    ],
)
def test_limits_hold_before_the_end_of_a_head(data: bytes, refusal: type[RequestRefused]) -> None:
    with pytest.raises(refusal):
        HeadCollector(LIMITS).feed(data)

    collector = HeadCollector(LIMITS)
    with pytest.raises(refusal):
        feed_all(collector, [data[i : i + 1] for i in range(len(data))])


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_head_that_just_fits_may_come_in_pieces(size: int) -> None:
    whole = head("GET / HTTP/1.1", *[line_of(20, "X: ")] * 4, "", "")
    collector = HeadCollector(LIMITS)

    found = [collector.feed(whole[i : i + size]) for i in range(0, len(whole), size)]

    assert found[-1] == (whole[:-4], b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02",
        b"\r\n\0",
        b"GET / HTTP/1.1\r\nX: \x7f",
        b"GET / HTTP/1.1\rHost: a\r\r",
        b"GET / HTTP/1.1\r\nHost: a\n",
    ],
)
def test_bytes_that_are_in_no_head(data: bytes) -> None:
    with pytest.raises(BadRequest):
        check_bytes(data)


@pytest.mark.parametrize("length", range(len(REQUEST) + 1))
def test_bytes_that_may_be_in_a_head(length: int) -> None:
    check_bytes(REQUEST[:length])
    check_bytes(b"\r\n" + REQUEST[:length])


def test_bytes_behind_a_head_are_not_looked_at() -> None:
    check_bytes(REQUEST + b"\0\r\n\n")


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20))
def test_the_verdict_does_not_depend_on_the_pieces(pieces: list[bytes]) -> None:
    def verdict(parts: list[bytes]) -> object:
        collector = HeadCollector(HeadLimits())
        rest = b""
        try:
            for i, part in enumerate(parts):
                found = collector.feed(part)
                if found is not None:
                    rest = found[1] + b"".join(parts[i + 1 :])
                    return HeadParser().parse(found[0]), rest
        except RequestRefused:
            return "refused"
        return None

    prefix = [b"GET / HTTP/1.1\r\nHost: a\r\nX: "]
    whole = verdict([b"".join(prefix + pieces + [b"\r\n\r\n"])])

    assert verdict([*prefix, *pieces, b"\r\n\r\n"]) == whole


def test_what_came_of_a_refused_head_is_kept() -> None:
    collector = HeadCollector(HeadLimits())
    collector.feed(b"GET / HTTP/1.1\r\n")

    with pytest.raises(BadRequest):
        collector.feed(b"X: \0")

    assert collector.begun == b"GET / HTTP/1.1\r\nX: \0"
