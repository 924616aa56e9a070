"""The addresses of this machine with their prefix lengths, as the kernel lists them."""

import socket
import struct
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Final, NamedTuple

from eventlet._unpatched import base_socket, monotonic

__all__ = ["Interface", "OwnAddresses", "own_addresses"]

_KEPT_SECONDS: Final = 1.0

_GET_ADDRESSES: Final = 22
_NEW_ADDRESS: Final = 20
_DUMP: Final = 0x301
_ADDRESS, _LOCAL = 1, 2
_DEPRECATED: Final = 0x20


class Interface(NamedTuple):
    """One own address.

    Attributes:
        prefix_length: of its subnet, in bits.
        is_deprecated: whether it should not be used for new connections.
    """

    prefix_length: int
    is_deprecated: bool


class OwnAddresses:
    """What `own_addresses` says, asked for at most once a second.

    Args:
        clock: tells the moment, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: tuple[float, dict[str, Interface]] | None = None

    def read(self) -> dict[str, Interface]:
        """Return what the kernel said, within the last second."""
        now = self._clock()
        known = self._known
        if known is None or now >= known[0]:
            self._known = known = (now + _KEPT_SECONDS, own_addresses())
        return known[1]


def own_addresses() -> dict[str, Interface]:
    """Return what the kernel says of each own address, by its text; nothing off Linux.

    Source: rtnetlink(7), RTM_GETADDR. The kernel answers within the call, so nobody waits.
    """
    if sys.platform != "linux":
        return {}
    found: dict[str, Interface] = {}
    try:
        with closing(base_socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)) as sock:
            sock.sendall(struct.pack("=IHHIIBxxxI", 24, _GET_ADDRESSES, _DUMP, 1, 0, 0, 0))
            while _read_messages(sock.recv(1 << 16), found):
                pass
    except OSError:
        return {}  # no netlink here: the rules that need it do not decide
    return found


def _read_messages(data: bytes, found: dict[str, Interface]) -> bool:
    """Read one datagram; tell whether more will come."""
    at = 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        if kind != _NEW_ADDRESS:
            return False
        family, prefix_length, flags = struct.unpack_from("=BBB", data, at + 16)
        packed = _attributes(data, at + 24, at + size)
        address = packed.get(_LOCAL, packed.get(_ADDRESS))
        if address is not None and family in (socket.AF_INET, socket.AF_INET6):
            text = socket.inet_ntop(family, address)
            found[text] = Interface(prefix_length, bool(flags & _DEPRECATED))
        at += (size + 3) & ~3
    return True


def _attributes(data: bytes, at: int, end: int) -> dict[int, bytes]:
    attributes = {}
    while at + 4 <= end:
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        attributes[kind] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return attributes
