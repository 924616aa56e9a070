from __future__ import annotations

import time
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet._protocols.http1 import HeaderFields, HeadParser, RequestLine
from eventlet._protocols.refusals import (
    MAX_FIELDS,
    BadRequest,
    RequestRefused,
    TooManyFields,
    UnsupportedCoding,
    UnsupportedVersion,
)


class Request(NamedTuple):
    """A parsed head, flat."""

    line: RequestLine
    fields: HeaderFields

    @property
    def keep_alive(self) -> bool:
        return not self.fields.closes and (self.line.minor == 1 or self.fields.keeps)


def parse_head(data: bytes, *, is_lenient: bool = False) -> Request:
    return Request(*HeadParser(is_lenient).parse(data))


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1")


# --- what is read -----------------------------------------------------------------------


def test_a_head_is_taken_apart() -> None:
    request = parse_head(
        head(
            "POST /a?b=c HTTP/1.1",
            "Host: example.com:80",
            "content-TYPE:text/plain",
            "Content-Length: 5",
            "X-Thing: \t one two\t ",
        )
    )

    assert request.line.text == "POST /a?b=c HTTP/1.1"
    assert request.line[1:] == ("POST", "/a?b=c", 1)
    assert list(request.fields.raw) == [
        ("Host", "example.com:80"),
        ("content-TYPE", "text/plain"),
        ("Content-Length", "5"),
        ("X-Thing", "one two"),
    ]
    assert request.fields.variables == {
        "HTTP_HOST": "example.com:80",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "5",
        "HTTP_X_THING": "one two",
    }
    assert (request.fields.content_length, request.fields.is_chunked) == (5, False)


def test_repeated_fields_are_joined_in_order() -> None:
    request = parse_head(head("GET / HTTP/1.1", "Accept: a", "X: 1", "Accept: b", "accept: c"))

    assert request.fields.variables == {"HTTP_ACCEPT": "a,b,c", "HTTP_X": "1"}
    assert len(request.fields.raw) == 4


def test_repeated_cookies_are_joined_as_cookies() -> None:
    request = parse_head(head("GET / HTTP/1.1", "Cookie: a=1", "Cookie: b=2"))

    assert request.fields.variables["HTTP_COOKIE"] == "a=1; b=2"


def test_a_name_with_an_underscore_is_a_field_but_no_variable() -> None:
    request = parse_head(head("GET / HTTP/1.1", "X_A: 1", "Content_Length: 7", "X-A: 2"))

    assert request.fields.variables == {"HTTP_X_A": "2"}
    assert list(request.fields.raw) == [("X_A", "1"), ("Content_Length", "7"), ("X-A", "2")]
    assert request.fields.content_length is None


def test_bytes_above_127_are_one_character_each() -> None:
    request = parse_head("GET /ü HTTP/1.1\r\nX: café".encode())

    assert request.line.target == "/Ã¼"
    assert request.fields.variables["HTTP_X"] == "cafÃ©"


def test_only_blanks_and_tabs_are_stripped_from_a_value() -> None:
    request = parse_head(b"GET / HTTP/1.1\r\nX: \xa0value\x85 ")

    assert request.fields.variables["HTTP_X"] == "\xa0value\x85"


@pytest.mark.parametrize("method", ["GET", "BREW", "get", "M-SEARCH", "x!#$%&'*+.^_`|~0"])
def test_any_name_is_a_method(method: str) -> None:
    assert parse_head(head(f"{method} / HTTP/1.1")).line.method == method


@pytest.mark.parametrize(
    "version, minor", [("HTTP/1.0", 0), ("HTTP/1.1", 1), ("HTTP/1.2", 1), ("HTTP/1.9", 1)]
)
def test_every_version_1_is_spoken(version: str, minor: int) -> None:
    assert parse_head(head(f"GET / {version}")).line.minor == minor


@pytest.mark.parametrize(
    "version, options, keep_alive",
    [
        ("HTTP/1.1", [], True),
        ("HTTP/1.1", ["close"], False),
        ("HTTP/1.1", ["Close"], False),
        ("HTTP/1.1", ["x, close"], False),
        ("HTTP/1.1", ["keep-alive, close"], False),
        ("HTTP/1.1", ["x", "close"], False),
        ("HTTP/1.1", ["closed"], True),
        ("HTTP/1.0", [], False),
        ("HTTP/1.0", ["Keep-Alive"], True),
        ("HTTP/1.0", ["x,keep-alive"], True),
        ("HTTP/1.0", ["close, keep-alive"], False),
    ],
)
def test_connection_is_a_list_of_options(
    version: str, options: list[str], keep_alive: bool
) -> None:
    request = parse_head(head(f"GET / {version}", *(f"Connection: {o}" for o in options)))

    assert request.keep_alive is keep_alive


