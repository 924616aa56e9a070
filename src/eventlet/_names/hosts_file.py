"""The hosts file: names and addresses that no server is asked for."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

from eventlet._names.outcomes import Address, Host, LookupFailed, Miss

__all__ = ["HostsFile", "Line", "parse_hosts"]


class Line(NamedTuple):
    """A line of the file: an address, and its names, the canonical one first."""

    address: Address
    packed: bytes
    names: tuple[str, ...]


class HostsFile:
    """The lines of a hosts file, found by name and by address.

    Source: hosts(5); that a `::1` or IPv4-mapped line also serves those who ask for IPv4
    alone, and what `multi` means, was measured with the GNU C library.
    """

    def __init__(self, lines: Iterator[Line]) -> None:
        self._by_name: dict[str, list[Line]] = {}
        self._by_address: dict[bytes, Line] = {}
        for line in lines:
            self._by_address.setdefault(line.packed, line)
            for name in dict.fromkeys(each.lower() for each in line.names):
                self._by_name.setdefault(name, []).append(line)

    def forward(self, name: str, families: tuple[int, ...], multi: bool) -> Host:
        """Find the addresses of a name.

        Args:
            name: as asked for; upper and lower case are the same.
            families: AF_INET, AF_INET6 or both.
            multi: whether all lines with the name count, or the first alone.

        Raises:
            LookupFailed: there is no such name, or it has no address of these families.
        """
        lines = self._by_name.get(name.lower())
        if not lines:
            raise LookupFailed(Miss.NOT_FOUND)
        fitting = [
            (line, address)
            for line in lines
            if (address := _address_for(line, families)) is not None
        ]
        if not fitting:
            raise LookupFailed(Miss.NOT_FOUND)
        if not multi:
            del fitting[1:]
        names = [each for line, _address in fitting for each in line.names]
        canonical, *others = names
        aliases = [each for each in dict.fromkeys(others) if each != canonical]
        return Host(canonical, tuple(aliases), tuple(address for _line, address in fitting))

    def reverse(self, packed: bytes) -> Host:
        """Find the names of an address, given in its 4 or 16 bytes.

        Raises:
            LookupFailed: no line has it.
        """
        line = self._by_address.get(packed)
        if line is None:
            raise LookupFailed(Miss.NOT_FOUND)
        canonical, *aliases = line.names
        return Host(canonical, tuple(aliases), (line.address,))


def parse_hosts(text: str) -> HostsFile:
    """Read the text of a hosts file; lines that make no sense are passed over."""
    return HostsFile(_lines(text))


def _lines(text: str) -> Iterator[Line]:
    for raw in text.splitlines():
        address, *names = raw.partition("#")[0].split() or [""]
        if not names:
            continue
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                packed = socket.inet_pton(family, address)
            except (OSError, ValueError):
                continue
            usual = Address(family, socket.inet_ntop(family, packed))
            yield Line(usual, packed, tuple(names))
            break


def _address_for(line: Line, families: tuple[int, ...]) -> Address | None:
    if line.address.family in families:
        return line.address
    if families != (socket.AF_INET,):
        return None
    if line.packed[:12] == b"\0" * 10 + b"\xff\xff":
        return Address(socket.AF_INET, socket.inet_ntop(socket.AF_INET, line.packed[12:]))
    if line.address.text == "::1":
        return Address(socket.AF_INET, "127.0.0.1")
    return None
