"""What a look-up ends with: a host, or one of four reasons why there is none.

The standard exceptions are made here, a new one each time: a shared instance would collect
the tracebacks of everybody who raised it.
"""

import socket
from enum import IntEnum
from typing import NamedTuple

__all__ = ["Address", "Host", "LookupFailed", "Miss", "gai_error", "host_error"]


class Miss(IntEnum):
    """Why there is no answer, with the number that `h_errno` has for it (netdb.h)."""

    NOT_FOUND = 1
    TRY_AGAIN = 2
    NO_RECOVERY = 3
    NO_DATA = 4


class LookupFailed(Exception):
    """A service has no answer.

    Attributes:
        miss: why.
    """

    def __init__(self, miss: Miss) -> None:
        super().__init__(miss.name)
        self.miss = miss


class Address(NamedTuple):
    """An address of a host: its family, and its text without a scope."""

    family: int
    text: str


class Host(NamedTuple):
    """What is known of a host.

    Attributes:
        name: the canonical name, without a final dot.
        aliases: other names, in the order in which they were found.
        addresses: in the order in which they were found.
    """

    name: str
    aliases: tuple[str, ...]
    addresses: tuple[Address, ...]


# The words of the GNU C library, by the name of the code: numbers differ between systems.
_GAI_WORDS = {
    "EAI_AGAIN": "Temporary failure in name resolution",
    "EAI_NODATA": "No address associated with hostname",
    "EAI_NONAME": "Name or service not known",
}
_HOST_WORDS = {
    Miss.NOT_FOUND: "Unknown host",
    Miss.TRY_AGAIN: "Host name lookup failure",
    Miss.NO_RECOVERY: "Unknown server error",
    Miss.NO_DATA: "No address associated with name",
}
_GAI_OF_MISS = {
    Miss.NOT_FOUND: "EAI_NONAME",
    Miss.TRY_AGAIN: "EAI_AGAIN",
    Miss.NO_RECOVERY: "EAI_NONAME",
    Miss.NO_DATA: "EAI_NODATA",
}


def gai_error(reason: str | Miss) -> socket.gaierror:
    """Make what `getaddrinfo` raises, for a code's name or a failed look-up.

    A system without EAI_NODATA has EAI_NONAME for it.
    """
    name = _GAI_OF_MISS[reason] if isinstance(reason, Miss) else reason
    if not hasattr(socket, name):
        name = "EAI_NONAME"
    return socket.gaierror(getattr(socket, name), _GAI_WORDS[name])


def host_error(miss: Miss) -> socket.herror:
    """Make what `gethostbyaddr` raises for a failed look-up."""
    return socket.herror(int(miss), _HOST_WORDS[miss])
