"""The header of the PROXY protocol, versions 1 and 2: who a proxy speaks for.

Nothing is guessed: what differs from the letter of the text is refused.

Source: "The PROXY protocol", revision 2020/03/05, sections 2.1 and 2.2.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

__all__ = [
    "FIRST_BYTES",
    "LONGEST_LINE",
    "V2_BYTES",
    "Endpoints",
    "ProxyHeaderError",
    "is_text",
    "parse_text",
    "parse_v2",
    "v2_length",
]

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
FIRST_BYTES: Final = len(SIGNATURE)  # what tells the versions apart; no header is shorter
V2_BYTES: Final = 16  # before the addresses
LONGEST_LINE: Final = 107
LONGEST_V2: Final = 4096

_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+)"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4}))\r\n"
)
_KINDS = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_ADDRESS_BYTES: Final = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}
_UNIX_BYTES: Final = 108


class ProxyHeaderError(ValueError):
    """What a peer sent is no header of the PROXY protocol."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"not a PROXY header: {detail}")


class Endpoints(NamedTuple):
    """Both ends of the connection to the proxy, as socket addresses."""

    source: tuple[str, int] | tuple[str, int, int, int] | str
    destination: tuple[str, int] | tuple[str, int, int, int] | str


def is_text(first: bytes) -> bool:
    """Tell by the first bytes whether version 1 follows, or version 2.

    Raises:
        ProxyHeaderError: neither does.
    """
    if first == SIGNATURE:
        return False
    if first.startswith(b"PROXY "):
        return True
    raise ProxyHeaderError("it begins otherwise")


def parse_text(line: bytes) -> Endpoints | None:
    """Read a whole header of version 1; None where the proxy does not know.

    Raises:
        ProxyHeaderError: it is none.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise ProxyHeaderError("the line is of another form")
    kind, *fields = match.groups()
    if kind is None:
        return None
    try:
        source, destination = (str(_KINDS[kind](each.decode())) for each in fields[:2])
    except ValueError:
        raise ProxyHeaderError("an address is none") from None
    ports = [int(each) for each in fields[2:]]
    if max(ports) > 65535:
        raise ProxyHeaderError("a port is above 65535")
    if kind == b"TCP6":
        return Endpoints((source, ports[0], 0, 0), (destination, ports[1], 0, 0))
    return Endpoints((source, ports[0]), (destination, ports[1]))


def v2_length(head: bytes) -> int:
    """Tell how many bytes follow the first 16 of version 2.

    Raises:
        ProxyHeaderError: they promise nothing that could be read.
    """
    version_and_command, family = head[12:14]
    length: int = struct.unpack("!H", head[14:16])[0]
    if version_and_command not in {0x20, 0x21}:
        raise ProxyHeaderError(f"version and command are {version_and_command:#x}")
    if length > LONGEST_V2:
        raise ProxyHeaderError(f"{length} bytes are too many")
    if version_and_command == 0x21:
        if family not in _ADDRESS_BYTES:
            raise ProxyHeaderError(f"the family is {family:#x}, no stream")
        if length < _ADDRESS_BYTES[family]:
            raise ProxyHeaderError("the addresses are cut off")
    return length


def parse_v2(head: bytes, rest: bytes) -> Endpoints | None:
    """Read a whole header of version 2; None where the proxy speaks for itself.

    Args:
        head: the first 16 bytes, which `v2_length` has accepted.
        rest: those that follow.

    Raises:
        ProxyHeaderError: it is none.
    """
    family = head[13]
    if head[12] == 0x20:
        return None
    size = _ADDRESS_BYTES[family]
    _check_extras(rest[size:])
    if family == 0x11:
        source, destination, *ports = struct.unpack("!4s4sHH", rest[:size])
        return Endpoints(
            (str(IPv4Address(source)), ports[0]), (str(IPv4Address(destination)), ports[1])
        )
    if family == 0x21:
        source, destination, *ports = struct.unpack("!16s16sHH", rest[:size])
        return Endpoints(
            (str(IPv6Address(source)), ports[0], 0, 0),
            (str(IPv6Address(destination)), ports[1], 0, 0),
        )
    if family == 0x31:
        return Endpoints(_path(rest[:_UNIX_BYTES]), _path(rest[_UNIX_BYTES:size]))
    return None


def _check_extras(extras: bytes) -> None:
    """Refuse what is no sequence of type, length and value."""
    while extras:
        if len(extras) < 3:
            raise ProxyHeaderError("an extra field is cut off")
        end = 3 + struct.unpack("!H", extras[1:3])[0]
        if end > len(extras):
            raise ProxyHeaderError("an extra field is cut off")
        extras = extras[end:]


def _path(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")
