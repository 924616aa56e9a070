"""Our heads beside those of llhttp: where both accept they agree, where not it is known why."""

from __future__ import annotations

import re

import httptools
from hypothesis import given
from hypothesis import strategies as st

from eventlet._protocols.http1 import HeadParser
from eventlet._protocols.refusals import RequestRefused

# One line of a head, mostly good, sometimes not.
GOOD_NAMES = ["Host", "Accept", "X-A", "x_b", "Content-Length", "Content-Type", "Cookie"]
ODD_NAMES = ["Transfer-Encoding", "Connection", "X!#$%&'*+-.^_`|~9"]
BAD_NAMES = ["X\xe9", "X ", " X", "", "X("]
GOOD_VALUES = ["a", "a b", "a:1", "5", "05", "\tx\t ", "caf\xe9", "[::1]", "", "close"]
ODD_VALUES = ["chunked", "gzip, chunked", "identity", "keep-alive", "5,5", "+5", "a,b", "u@h"]
BAD_VALUES = ["a\x07", "a\x7f", "a\x00"]
NAMES = st.sampled_from([*GOOD_NAMES, *ODD_NAMES, *BAD_NAMES])
VALUES = st.sampled_from([*GOOD_VALUES, *ODD_VALUES, *BAD_VALUES])
SEPARATORS = st.sampled_from([":", ": ", ":\t", " :", ""])
ENDS = st.sampled_from(["\r\n"] * 30 + ["\n", "\r", "\r\r\n", "\r\n "])
FIELDS = st.tuples(NAMES, SEPARATORS, VALUES, ENDS).map("".join)
LINES = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "BREW", "get", "G:T", ""]),
    st.sampled_from([" "] * 8 + ["  ", "\t", ""]),
    st.sampled_from(["/", "/a?b", "/\xe9", "*", "http://a/b", "a", "/a b", "/\x01"]),
    st.sampled_from([" "] * 8 + ["  ", "\t", ""]),
    st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1"]),
    ENDS,
).map("".join)
HEADS = st.tuples(LINES, st.lists(FIELDS, max_size=4).map("".join)).map("".join)

# What we serve and llhttp does not.
ONLY_OURS = re.compile(
    r"BREW |get |"  # a method it has not heard of
    r"[A-Z]+ [^ ]*[^\x00-\x7f]|"  # bytes above 127 in the target
    r"[^\r]* HTTP/1\.[2-9]\r|"  # a later minor version
    r"[A-Z]+ \*|"  # it judges the target by the method
    r"[A-Z]+ [a-z]"
)


class Collector:
    """The callbacks of llhttp."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def ours(head: bytes) -> list[tuple[str, str]] | None:
    try:
        return list(HeadParser().parse(head)[1].raw)
    except RequestRefused:
        return None


def theirs(head: bytes) -> list[tuple[str, str]] | None:
    collector = Collector()
    try:
        httptools.HttpRequestParser(collector).feed_data(head + b"\r\n\r\n")
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return None
    return collector.fields if collector.is_complete else None


@given(HEADS)
def test_where_both_accept_a_head_they_read_the_same_fields(text: str) -> None:
    head = text.removesuffix("\r\n").encode("latin-1")
    mine, reference = ours(head), theirs(head)

    if mine is not None and reference is not None:
        assert mine == reference


@given(HEADS)
def test_what_llhttp_refuses_we_serve_for_known_reasons_only(text: str) -> None:
    head = text.removesuffix("\r\n").encode("latin-1")

    if theirs(head) is None and ours(head) is not None:
        assert ONLY_OURS.match(text)
