"""Look-ups of names over green sockets: the functions of the `socket` module, and DNS itself.

The functions answer as the C library would (see `eventlet._names`). For questions of other
types there are the resolver objects, over a private copy of dnspython, `dns`. A program that
assigns other values to `resolver`, `resolve` or `resolve_cname` is obeyed: names are then
looked up by those.
"""

import socket as _real_socket
from collections.abc import Sequence
from typing import Any, NoReturn

import eventlet._resolver as _resolver
import eventlet.green.socket as socket
from eventlet._names.default import DEFAULT, load_default
from eventlet._names.exchange import QUERY_TIMEOUT, load_dns, tcp, udp
from eventlet._names.outcomes import Address, Host
from eventlet._names.proxy import HOSTS_TTL, HostsResolver, ResolverProxy
from eventlet._names.standard import StandardNames
from eventlet._settings import DEPRECATED_EAI_NODATA

__all__ = [
    "DNS_QUERY_TIMEOUT",
    "EAI_EAGAIN_ERROR",
    "EAI_NODATA_ERROR",
    "EAI_NONAME_ERROR",
    "HOSTS_TTL",
    "HostsAnswer",  # noqa: F822 - see __getattr__
    "HostsResolver",
    "ResolverProxy",
    "dns",  # noqa: F822 - see __getattr__
    "getaddrinfo",
    "getaliases",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "is_ip_addr",
    "is_ipv4_addr",
    "is_ipv6_addr",
    "reset",
    "resolve",
    "resolve_cname",
    "resolver",
    "socket",
    "tcp",
    "udp",
]

DNS_QUERY_TIMEOUT = QUERY_TIMEOUT

EAI_EAGAIN_ERROR = _real_socket.gaierror(_real_socket.EAI_AGAIN, "Lookup timed out")
EAI_NONAME_ERROR = _real_socket.gaierror(_real_socket.EAI_NONAME, "Name or service not known")
EAI_NODATA_ERROR = EAI_NONAME_ERROR
if DEPRECATED_EAI_NODATA.read() and hasattr(_real_socket, "EAI_NODATA"):
    EAI_NODATA_ERROR = _real_socket.gaierror(
        _real_socket.EAI_NODATA, "No address associated with hostname"
    )

_RDTYPES: dict[Any, str] = {_real_socket.AF_INET: "A", _real_socket.AF_INET6: "AAAA"}