@pytest.mark.parametrize(
    "host",
    [
        *("a", "a.b-c_d~:80", "127.0.0.1", "0.0.0.0=5000", "a:", "%41", "a:65535", "a:00080"),
        *("[::1]", "[::1]:8080", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:7:8]", "[v1.a:b]"),
    ],
)
def test_hosts_with_and_without_a_port(host: str) -> None:
    assert parse_head(head("GET / HTTP/1.1", f"Host: {host}")).fields.variables["HTTP_HOST"] == host


def test_no_host_is_fine() -> None:
    assert parse_head(head("GET / HTTP/1.1")).fields.variables == {}


# --- one framing decision ------------------------------------------------------------------


def test_neither_length_nor_coding_means_no_body() -> None:
    request = parse_head(head("POST / HTTP/1.1"))

    assert (request.fields.content_length, request.fields.is_chunked) == (None, False)


@pytest.mark.parametrize(
    "values",
    [["chunked"], ["Chunked"], ["gzip, chunked"], ["gzip", "chunked"], ["identity,\tchunked"]],
)
def test_chunked_as_the_last_coding(values: list[str]) -> None:
    request = parse_head(
        head("POST / HTTP/1.1", *(f"Transfer-Encoding: {value}" for value in values))
    )

    assert request.fields.is_chunked


@pytest.mark.parametrize(
    "value",
    [
        "",
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, chunked",
        "chunked, identity, chunked",
        "chunked,",
        "xchunked",
        "chunked;q=1",
        '"chunked"',
    ],
)
def test_a_coding_whose_end_is_not_certain_is_refused(value: str) -> None:
    with pytest.raises(BadRequest):
        parse_head(head("POST / HTTP/1.1", f"Transfer-Encoding: {value}"))


@pytest.mark.parametrize("value", ["br, chunked", ", chunked", "chunke\xe9, chunked"])
def test_a_coding_nobody_knows_is_not_implemented(value: str) -> None:
    with pytest.raises(UnsupportedCoding) as caught:
        parse_head(head("POST / HTTP/1.1", f"Transfer-Encoding: {value}"))

    assert caught.value.status == 501


def test_a_coding_on_version_1_0_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"HTTP/1\.0"):
        parse_head(head("POST / HTTP/1.0", "Transfer-Encoding: chunked"))


def test_length_and_coding_together_are_refused() -> None:
    with pytest.raises(BadRequest, match="both"):
        parse_head(head("POST / HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"))


def test_chunked_wins_where_that_is_asked_for() -> None:
    request = parse_head(
        head("POST / HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"),
        is_lenient=True,
    )

    assert (request.fields.content_length, request.fields.is_chunked) == (None, True)
    assert not request.keep_alive


def test_names_beyond_ascii_are_read_where_that_is_asked_for() -> None:
    sent = head(
        "GET / HTTP/1.1", "X-\xe4-b: 1", "X-\xc4-B: 2", "x-\xe4-B: 3", "X-\xb5_c: 4", "A: 5"
    )

    request = parse_head(sent, is_lenient=True)

    # A letter beyond ASCII has no other case: these are two names.
    assert request.fields.variables == {"HTTP_X_\xe4_B": "1,3", "HTTP_X_\xc4_B": "2", "HTTP_A": "5"}
    assert [name for name, _ in request.fields.raw] == [
        "X-\xe4-b",
        "X-\xc4-B",
        "x-\xe4-B",
        "X-\xb5_c",
        "A",
    ]
    with pytest.raises(BadRequest):
        parse_head(sent)


@pytest.mark.parametrize("name", ["X \xe4", "X\xe4 ", "\xe4(", "\xe4,", "\xe4\x7f", "", "\xe4\0"])
def test_other_names_that_are_no_tokens_are_refused_always(name: str) -> None:
    with pytest.raises(BadRequest):
        parse_head(head("GET / HTTP/1.1", f"{name}: 1"), is_lenient=True)


@pytest.mark.parametrize(
    "value",
    ["", "-1", "-0", "+3", "1_0", "0x3", "3 1", "3,3", "3.0", "²", "٣", "1" * 19, "abc"],
)
def test_a_length_is_ascii_digits(value: str) -> None:
    line = f"Content-Length: {value}".encode()

    with pytest.raises(BadRequest):
        parse_head(b"POST / HTTP/1.1\r\n" + line)


def test_a_length_may_have_leading_zeros() -> None:
    assert parse_head(head("POST / HTTP/1.1", "Content-Length: 007")).fields.content_length == 7


