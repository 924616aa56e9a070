"""The PROXY protocol: what a proxy may say, to the letter."""

from __future__ import annotations

import struct
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlet._protocols.proxy_header import (
    FIRST_BYTES,
    LONGEST_LINE,
    SIGNATURE,
    V2_BYTES,
    Endpoints,
    ProxyHeaderError,
    is_text,
    parse_text,
    parse_v2,
    v2_length,
)

from tests.depth import games

V4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + struct.pack("!HH", 4000, 80)
V6 = bytes(15) + b"\1" + bytes(15) + b"\2" + struct.pack("!HH", 4000, 80)


def v2(command: int, family: int, rest: bytes, length: int | None = None) -> Endpoints | None:
    size = len(rest) if length is None else length
    head = SIGNATURE + struct.pack("!BBH", command, family, size)
    assert len(head) == V2_BYTES
    assert v2_length(head) == size
    return parse_v2(head, rest)


def test_the_first_bytes_tell_the_versions_apart() -> None:
    assert is_text(b"PROXY TCP4 1")
    assert not is_text(SIGNATURE)
    assert len(SIGNATURE) == len(b"PROXY TCP4 1") == FIRST_BYTES
    for first in (b"GET / HTTP/1", b"PROXYTCP4 12", b"proxy tcp4 1", SIGNATURE[:-1] + b"\0"):
        with pytest.raises(ProxyHeaderError):
            is_text(first)


@pytest.mark.parametrize(
    "line, endpoints",
    [
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n",
            (("192.0.2.1", 4000), ("192.0.2.2", 80)),
        ),
        (
            b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            (("255.255.255.255", 65535), ("255.255.255.255", 65535)),
        ),
        (
            b"PROXY TCP6 2001:db8::1 2001:DB8::2 0 80\r\n",
            (("2001:db8::1", 0, 0, 0), ("2001:db8::2", 80, 0, 0)),
        ),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", None),
    ],
)
def test_a_line(line: bytes, endpoints: object) -> None:
    assert len(line) <= LONGEST_LINE
    assert parse_text(line) == endpoints


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80 \r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 4000 80\r\n",
        b"PROXY  TCP4 192.0.2.1 192.0.2.2 4000 80\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80 1\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 4000 80\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 4000 80\r\n",
        b"PROXY TCP4 192.0.2 192.0.2.2 4000 80\r\n",
        b"PROXY TCP4 ::1 ::1 4000 80\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 4000 80\r\n",
        b"PROXY TCP6 ::1%eth0 ::1 4000 80\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 04000 80\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 +400 80\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 99999\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 4000 80\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN a\rb\r\n",
        b"PROXY \r\n",
    ],
)
def test_a_line_of_another_form_is_refused(line: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse_text(line)


def test_addresses_of_version_2() -> None:
    assert v2(0x21, 0x11, V4) == (("192.0.2.1", 4000), ("192.0.2.2", 80))
    assert v2(0x21, 0x21, V6) == (("::1", 4000, 0, 0), ("::2", 80, 0, 0))
    assert v2(0x21, 0x31, b"/run/a".ljust(108, b"\0") + bytes(108)) == ("/run/a", "")


def test_version_2_may_say_nothing_about_the_client() -> None:
    assert v2(0x21, 0x00, b"") is None
    assert v2(0x20, 0x11, V4) is None
    assert v2(0x20, 0x77, b"anything") is None


def test_extra_fields_of_version_2_are_passed_over() -> None:
    extras = b"\x01\0\2h2" + b"\x04\0\0"

    assert v2(0x21, 0x11, V4 + extras) == v2(0x21, 0x11, V4)
    for cut in (extras[:-1], extras[:-2], extras[:4]):
        with pytest.raises(ProxyHeaderError, match="extra field is cut off"):
            v2(0x21, 0x11, V4 + cut)


@pytest.mark.parametrize(
    "command, family, length, why",
    [
        (0x11, 0x11, 12, "version and command are 0x11"),
        (0x22, 0x11, 12, "version and command are 0x22"),
        (0x21, 0x12, 12, "the family is 0x12, no stream"),
        (0x21, 0x41, 12, "the family is 0x41"),
        (0x21, 0x11, 11, "cut off"),
        (0x21, 0x21, 35, "cut off"),
        (0x21, 0x31, 215, "cut off"),
        (0x21, 0x11, 4097, "4097 bytes are too many"),
    ],
)
def test_what_version_2_may_not_say(command: int, family: int, length: int, why: str) -> None:
    with pytest.raises(ProxyHeaderError, match=why):
        v2(command, family, bytes(length))


@games(200)
@given(st.binary(max_size=120))
def test_any_line_is_read_or_refused(rest: bytes) -> None:
    try:
        parse_text(b"PROXY " + rest)
    except ProxyHeaderError:
        pass


@games(200)
@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=300))
def test_any_bytes_of_version_2_are_read_or_refused(command: int, family: int, rest: bytes) -> None:
    try:
        v2(command, family, rest)
    except ProxyHeaderError:
        pass


@pytest.mark.parametrize("version", [4, 6])
@games(100)
@given(data=st.data(), source_port=st.integers(0, 65535), destination_port=st.integers(0, 65535))
def test_both_versions_say_the_same(
    version: Literal[4, 6], data: st.DataObject, source_port: int, destination_port: int
) -> None:
    addresses = st.ip_addresses(v=version)
    source, destination = data.draw(addresses), data.draw(addresses)
    line = f"PROXY TCP{version} {source} {destination} {source_port} {destination_port}\r\n"
    packed = source.packed + destination.packed
    rest = packed + struct.pack("!HH", source_port, destination_port)

    assert parse_text(line.encode()) == v2(0x21, {4: 0x11, 6: 0x21}[version], rest)
