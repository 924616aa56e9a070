"""The resolver objects of old: a hosts file and name servers that take dnspython's questions.

The functions of the `socket` module do not use them unless somebody puts others in their place;
they are for programs that ask for records of any type.
"""

import os
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from eventlet._names.exchange import load_dns
from eventlet._unpatched import monotonic

__all__ = ["HOSTS_TTL", "HostsResolver", "ResolverProxy"]

HOSTS_TTL = 10.0
_MOST_ALIASES = 16
_A, _CNAME, _AAAA, _IN = 1, 5, 28, 1


class HostsResolver:
    """Answers questions from a hosts file.

    Args:
        fname: the file; None for the system's. One that cannot be read counts as empty.
        interval: seconds after which it is read again, and for which an answer holds.
    """

    def __init__(self, fname: str | None = None, interval: float = HOSTS_TTL) -> None:
        self.fname = _system_hosts_file() if fname is None else fname
        self.interval = interval
        self._v4: dict[str, str] = {}
        self._v6: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._more: dict[tuple[int, str], list[str]] = {}
        self._last_load = 0.0
        self._load()

    def _readlines(self) -> list[str]:
        """Read the lines of the file, without comments and blank ones."""
        try:
            text = Path(self.fname).read_bytes().decode("utf-8", "replace")
        except OSError:
            return []
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        return [line for line in lines if line]

    def _load(self) -> None:
        """Read the file anew. Addresses beyond the first of a name are in `_more`."""
        self._v4.clear()
        self._v6.clear()
        self._aliases.clear()
        self._more.clear()
        for line in self._readlines():
            address, *names = line.split()
            known = self._table_for(address)
            if known is None or not names:
                continue
            rdtype, table = known
            canonical, *aliases = (name.lower().rstrip(".") for name in names)
            for name in (canonical, *aliases):
                if table.setdefault(name, address) != address:
                    self._more.setdefault((rdtype, name), []).append(address)
            for alias in aliases:
                self._aliases[alias] = canonical
        self._last_load = monotonic()

    def _table_for(self, address: str) -> tuple[int, dict[str, str]] | None:
        if address.lower().startswith("fe80"):
            return None  # without a scope it leads nowhere
        for rdtype, family, table in (
            (_A, socket.AF_INET, self._v4),
            (_AAAA, socket.AF_INET6, self._v6),
        ):
            try:
                socket.inet_pton(family, address)
            except (OSError, ValueError):
                continue
            return rdtype, table
        return None

    def query(
        self,
        qname: Any,
        rdtype: Any = _A,
        rdclass: Any = _IN,
        tcp: bool = False,
        source: str | None = None,
        raise_on_no_answer: bool = True,
    ) -> Any:
        """Answer a question for A, AAAA or CNAME.

        Args:
            qname: the name: text, bytes or a `dns.name.Name`.
            rdtype: the type, by number or name.
            rdclass: the class; there is only IN.
            tcp: for likeness with other resolvers.
            source: the same.
            raise_on_no_answer: whether it is an error that there is no such record.

        Returns:
            A `HostsAnswer`.

        Raises:
            dns.resolver.NoAnswer: there is none.
        """
        from eventlet._names.hosts_answers import HostsAnswer

        dns = load_dns()
        left = self._last_load + self.interval - monotonic()
        if left <= 0:
            self._load()
            left = self.interval
        name = _name(qname)
        text = name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.RdataType.make(rdtype)
        values = self._values(text, rdtype)
        if rdtype == _CNAME:
            values = [f"{value}." for value in values]
        rrset = None
        if values and rdclass == _IN:
            rrset = dns.rrset.from_text_list(name, int(left), _IN, rdtype, values)
        return HostsAnswer(name, rdtype, rdclass, rrset, raise_on_no_answer)

    def _values(self, name: str, rdtype: int) -> list[str]:
        table = {_A: self._v4, _AAAA: self._v6, _CNAME: self._aliases}.get(rdtype, {})
        first = table.get(name)
        return [] if first is None else [first, *self._more.get((rdtype, name), ())]

    def getaliases(self, hostname: Any) -> list[str]:
        """Return the other names of a host, whichever of them is given."""
        name = _name(hostname).to_text(omit_final_dot=True).lower()
        canonical = self._aliases.get(name, name)
        names = [canonical, *(a for a, target in self._aliases.items() if target == canonical)]
        return [each for each in names if each != name]