def __getattr__(name: str) -> Any:
    """Give what needs dnspython: `dns`, the private copy, and `HostsAnswer`.

    Raises:
        AttributeError: there is no such name, or no dnspython.
    """
    if name not in ("dns", "HostsAnswer"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name == "dns":
            return load_dns()
        from eventlet._names.hosts_answers import HostsAnswer

        return HostsAnswer
    except _resolver.NoGreenNames as exc:
        raise AttributeError(f"{name} needs dnspython, which cannot be used here") from exc


# -- what is an address ------------------------------------------------------------------------


def is_ipv4_addr(host: Any) -> bool:
    """Tell whether this is an IPv4 address in the usual notation."""
    return isinstance(host, str) and _is_address(_real_socket.AF_INET, host)


def is_ipv6_addr(host: Any) -> bool:
    """Tell whether this is an IPv6 address, with or without a scope."""
    return isinstance(host, str) and _is_address(_real_socket.AF_INET6, host.partition("%")[0])


def is_ip_addr(host: Any) -> bool:
    """Tell whether this is an IPv4 or IPv6 address."""
    return is_ipv4_addr(host) or is_ipv6_addr(host)


def _is_address(family: int, text: str) -> bool:
    try:
        _real_socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


# -- questions ---------------------------------------------------------------------------------

resolver: Any = ResolverProxy(hosts_resolver=HostsResolver())


def _raise_new_error(error_instance: BaseException) -> NoReturn:
    """Raise another exception like this one: a shared one would collect tracebacks."""
    raise type(error_instance)(*error_instance.args)


def resolve(
    name: Any,
    family: int = _real_socket.AF_INET,
    raises: bool = True,
    _proxy: Any = None,
    use_network: bool = True,
) -> Any:
    """Ask for the addresses of a name.

    Args:
        name: text, bytes or a `dns.name.Name`.
        family: AF_INET or AF_INET6.
        raises: whether it is an error that there are none.
        _proxy: what is asked instead of `resolver`.
        use_network: whether name servers are asked, or the hosts file only.

    Returns:
        A `dns.resolver.Answer`.

    Raises:
        socket.gaierror: no answer, an answer too late, or another family.
    """
    rdtype = _RDTYPES.get(family)
    if rdtype is None:
        raise _real_socket.gaierror(_real_socket.EAI_FAMILY, "Address family not supported")
    dns = load_dns()
    rdtype = dns.rdatatype.from_text(rdtype)
    asked = resolver if _proxy is None else _proxy
    try:
        return asked.query(name, rdtype, raise_on_no_answer=raises, use_network=use_network)
    except dns.exception.Timeout:
        _raise_new_error(EAI_EAGAIN_ERROR)
    except dns.exception.DNSException:
        _raise_new_error(EAI_NODATA_ERROR)


def resolve_cname(host: Any) -> Any:
    """Return what a name is an alias of, with a final dot; the name itself when of nothing.

    Raises:
        socket.gaierror: the name does not exist, or the answer came too late.
    """
    dns = load_dns()
    try:
        answer = resolver.query(host, dns.rdatatype.CNAME)
        return str(answer[0].target)
    except dns.resolver.NoAnswer:
        return host
    except dns.exception.Timeout:
        _raise_new_error(EAI_EAGAIN_ERROR)
    except dns.exception.DNSException:
        _raise_new_error(EAI_NODATA_ERROR)


def getaliases(host: Any) -> list[str]:
    """Return the other names of a host, from the hosts file or by following its aliases."""
    found: list[str] = resolver.getaliases(host)
    return found


_OWN = (resolver, resolve, resolve_cname)


def reset() -> None:
    """Forget all answers, and read the system's files again when they are needed."""
    global resolver, _OWN
    resolver = ResolverProxy(hosts_resolver=HostsResolver())
    _OWN = (resolver, *_OWN[1:])
    DEFAULT.names = None


# -- the functions of the socket module --------------------------------------------------------


class _Replaced(StandardNames):
    """Looks names up by what a program has put in the place of our functions."""

    def __init__(self) -> None:
        super().__init__(load_default().service)

    def _find(self, name: bytes, family: int, flags: int) -> Host:
        text = name.decode("ascii", "surrogateescape")
        six, four = _real_socket.AF_INET6, _real_socket.AF_INET
        if family == _real_socket.AF_UNSPEC:
            # The hosts file has the last word on both families if it has any.
            addresses = _ask_replaced(text, (six, four), use_network=False, must=False)
            addresses = addresses or _ask_replaced(text, (six, four))
        elif family == six and flags & _real_socket.AI_V4MAPPED:
            addresses = _ask_replaced(text, (six,), must=False)
            if not addresses or flags & _real_socket.AI_ALL:
                plain = _ask_replaced(text, (four,), must=not addresses)
                addresses += [Address(six, f"::ffff:{each.text}") for each in plain]
        else:
            addresses = _ask_replaced(text, (family,))
        canonical = str(resolve_cname(text)) if flags & _real_socket.AI_CANONNAME else text
        return Host(canonical, (), tuple(addresses))

    def _find_with_aliases(self, name: bytes) -> Host:
        found = self._find(name, _real_socket.AF_INET, 0)
        return found._replace(aliases=tuple(getaliases(found.name)))

    def _order(self, addresses: Sequence[Address]) -> Sequence[Address]:
        return addresses


def _ask_replaced(
    name: str, families: Sequence[int], use_network: bool = True, must: bool = True
) -> list[Address]:
    """Ask `resolve` for the addresses of some families; one of them is enough."""
    addresses: list[Address] = []
    failures: list[_real_socket.gaierror] = []
    for family in families:
        try:
            answer = resolve(name, family, raises=False, use_network=use_network)
        except _real_socket.gaierror as exc:
            failures.append(exc)
            continue
        addresses.extend(Address(family, str(record.address)) for record in answer.rrset or ())
    if must and not addresses:
        raise failures[0] if failures else type(EAI_NONAME_ERROR)(*EAI_NONAME_ERROR.args)
    return addresses


def _names() -> StandardNames:
    """Return what looks names up now."""
    is_own = (resolver, resolve, resolve_cname) == _OWN and not resolver.is_replaced
    return load_default() if is_own else _Replaced()


def _look_up(function: str, *args: Any) -> Any:
    try:
        return getattr(_names(), function)(*args)
    except _resolver.NoGreenNames:
        return getattr(_resolver, f"system_{function}")(*args)


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[Any, ...]]:
    """Resolve like `socket.getaddrinfo`, parking only the calling green thread."""
    return list(_look_up("getaddrinfo", host, port, family, type, proto, flags))


def gethostbyname(hostname: Any) -> str:
    """Resolve like `socket.gethostbyname`, parking only the calling green thread."""
    return str(_look_up("gethostbyname", hostname))


def gethostbyname_ex(hostname: Any) -> tuple[str, list[str], list[str]]:
    """Resolve like `socket.gethostbyname_ex`, parking only the calling green thread."""
    found: tuple[str, list[str], list[str]] = _look_up("gethostbyname_ex", hostname)
    return found


def gethostbyaddr(ip_address: Any) -> tuple[str, list[str], list[str]]:
    """Look up like `socket.gethostbyaddr`, parking only the calling green thread."""
    found: tuple[str, list[str], list[str]] = _look_up("gethostbyaddr", ip_address)
    return found


def getnameinfo(sockaddr: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """Look up like `socket.getnameinfo`, parking only the calling green thread."""
    found: tuple[str, str] = _look_up("getnameinfo", sockaddr, flags)
    return found


_resolver.plug_in(_names)
