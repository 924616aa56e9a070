"""The files that say how names are looked up: resolv.conf, nsswitch.conf, host.conf."""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

__all__ = [
    "DnsSettings",
    "Server",
    "ServiceStep",
    "parse_host_conf",
    "parse_nsswitch",
    "parse_resolv_conf",
]

MOST_SERVERS = 3
DNS_PORT = 53


class Server(NamedTuple):
    """A name server: an address family and what `connect` takes."""

    family: int
    address: tuple[Any, ...]


@dataclass(frozen=True)
class DnsSettings:
    """How to ask name servers.

    Attributes:
        servers: in the order in which they are asked.
        search: domains that are tried behind a short name.
        ndots: a name with at least as many dots is first tried as it is.
        timeout: seconds until the first server is taken for dead, at the first attempt.
        attempts: how often all servers are gone through.
        rotate: whether each look-up begins with another server.
        use_vc: whether to ask over TCP only.
        edns0: whether to say that longer answers over UDP are welcome.
        one_at_a_time: whether A and AAAA are asked one after the other.
        tld_queries: whether a name without dots is tried as it is, after the search list.
        ask_aaaa: whether addresses of IPv6 are asked for at all.

    Source: resolv.conf(5).
    """

    servers: tuple[Server, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: int = 5
    attempts: int = 2
    rotate: bool = False
    use_vc: bool = False
    edns0: bool = False
    one_at_a_time: bool = False
    tld_queries: bool = True
    ask_aaaa: bool = True


# What an option of resolv.conf sets: its name here, and the most that its number may be.
_NUMBERS = {"ndots": ("ndots", 15), "timeout": ("timeout", 30), "attempts": ("attempts", 5)}
_SWITCHES = {
    "rotate": ("rotate", True),
    "use-vc": ("use_vc", True),
    "edns0": ("edns0", True),
    "single-request": ("one_at_a_time", True),
    "single-request-reopen": ("one_at_a_time", True),
    "no-tld-query": ("tld_queries", False),
    "no-aaaa": ("ask_aaaa", False),
}


def parse_resolv_conf(
    text: str,
    port: int = DNS_PORT,
    environ: Mapping[str, str] | None = None,
    hostname: Callable[[], str] = socket.gethostname,
) -> DnsSettings:
    """Read the text of a resolv.conf file.

    Args:
        text: of the file; empty when there is none.
        port: of the name servers, since the file cannot say.
        environ: where LOCALDOMAIN and RES_OPTIONS overrule the file; `os.environ` by default.
        hostname: tells the name of this machine, whose domain is searched if no other is.
    """
    environ = os.environ if environ is None else environ
    servers: list[Server] = []
    search: list[str] | None = None
    options: dict[str, Any] = {}
    for keyword, values in _statements(text):
        if keyword == "nameserver" and len(servers) < MOST_SERVERS:
            servers.extend(_server(values[0], port))
        elif keyword == "search":
            search = values
        elif keyword == "domain":
            search = values[:1]
        elif keyword == "options":
            _read_options(values, options)
    if environ.get("LOCALDOMAIN"):
        search = environ["LOCALDOMAIN"].split()
    _read_options(environ.get("RES_OPTIONS", "").split(), options)
    if search is None:
        domain = hostname().partition(".")[2]
        search = [domain] if domain else []
    if not servers:
        servers = [Server(socket.AF_INET, ("127.0.0.1", port))]
    return replace(DnsSettings(), servers=tuple(servers), search=tuple(search), **options)


def _statements(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        if line[:1] in ("#", ";", "", " ", "\t"):
            continue  # a keyword stands at the very beginning, or the line does not count
        keyword, *values = line.split() or [""]
        if values:
            yield keyword, values


def _server(text: str, port: int) -> Iterator[Server]:
    """Read the address of a name server, which may have a scope; nothing if it is none."""
    try:
        found = socket.getaddrinfo(text, port, 0, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    yield Server(found[0][0], found[0][4])


def _read_options(words: list[str], options: dict[str, Any]) -> None:
    for word in words:
        name, _, number = word.partition(":")
        if name in _NUMBERS:
            digits = re.match(r"\d*", number)
            attribute, most = _NUMBERS[name]
            options[attribute] = min(int(digits.group() or 0) if digits else 0, most)
        elif name in _SWITCHES:
            attribute, value = _SWITCHES[name]
            options[attribute] = value


class ServiceStep(NamedTuple):
    """One service to ask, and after which of its outcomes the look-up ends.

    Attributes:
        service: `files` or `dns`; others are passed over.
        ends_on: `SUCCESS`, `NOTFOUND`, `UNAVAIL`, `TRYAGAIN`.
    """

    service: str
    ends_on: frozenset[str]


_STATUSES = frozenset({"SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"})
_DEFAULT_STEPS = "hosts: files dns"


def parse_nsswitch(text: str) -> tuple[ServiceStep, ...]:
    """Read which services look up hosts, in order, from the text of nsswitch.conf.

    Source: nsswitch.conf(5).
    """
    for line in (*text.splitlines(), _DEFAULT_STEPS):
        database, colon, rest = line.partition("#")[0].partition(":")
        if colon and database.strip() == "hosts":
            return tuple(_steps(rest))
    raise AssertionError("the default has a line for hosts")


def _steps(rest: str) -> Iterator[ServiceStep]:
    for service, rules in re.findall(r"([^\s\[\]]+)\s*((?:\[[^\]]*\]\s*)*)", rest):
        ends_on = {"SUCCESS"}
        for negated, status, action in re.findall(r"(!?)(\w+)=(\w+)", rules):
            status = status.upper()
            if status not in _STATUSES:
                continue
            meant = _STATUSES - {status} if negated else {status}
            ends_on = ends_on | meant if action.lower() == "return" else ends_on - meant
        yield ServiceStep(service.lower(), frozenset(ends_on))


def parse_host_conf(text: str) -> bool:
    """Tell from the text of host.conf whether all lines of the hosts file count: `multi on`."""
    multi = False
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["multi"] and len(words) > 1:
            multi = words[1].lower() == "on"
    return multi