@pytest.mark.parametrize(
    "name, first, second",
    [
        ("Content-Length", "3", "2"),
        ("Content-Length", "3", "3"),
        ("Content-Type", "a/b", "a/c"),
        ("Host", "a", "b"),
        ("Host", "a", "a"),
    ],
)
def test_fields_that_must_be_single(name: str, first: str, second: str) -> None:
    with pytest.raises(BadRequest, match=f"repeated {name}"):
        parse_head(head("POST / HTTP/1.1", f"{name}: {first}", f"{name.upper()}: {second}"))


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "",
        "GET",
        "GET /",
        "GET HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /a\tb HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1.1",
        "GET / HTTP/11",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / HTTP/1.\xb9",
        "GET / FTP/1.1",
        "GET / RTSP/1.0",
        "GET / ICE/1.0",
        "GET: / HTTP/1.1",
        "-GET / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET\xdf / HTTP/1.1",
    ],
)
def test_a_request_line_that_is_none(line: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_head(head(line))

    assert (caught.value.status, caught.value.phrase) == (400, "Bad Request")


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"])
def test_other_major_versions_are_not_spoken(version: str) -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        parse_head(head(f"GET / {version}"))

    assert caught.value.status == 505


@pytest.mark.parametrize(
    "line",
    [
        "no colon",
        "Host",
        "Name : v",
        " Name: v",
        "\tName: v",
        ": v",
        "Na me: v",
        "N\xe9: v",
        "Name\xa0: v",
        "Na(me: v",
    ],
)
def test_a_header_line_that_is_none(line: str) -> None:
    with pytest.raises(BadRequest):
        parse_head(head("GET / HTTP/1.1", line))


def test_folded_lines_are_refused() -> None:
    with pytest.raises(BadRequest):
        parse_head(head("GET / HTTP/1.1", "Long: one", " two"))


@pytest.mark.parametrize("code", [*range(9), 11, 12, *range(14, 32), 127])
@pytest.mark.parametrize(
    "before, after",
    [
        (b"GET /a", b"b HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nX", b"Y: z"),
        (b"GET / HTTP/1.1\r\nX: a", b"b"),
    ],
)
def test_control_characters_are_refused(code: int, before: bytes, after: bytes) -> None:
    with pytest.raises(BadRequest, match="control character"):
        parse_head(before + bytes([code]) + after)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\n"])
@pytest.mark.parametrize(
    "before, after", [(b"GET / HTTP/1.1", b"X: y"), (b"GET / HTTP/1.1\r\nX: a", b"Y: z")]
)
def test_line_ends_other_than_crlf_are_refused(end: bytes, before: bytes, after: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(before + end + after)


@pytest.mark.parametrize(
    "host",
    ["", "a,b", "a, b", "a/b", "u@a", "a?b", "a#b", "a b", "[::1", "::1", "a:b", "a:80:80", "é"],
)
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(BadRequest, match="Host"):
        parse_head(f"GET / HTTP/1.1\r\nHost: {host}".encode())


def test_the_number_of_fields_is_limited() -> None:
    lines = [f"X{i}: {i}" for i in range(MAX_FIELDS)]
    assert len(parse_head(head("GET / HTTP/1.1", *lines)).fields.raw) == MAX_FIELDS

    with pytest.raises(TooManyFields) as caught:
        parse_head(head("GET / HTTP/1.1", *lines, "One: more"))

    assert caught.value.status == 431


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_refusal(data: bytes) -> None:
    try:
        request = parse_head(b"GET / HTTP/1.1\r\n" + data)
    except RequestRefused:
        return
    assert data.count(b"\n") + 1 == len(request.fields.raw)


def test_equal_blocks_of_lines_are_parsed_once() -> None:
    parser = HeadParser()

    first = parser.parse(head("GET /a HTTP/1.1", "X: 1", "Y: 2"))
    second = parser.parse(head("PUT /b HTTP/1.0", "X: 1", "Y: 2"))
    third = parser.parse(head("PUT /b HTTP/1.0", "X: 1", "Y: 3"))
    fourth = parser.parse(head("GET / HTTP/1.1"))

    assert second[1] is first[1]
    assert (second[0].method, second[0].target, second[0].minor) == ("PUT", "/b", 0)
    assert third[1].variables == {"HTTP_X": "1", "HTTP_Y": "3"}
    assert fourth[1].variables == {}


def test_a_remembered_coding_is_still_refused_on_version_1_0() -> None:
    parser = HeadParser()
    parser.parse(head("POST / HTTP/1.1", "Transfer-Encoding: chunked"))

    with pytest.raises(BadRequest):
        parser.parse(head("POST / HTTP/1.0", "Transfer-Encoding: chunked"))


def test_a_refused_block_is_not_remembered() -> None:
    parser = HeadParser()
    for _ in range(2):
        with pytest.raises(BadRequest):
            parser.parse(head("GET / HTTP/1.1", "Host: a,b"))


def test_lines_without_a_colon_are_refused_in_no_time() -> None:
    began = time.process_time()

    with pytest.raises(BadRequest):
        HeadParser(max_fields=100_000).parse(b"GET / HTTP/1.1" + b"\r\nA" * 21_000)
    with pytest.raises(TooManyFields):
        parse_head(b"GET / HTTP/1.1" + b"\r\nA" * 21_000)

    # Each searched to the end of all for its colon, they took five seconds.
    assert time.process_time() - began < 1.0
