"""The look-ups of the `socket` module: same arguments, results and errors, only parking.

What needs no look-up is left to the C library with AI_NUMERICHOST or NI_NUMERICHOST, which
keep it from asking anybody: odd literals, scopes, service names, wrong arguments and flags are
therefore its own, to the letter. Between, a name is looked up by a `NameService`.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from eventlet._names.outcomes import Address, Host, LookupFailed, Miss, gai_error, host_error
from eventlet._names.service import NameService
from eventlet._unpatched import (
    real_getaddrinfo,
    real_gethostbyaddr,
    real_gethostbyname,
    real_gethostbyname_ex,
    real_getnameinfo,
)

__all__ = ["StandardNames"]

_FOR_THE_NAME: Final = (
    socket.AI_ADDRCONFIG | socket.AI_CANONNAME | socket.AI_V4MAPPED | socket.AI_ALL
)
_ANY_ADDRESS: Final[dict[int, str]] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - no bind
_LOOPBACK: Final[dict[int, str]] = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
_DIGITS: Final = re.compile(rb"[0-9.]+")
_NEVER_ASKED: Final = frozenset({"", "<broadcast>", b"", b"<broadcast>"})


class StandardNames:
    """The functions, over one name service.

    Args:
        service: looks hosts up.
    """

    def __init__(self, service: NameService) -> None:
        self.service = service

    # -- addresses of names --------------------------------------------------------------------

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[Any, ...]]:
        """Resolve like `socket.getaddrinfo`."""
        numeric = partial(real_getaddrinfo, host, port, family, type, proto)
        if host is None or flags & socket.AI_NUMERICHOST:
            return list(numeric(flags))
        try:
            return list(numeric(flags | socket.AI_NUMERICHOST))
        except socket.gaierror as exc:
            if exc.errno != socket.EAI_NONAME or _is_scoped_literal(host):
                raise
        services = partial(
            _services, port, type, proto, (flags & ~_FOR_THE_NAME) | socket.AI_NUMERICHOST
        )
        if flags & socket.AI_ADDRCONFIG:
            family = _configured(family)
        found = self._find(_encoded(host), family, flags)
        results: list[tuple[Any, ...]] = []
        canonical = found.name if flags & socket.AI_CANONNAME else ""
        for address in self._order(found.addresses):
            for kind, protocol, sockaddr in services(address.family):
                entry = (address.text, *sockaddr[1:])
                results.append((address_family(address), kind, protocol, canonical, entry))
                canonical = ""
        return results

    def _order(self, addresses: Sequence[Address]) -> Sequence[Address]:
        return self.service.order(addresses)

    def _find(self, name: bytes, family: int, flags: int) -> Host:
        mapped, every = bool(flags & socket.AI_V4MAPPED), bool(flags & socket.AI_ALL)
        try:
            return self.service.forward(name, family, mapped, every)
        except LookupFailed as exc:
            raise gai_error(exc.miss) from None

    def gethostbyname(self, hostname: Any) -> str:
        """Resolve like `socket.gethostbyname`: the first IPv4 address, as text."""
        asked, hostname = hostname, _name_in(hostname)
        if hostname is None or hostname in _NEVER_ASKED:
            return real_gethostbyname(asked)
        found = self.getaddrinfo(hostname, None, socket.AF_INET)
        address: str = found[0][4][0]
        return address

    def gethostbyname_ex(self, hostname: Any) -> tuple[str, list[str], list[str]]:
        """Resolve like `socket.gethostbyname_ex`: triple (name, aliases, IPv4 addresses)."""
        asked, hostname = hostname, _name_in(hostname)
        if hostname is None:
            return real_gethostbyname_ex(asked)
        name = _encoded(hostname)
        literal = "" if hostname in _NEVER_ASKED else _literal(hostname)
        if literal and _DIGITS.fullmatch(name):
            return name.decode(), [], [literal]
        try:
            found = self._find_with_aliases(name)
        except LookupFailed as exc:
            # A name is first looked up as `getaddrinfo` does it, which fails in its own way.
            failure = gai_error(exc.miss) if literal is None else host_error(exc.miss)
            raise failure from None
        return found.name, list(found.aliases), [each.text for each in found.addresses]

    def _find_with_aliases(self, name: bytes) -> Host:
        return self.service.forward(name, socket.AF_INET)

    # -- names of addresses --------------------------------------------------------------------

    def gethostbyaddr(self, ip_address: Any) -> tuple[str, list[str], list[str]]:
        """Look up like `socket.gethostbyaddr`: triple (name, aliases, addresses)."""
        asked, ip_address = ip_address, _name_in(ip_address)
        if not ip_address:
            return real_gethostbyaddr(asked)
        if ip_address in _NEVER_ASKED:
            text: Any = "255.255.255.255"
        else:
            text = self.getaddrinfo(ip_address, None)[0][4][0].partition("%")[0]
        try:
            found = self.service.reverse(_address(text))
        except LookupFailed as exc:
            raise host_error(exc.miss) from None
        return found.name, list(found.aliases), [each.text for each in found.addresses]

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """Look up like `socket.getnameinfo`: pair (host, service), as text."""
        if flags & socket.NI_NUMERICHOST:
            return real_getnameinfo(sockaddr, flags)
        number, service = real_getnameinfo(
            sockaddr, (flags & ~socket.NI_NAMEREQD) | socket.NI_NUMERICHOST
        )
        try:
            found = self.service.reverse(_address(number.partition("%")[0]))
        except LookupFailed as exc:
            if exc.miss is Miss.TRY_AGAIN:
                raise gai_error(exc.miss) from None
            if flags & socket.NI_NAMEREQD:
                raise gai_error("EAI_NONAME") from None
            return number, service
        name = found.name
        if flags & socket.NI_NOFQDN:
            name = self._without_own_domain(name)
        return name, service

    def _without_own_domain(self, name: str) -> str:
        own = socket.gethostname()
        if "." not in own:
            try:
                own = self.service.forward(own.encode(), socket.AF_INET).name
            except LookupFailed:
                return name
        domain = own.partition(".")[2]
        return name.removesuffix(f".{domain}") if domain else name


def address_family(address: Address) -> socket.AddressFamily:
    """Return the family as the enumeration that the standard module uses."""
    return socket.AddressFamily(address.family)


def _services(
    port: bytes | str | int | None, kind: int, proto: int, flags: int, family: int
) -> Iterator[tuple[Any, ...]]:
    """Ask the C library what fits port, type and protocol: triples (type, protocol, address)."""
    host = _ANY_ADDRESS[family]
    for entry in real_getaddrinfo(host, port, family, kind, proto, flags):
        yield entry[1], entry[2], entry[4]


def _configured(family: int) -> int:
    """Return the family to look for when only those count that this machine has addresses of.

    Raises:
        socket.gaierror: it has none of the family asked for.
    """
    flags = socket.AI_NUMERICHOST | socket.AI_ADDRCONFIG
    usable = []
    for each, literal in _LOOPBACK.items():
        try:
            real_getaddrinfo(literal, None, each if family else 0, socket.SOCK_STREAM, 0, flags)
        except socket.gaierror:
            if family == each:
                raise
        else:
            usable.append(each)
    return usable[0] if family == socket.AF_UNSPEC and len(usable) == 1 else family


def _name_in(host: Any) -> bytes | str | None:
    """Return the name that an argument is; None when the C library is to say what is wrong."""
    if isinstance(host, str):
        return None if "\0" in host else host
    if isinstance(host, (bytes, bytearray)):
        return None if 0 in host else bytes(host)
    return None


def _encoded(host: bytes | str) -> bytes:
    """Return a name as it goes to the services; like the C library, only what is before a NUL."""
    encoded = host.encode("idna") if isinstance(host, str) else bytes(host)
    return encoded.partition(b"\0")[0]


def _literal(host: bytes | str) -> str | None:
    """Return the IPv4 address that this is in any notation; None when it is a name.

    Raises:
        socket.gaierror: it is an address, but none of IPv4.
    """
    try:
        found = real_getaddrinfo(host, None, socket.AF_INET, 0, 0, socket.AI_NUMERICHOST)
    except socket.gaierror as exc:
        if exc.errno != socket.EAI_NONAME:
            raise
        return None
    return str(found[0][4][0])


def _is_scoped_literal(host: bytes | str) -> bool:
    """Whether this is an IPv6 address whose scope does not exist, and so no name."""
    text = host if isinstance(host, str) else host.decode("latin-1")
    bare, percent, _scope = text.partition("%")
    if not percent:
        return False
    try:
        socket.inet_pton(socket.AF_INET6, bare)
    except (OSError, ValueError):
        return False
    return True


def _address(text: str) -> Address:
    return Address(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
