"""Destination addresses in the order in which they should be tried: RFC 6724, section 6.

The tables come from gai.conf(5), so that an administrator's choice counts. Two rules that need
more than an unprivileged program is told (home addresses, native transport) do not decide.
"""

import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cmp_to_key
from ipaddress import ip_network
from typing import Any, Final, NamedTuple

from eventlet._names.interfaces import Interface, own_addresses
from eventlet._names.outcomes import Address
from eventlet._unpatched import base_socket

__all__ = ["AddressTables", "find_source", "order_addresses", "parse_gai_conf"]


class Row(NamedTuple):
    """What a table says of the addresses with one prefix."""

    prefix: int
    length: int
    value: int

    def holds(self, address: int) -> bool:
        """Tell whether this 128-bit address has the prefix."""
        shift = 128 - self.length
        return address >> shift == self.prefix >> shift


def _rows(entries: Sequence[tuple[str, int]]) -> tuple[Row, ...]:
    """Make a table, longest prefix first, so that the first row that holds is the one."""
    rows = []
    for text, value in entries:
        network = ip_network(text, strict=False)
        prefix, length = int(network.network_address), network.prefixlen
        if network.version == 4:
            prefix, length = prefix | _MAPPED, length + 96
        rows.append(Row(prefix, length, value))
    return tuple(sorted(rows, key=lambda row: -row.length))


_MAPPED: Final = 0xFFFF << 32
_LABELS: Final = (
    *(("::1/128", 0), ("::/0", 1), ("2002::/16", 2), ("::/96", 3), ("::ffff:0:0/96", 4)),
    *(("fec0::/10", 5), ("fc00::/7", 6), ("2001::/32", 7)),
)
_PRECEDENCES: Final = (
    *(("::1/128", 50), ("::/0", 40), ("2002::/16", 30), ("::/96", 20), ("::ffff:0:0/96", 10)),
)
_SCOPES: Final = (("169.254.0.0/16", 2), ("127.0.0.0/8", 2), ("0.0.0.0/0", 14))


@dataclass(frozen=True)
class AddressTables:
    """The policy: tables of prefixes.

    Attributes:
        labels: addresses with the same label go well together.
        precedences: higher ones are preferred.
        scopes: of IPv4 addresses; those of IPv6 are in the address.
    """

    labels: tuple[Row, ...]
    precedences: tuple[Row, ...]
    scopes: tuple[Row, ...]


def parse_gai_conf(text: str) -> AddressTables:
    """Read the tables from the text of gai.conf; one without a line there is the usual one."""
    given: dict[str, list[tuple[str, int]]] = {"label": [], "precedence": [], "scopev4": []}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) != 3 or words[0] not in given:
            continue
        try:
            ip_network(words[1], strict=False)
            given[words[0]].append((words[1], int(words[2])))
        except ValueError:
            continue
    return AddressTables(
        labels=_rows(given["label"] or _LABELS),
        precedences=_rows(given["precedence"] or _PRECEDENCES),
        scopes=_rows(given["scopev4"] or _SCOPES),
    )


def find_source(address: Address, scope_id: int = 0) -> str | None:
    """Ask the kernel from which own address it would send there; None if there is no way.

    Nothing is sent: connecting a datagram socket only chooses a route.
    """
    is_v6 = address.family == socket.AF_INET6
    target: Any = (address.text, 9, 0, scope_id) if is_v6 else (address.text, 9)
    try:
        with closing(base_socket(address.family, socket.SOCK_DGRAM | _FLAGS, 0)) as sock:
            sock.connect(target)
            source: str = sock.getsockname()[0].partition("%")[0]
            return source
    except OSError:
        return None


_FLAGS = getattr(socket, "SOCK_CLOEXEC", 0)


def order_addresses(
    addresses: Sequence[Address],
    tables: AddressTables,
    source_of: Callable[[Address], str | None] = find_source,
    own: Callable[[], dict[str, Interface]] = own_addresses,
) -> list[Address]:
    """Return the addresses, best first; equals keep their order.

    Args:
        addresses: in the order in which they were found.
        tables: the policy.
        source_of: tells the own address for a destination.
        own: tells what there is to know of own addresses.
    """
    if len(addresses) < 2:
        return list(addresses)
    interfaces = own()
    paths = [_path(address, tables, source_of(address), interfaces) for address in addresses]
    return [path.address for path in sorted(paths, key=cmp_to_key(_compare))]


class _Path(NamedTuple):
    """A destination, and what the rules ask of it and of its source."""

    address: Address
    destination: int
    source: int | None
    scope: int
    scopes_match: bool
    is_deprecated: bool
    labels_match: bool
    precedence: int
    subnet_bits: int


def _path(
    address: Address, tables: AddressTables, source: str | None, own: dict[str, Interface]
) -> _Path:
    destination = _number(address)
    scope = _scope(address, destination, tables)
    precedence = _find(tables.precedences, destination)
    if source is None:
        return _Path(address, destination, None, scope, False, False, False, precedence, 0)
    from_address = Address(address.family, source)
    from_number = _number(from_address)
    interface = own.get(source)
    return _Path(
        address,
        destination,
        from_number,
        scope,
        scope == _scope(from_address, from_number, tables),
        interface is not None and interface.is_deprecated,
        _find(tables.labels, destination) == _find(tables.labels, from_number),
        precedence,
        0 if interface is None else interface.prefix_length,
    )


def _compare(a: _Path, b: _Path) -> int:
    """Order two destinations by the rules of RFC 6724, section 6, in their order."""
    if (a.source is None) != (b.source is None):  # rule 1
        return 1 if a.source is None else -1
    for ours, theirs in (
        (a.scopes_match, b.scopes_match),  # rule 2
        (b.is_deprecated, a.is_deprecated),  # rule 3
        (a.labels_match, b.labels_match),  # rule 5
        (a.precedence, b.precedence),  # rule 6
        (b.scope, a.scope),  # rule 8
    ):
        if ours != theirs:
            return -1 if ours > theirs else 1
    if a.address.family == b.address.family and a.source is not None:  # rule 9
        return _common_bits(b) - _common_bits(a)
    return 0


def _common_bits(path: _Path) -> int:
    """How long the prefix is that a destination and its source share.

    For IPv4 it counts within one subnet only: elsewhere equal bits say nothing.
    """
    assert path.source is not None
    common = 128 - (path.destination ^ path.source).bit_length()
    if path.address.family == socket.AF_INET and not 0 < path.subnet_bits <= common - 96:
        return 0
    return common


def _number(address: Address) -> int:
    number = int.from_bytes(socket.inet_pton(address.family, address.text), "big")
    return number if address.family == socket.AF_INET6 else number | _MAPPED


def _find(table: tuple[Row, ...], address: int) -> int:
    return next((row.value for row in table if row.holds(address)), 0)


def _scope(address: Address, number: int, tables: AddressTables) -> int:
    if address.family == socket.AF_INET:
        return _find(tables.scopes, number)
    if number >> 120 == 0xFF:
        return (number >> 112) & 0xF
    if number == 1 or number >> 118 == 0xFE80 >> 6:
        return 2
    return 5 if number >> 118 == 0xFEC0 >> 6 else 14
