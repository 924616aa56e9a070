"""Names to addresses without blocking the hub: by the green resolver, or the OS resolver.

The green resolver (`eventlet._names`) stands above this module and is plugged in. It is asked
unless EVENTLET_NO_GREENDNS says otherwise or it cannot work, for want of dnspython; then the
OS resolver is, on a few OS threads. Literal addresses are converted in place, since that never
waits.
"""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from eventlet._core.current import existing_hub
from eventlet._settings import NO_GREENDNS
from eventlet._thread_pool import ThreadPool
from eventlet._unpatched import (
    get_ident,
    main_thread,
    real_getaddrinfo,
    real_gethostbyaddr,
    real_gethostbyname,
    real_gethostbyname_ex,
    real_getnameinfo,
)

__all__ = [
    "NoGreenNames",
    "getaddrinfo",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "plug_in",
    "resolve_address",
    "resolve_all",
    "system_getaddrinfo",
    "system_gethostbyaddr",
    "system_gethostbyname",
    "system_gethostbyname_ex",
    "system_getnameinfo",
]

RESOLVER_THREADS = 16

_pool = ThreadPool(RESOLVER_THREADS)


class NoGreenNames(Exception):
    """The green resolver cannot work here; its cause says why."""


class GreenNames(Protocol):
    """What is plugged in: the look-ups of the `socket` module, parking only the caller.

    Each may raise `NoGreenNames`.
    """

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
        ...

    def gethostbyname(self, hostname: str) -> str:
        """Resolve like `socket.gethostbyname`."""
        ...

    def gethostbyname_ex(self, hostname: str) -> tuple[str, list[str], list[str]]:
        """Resolve like `socket.gethostbyname_ex`."""
        ...

    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """Look up like `socket.gethostbyaddr`."""
        ...

    def getnameinfo(self, sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
        """Look up like `socket.getnameinfo`."""
        ...


class _Socket:
    """Where the green resolver is plugged in."""

    load: Callable[[], GreenNames] | None = None


_plugged = _Socket()


def plug_in(load: Callable[[], GreenNames] | None) -> Callable[[], GreenNames] | None:
    """Have the green resolver asked from now on; return what was there before.

    Args:
        load: gives it, at the first name; None for the OS resolver.
    """
    before, _plugged.load = _plugged.load, load
    return before


def _look_up(name: str, real: Callable[..., Any], *args: Any) -> Any:
    """Make a look-up that may wait, by whoever is to be asked."""
    if existing_hub() is None and get_ident() != main_thread().ident:
        return real(*args)  # an OS thread without green threads: it blocks nobody but itself
    load = _plugged.load
    if load is not None and not NO_GREENDNS.read():
        try:
            return getattr(load(), name)(*args)
        except NoGreenNames:
            pass
    return _pool.run(real, *args)


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
    return list(_look_up("getaddrinfo", real_getaddrinfo, host, port, family, type, proto, flags))


def gethostbyname(hostname: str) -> str:
    """Resolve like `socket.gethostbyname`, parking only the calling green thread."""
    if is_literal(hostname):
        return real_gethostbyname(hostname)
    address: str = _look_up("gethostbyname", real_gethostbyname, hostname)
    return address


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """Resolve like `socket.gethostbyname_ex`, parking only the calling green thread."""
    found: tuple[str, list[str], list[str]] = _look_up(
        "gethostbyname_ex", real_gethostbyname_ex, hostname
    )
    return found


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """Look up like `socket.gethostbyaddr`, parking only the calling green thread."""
    found: tuple[str, list[str], list[str]] = _look_up(
        "gethostbyaddr", real_gethostbyaddr, ip_address
    )
    return found


def getnameinfo(sockaddr: Any, flags: int) -> tuple[str, str]:
    """Look up like `socket.getnameinfo`, parking only the calling green thread."""
    if not isinstance(sockaddr, tuple):
        del sockaddr  # the traceback keeps this frame, and it would keep what was given
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    if flags & socket.NI_NUMERICHOST:
        return real_getnameinfo(sockaddr, flags)
    found: tuple[str, str] = _look_up("getnameinfo", real_getnameinfo, sockaddr, flags)
    return found


def system_getaddrinfo(*args: Any) -> list[tuple[Any, ...]]:
    """Ask the OS resolver, on an OS thread; arguments are those of `socket.getaddrinfo`."""
    return list(_pool.run(real_getaddrinfo, *args))


def system_gethostbyname(hostname: Any) -> str:
    """Ask the OS resolver, on an OS thread; as `socket.gethostbyname`."""
    address: str = _pool.run(real_gethostbyname, hostname)
    return address


def system_gethostbyname_ex(hostname: Any) -> tuple[str, list[str], list[str]]:
    """Ask the OS resolver, on an OS thread; as `socket.gethostbyname_ex`."""
    found: tuple[str, list[str], list[str]] = _pool.run(real_gethostbyname_ex, hostname)
    return found


def system_gethostbyaddr(ip_address: Any) -> tuple[str, list[str], list[str]]:
    """Ask the OS resolver, on an OS thread; as `socket.gethostbyaddr`."""
    found: tuple[str, list[str], list[str]] = _pool.run(real_gethostbyaddr, ip_address)
    return found


def system_getnameinfo(*args: Any) -> tuple[str, str]:
    """Ask the OS resolver, on an OS thread; arguments are those of `socket.getnameinfo`."""
    found: tuple[str, str] = _pool.run(real_getnameinfo, *args)
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
    return resolve_all(family, kind, proto, address)[0]


def resolve_all(family: int, kind: int, proto: int, address: Any) -> list[Any]:
    """`resolve_address` with every address that the name has, the preferred one first."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return [address]
    if not isinstance(address, tuple) or len(address) < 2:
        return [address]
    host = bytes(address[0]) if isinstance(address[0], bytearray) else address[0]
    if not isinstance(host, (str, bytes)) or host in _NOT_NAMES or is_literal(host):
        return [address]
    if not isinstance(address[1], int):
        return [address]  # let C say what is wrong with the port
    return [
        (found[4][0], *address[1:2], *(address[2:] or found[4][2:]))
        for found in getaddrinfo(host, None, family, kind, proto)
    ]


_NOT_NAMES = frozenset({"", b"", "<broadcast>", b"<broadcast>"})