class ResolverProxy:
    """Asks a hosts file first, then name servers.

    Args:
        hosts_resolver: what answers from the hosts file; None to do without.
        filename: a resolv.conf file, read at the first question to a server.
    """

    def __init__(self, hosts_resolver: Any = None, filename: str = "/etc/resolv.conf") -> None:
        self._hosts = hosts_resolver
        self._filename = filename
        self._servers: Any = None
        self.is_replaced = False

    @property
    def _resolver(self) -> Any:
        """What asks the servers; it has a method `query`."""
        if self._servers is None:
            self._servers = _make_resolver(self._filename)
        return self._servers

    @_resolver.setter
    def _resolver(self, resolver: Any) -> None:
        self._servers = resolver
        self.is_replaced = True

    def clear(self) -> None:
        """Forget what was read and what was answered."""
        self._servers = None
        self.is_replaced = False

    def query(
        self,
        qname: Any,
        rdtype: Any = _A,
        rdclass: Any = _IN,
        tcp: bool = False,
        source: str | None = None,
        raise_on_no_answer: bool = True,
        _hosts_rdtypes: Sequence[int] = (_A, _AAAA),
        use_network: bool = True,
    ) -> Any:
        """Answer a question.

        Args:
            qname: the name: text, bytes or a `dns.name.Name`.
            rdtype: the type, by number or name.
            rdclass: the class.
            tcp: whether servers are asked over TCP.
            source: own address to ask from.
            raise_on_no_answer: whether it is an error that there is no such record.
            _hosts_rdtypes: the types that the hosts file is asked for.
            use_network: whether servers are asked.

        Returns:
            A `dns.resolver.Answer`.

        Raises:
            dns.exception.DNSException: there is no answer; NXDOMAIN if no reason is known.
        """
        dns = load_dns()
        qname = _name(qname, relative=True)
        rdtype = dns.rdatatype.RdataType.make(rdtype)
        answers: list[Any] = []
        failures: list[Exception] = []

        def attempt(ask: Any, name: Any, **more: Any) -> None:
            try:
                answer = ask(name, rdtype, raise_on_no_answer=False, **more)
            except dns.exception.DNSException as exc:
                failures.append(exc)
            else:
                if answer.rrset:
                    answers.append(answer)
                elif not failures:
                    failures.append(dns.resolver.NoAnswer())

        if self._hosts is not None and rdtype in _hosts_rdtypes:
            attempt(self._hosts.query, qname)
        if use_network and not answers:
            failures.clear()
            ask = partial(self._resolver.query, rdclass=rdclass, tcp=tcp, source=source)
            attempt(ask, qname)
            if len(qname) == 1:
                attempt(ask, qname.concatenate(dns.name.root))
        if not answers:
            return self._give_up(qname, rdtype, rdclass, failures, raise_on_no_answer)
        for further in answers[1:]:
            answers[0].rrset.union_update(further.rrset)
        return answers[0]

    def _give_up(
        self, qname: Any, rdtype: Any, rdclass: Any, failures: list[Exception], raises: bool
    ) -> Any:
        from eventlet._names.hosts_answers import HostsAnswer

        dns = load_dns()
        # A name that is not there is no failure for who does not want to hear of it.
        harmless = (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN)
        serious = [exc for exc in failures if not isinstance(exc, harmless)]
        if serious:
            raise serious[0]
        if raises:
            raise failures[0] if failures else dns.resolver.NXDOMAIN(qnames=(qname,))
        return HostsAnswer(qname, rdtype, rdclass, None, raise_on_no_answer=False)

    def getaliases(self, hostname: Any) -> list[str]:
        """Return other names of a host: those of the hosts file, or what it is an alias of.

        Raises:
            dns.exception.DNSException: no name server answered.
        """
        found: list[str] = [] if self._hosts is None else self._hosts.getaliases(hostname)
        if found:
            return found
        dns = load_dns()
        name = hostname
        while len(found) < _MOST_ALIASES:
            try:
                answer = self.query(name, _CNAME)
            except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
                break
            name = answer[0].target
            found.append(name.to_text(omit_final_dot=True))
        return found


def _system_hosts_file() -> str:
    if os.name == "nt":
        root = os.environ.get("SYSTEMROOT", r"C:\Windows")
        return rf"{root}\System32\drivers\etc\hosts"
    return "/etc/hosts"


def _name(name: Any, relative: bool = False) -> Any:
    dns = load_dns()
    if isinstance(name, (str, bytes)):
        return dns.name.from_text(name, None if relative else dns.name.root)
    return name


def _make_resolver(filename: str) -> Any:
    """Make a resolver of the private dnspython; without a file it asks this machine."""
    dns = load_dns()

    class Resolver(dns.resolver.Resolver):  # type: ignore[misc, name-defined]  # the copy is untyped
        """dnspython's, with a `query` that is no deprecated name."""

        def query(self, qname: Any, rdtype: Any, **options: Any) -> Any:
            """Ask, by way of the search list."""
            return self.resolve(qname, rdtype, search=True, **options)

    try:
        resolver = Resolver(filename)
    except dns.resolver.NoResolverConfiguration:
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
    resolver.cache = dns.resolver.LRUCache()
    return resolver
