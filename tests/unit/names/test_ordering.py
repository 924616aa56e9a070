"""The order of addresses: the rules of RFC 6724, section 6, and the examples in its section 10."""

from __future__ import annotations

import socket
import sys

import pytest

from eventlet._names.interfaces import Interface, OwnAddresses, own_addresses
from eventlet._names.ordering import find_source, order_addresses, parse_gai_conf
from eventlet._names.outcomes import Address

Sources = dict[str, str | None]


def address(text: str) -> Address:
    return Address(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def ordered(
    sources: Sources, gai_conf: str = "", own: dict[str, Interface] | None = None
) -> list[str]:
    """Order the keys of `sources`, each with the own address used for it."""
    found = order_addresses(
        [address(text) for text in sources],
        parse_gai_conf(gai_conf),
        lambda each: sources[each.text],
        lambda: own or {},
    )
    return [each.text for each in found]


@pytest.mark.parametrize(
    ("sources", "first"),
    [
        # Section 10.2, the examples whose rules are ours.
        ({"2001:db8:1::1": "2001:db8:1::2", "198.51.100.121": "169.254.13.78"}, "2001:db8:1::1"),
        ({"2001:db8:1::1": "fe80::1", "198.51.100.121": "198.51.100.117"}, "198.51.100.121"),
        ({"2001:db8:1::1": "2001:db8:1::2", "10.1.2.3": "10.1.2.4"}, "2001:db8:1::1"),
        ({"2001:db8:1::1": "2001:db8:1::2", "fe80::1": "fe80::2"}, "fe80::1"),
        (
            {"2001:db8:1::1": "2001:db8:1::2", "2001:db8:3ffe::1": "2001:db8:3f44::2"},
            "2001:db8:1::1",
        ),
        (
            {"2002:c633:6401::1": "2002:c633:6401::2", "2001:db8:1::1": "fe80::1"},
            "2002:c633:6401::1",
        ),
        (
            {"2002:c633:6401::1": "2002:c633:6401::2", "2001:db8:1::1": "2001:db8:1::2"},
            "2001:db8:1::1",
        ),
    ],
)
def test_the_examples_of_the_rfc(sources: Sources, first: str) -> None:
    assert ordered(sources)[0] == first
    assert ordered(dict(reversed(sources.items())))[0] == first


def test_what_cannot_be_reached_comes_last() -> None:
    assert ordered({"2001:db8::1": None, "10.0.0.1": "10.0.0.2"}) == ["10.0.0.1", "2001:db8::1"]


def test_a_deprecated_source_comes_later() -> None:
    sources: Sources = {"2001:db8:1::1": "2001:db8:1::2", "2001:db8:2::1": "2001:db8:2::2"}
    own = {"2001:db8:1::2": Interface(64, True), "2001:db8:2::2": Interface(64, False)}

    assert ordered(sources, own=own)[0] == "2001:db8:2::1"


def test_equals_keep_their_order() -> None:
    sources: Sources = {"10.0.0.9": None, "10.0.0.1": None, "10.0.0.5": None}

    assert ordered(sources) == list(sources)


def test_equal_bits_of_ipv4_count_within_a_subnet_only() -> None:
    sources: Sources = {"10.200.0.1": "10.0.0.2", "10.0.0.200": "10.0.0.2", "10.0.0.3": "10.0.0.2"}

    assert ordered(sources) == list(sources)
    own = {"10.0.0.2": Interface(24, False)}
    assert ordered(sources, own=own) == ["10.0.0.3", "10.0.0.200", "10.200.0.1"]


@pytest.mark.parametrize(
    ("gai_conf", "first"),
    [
        ("", "2001:db8::1"),
        ("precedence ::ffff:0:0/96 100 # ours\n", "10.0.0.1"),
        ("label 2001:db8::/48 3\nlabel ::/0 1\nlabel ::ffff:0:0/96 4\n", "10.0.0.1"),
        ("precedence nonsense 100\nprecedence ::/0\nother ::/0 1\n", "2001:db8::1"),
    ],
)
def test_gai_conf_has_the_last_word(gai_conf: str, first: str) -> None:
    sources: Sources = {"2001:db8::1": "2001:db9::1", "10.0.0.1": "10.0.0.2"}

    assert ordered(sources, gai_conf)[0] == first


def test_the_kernel_tells_the_source() -> None:
    assert find_source(address("127.0.0.5")) in ("127.0.0.1", "127.0.0.5")
    assert find_source(address("ff00::")) is None or socket.has_ipv6


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists addresses this way")
def test_the_kernel_lists_own_addresses() -> None:
    assert own_addresses()["127.0.0.1"] == Interface(8, False)


def test_the_kernel_is_asked_once_a_second() -> None:
    now = 10.0
    own = OwnAddresses(lambda: now)
    first, again = own.read(), own.read()
    now = 11.0

    assert first is again
    assert own.read() is not first
