"""Names to addresses without blocking the hub: the OS resolver on a few OS threads.

Literal addresses are converted in place, since that never waits.
"""

import socket
from typing import Any

from eventlet._thread_pool import ThreadPool
from eventlet._unpatched import (
    real_getaddrinfo,
    real_gethostbyaddr,
    real_gethostbyname,
    real_gethostbyname_ex,
    real_getnameinfo,
)

__all__ = [
    "getaddrinfo",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "resolve_address",
]

RESOLVER_THREADS = 16

_pool = ThreadPool(RESOLVER_THREADS)


def is_literal(host: Any) -> bool:
    """Whether `host` is an IPv4 or IPv6 address in the usual notation."""
    if not isinstance(host, str):
        return False
    bare = host.partition("%")[0]
    for family, text in ((socket.AF_INET, host), (socket.AF_INET6, bare)):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[Any, ...]]:
    """Resolve like `socket.getaddrinfo`, parking only the calling green thread."""
    if host is None or is_literal(host) or flags & socket.AI_NUMERICHOST:
        return list(real_getaddrinfo(host, port, family, type, proto, flags))
    return list(_pool.run(real_getaddrinfo, host, port, family, type, proto, flags))


def gethostbyname(hostname: str) -> str:
    """Resolve like `socket.gethostbyname`, parking only the calling green thread."""
    if is_literal(hostname):
        return real_gethostbyname(hostname)
    address: str = _pool.run(real_gethostbyname, hostname)
    return address


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """Resolve like `socket.gethostbyname_ex`, parking only the calling green thread."""
    found: tuple[str, list[str], list[str]] = _pool.run(real_gethostbyname_ex, hostname)
    return found


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """Look up like `socket.gethostbyaddr`, parking only the calling green thread."""
    found: tuple[str, list[str], list[str]] = _pool.run(real_gethostbyaddr, ip_address)
    return found


def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """Look up like `socket.getnameinfo`, parking only the calling green thread."""
    if flags & socket.NI_NUMERICHOST or not isinstance(sockaddr, tuple):
        return real_getnameinfo(sockaddr, flags)
    found: tuple[str, str] = _pool.run(real_getnameinfo, sockaddr, flags)
    return found


def resolve_address(family: int, kind: int, proto: int, address: Any) -> Any:
    """Replace a host name in a socket address by a literal, so that C never resolves.

    Args:
        family: of the socket; only AF_INET and AF_INET6 have names.
        kind: its type, such as SOCK_STREAM.
        proto: its protocol number.
        address: as given to `connect`, `bind` or `sendto`.

    Returns:
        The address, as it is when there is nothing to resolve.

    Raises:
        socket.gaierror: the name does not resolve.
    """
    if family not in (socket.AF_INET, socket.AF_INET6):
        return address
    if not isinstance(address, tuple) or len(address) < 2:
        return address
    host = address[0]
    if not isinstance(host, (str, bytes)) or host in _NOT_NAMES or is_literal(host):
        return address
    if not isinstance(address[1], int):
        return address  # let C say what is wrong with the port
    found = getaddrinfo(host, None, family, kind, proto)
    return (found[0][4][0], *address[1:2], *(address[2:] or found[0][4][2:]))


_NOT_NAMES = frozenset({"", b"", "<broadcast>", b"<broadcast>"})
