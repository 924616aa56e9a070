"""Hosts by name and by address, from the services that nsswitch.conf lists, in its order."""

import socket
from collections.abc import Callable, Sequence
from typing import Final

from eventlet._names.dns_service import DnsService
from eventlet._names.hosts_file import parse_hosts
from eventlet._names.interfaces import OwnAddresses
from eventlet._names.ordering import AddressTables, order_addresses, parse_gai_conf
from eventlet._names.outcomes import Address, Host, LookupFailed, Miss
from eventlet._names.settings_files import (
    DNS_PORT,
    DnsSettings,
    ServiceStep,
    parse_host_conf,
    parse_nsswitch,
    parse_resolv_conf,
)
from eventlet._names.watched_file import WatchedFile

__all__ = ["NameService"]

_RDTYPES: Final[dict[int, str]] = {socket.AF_INET: "A", socket.AF_INET6: "AAAA"}
_STATUS: Final = {
    Miss.NOT_FOUND: "NOTFOUND",
    Miss.NO_DATA: "NOTFOUND",
    Miss.NO_RECOVERY: "UNAVAIL",
    Miss.TRY_AGAIN: "TRYAGAIN",
}
_BOTH: Final = (socket.AF_INET, socket.AF_INET6)


class NameService:
    """Looks hosts up as the system's files say.

    Every look-up notices when a file has changed.

    Args:
        resolv_conf: where the name servers are listed.
        hosts: the hosts file.
        nsswitch: which services are asked, in which order.
        host_conf: how the hosts file is read.
        gai_conf: in which order addresses are preferred.
        port: of the name servers.
    """

    def __init__(
        self,
        resolv_conf: str = "/etc/resolv.conf",
        hosts: str = "/etc/hosts",
        nsswitch: str = "/etc/nsswitch.conf",
        host_conf: str = "/etc/host.conf",
        gai_conf: str = "/etc/gai.conf",
        port: int = DNS_PORT,
    ) -> None:
        self.dns = DnsService()
        self._dns_settings: WatchedFile[DnsSettings] = WatchedFile(
            resolv_conf, lambda text: parse_resolv_conf(text, port)
        )
        self._own = OwnAddresses()
        self._hosts = WatchedFile(hosts, parse_hosts)
        self._steps: WatchedFile[tuple[ServiceStep, ...]] = WatchedFile(nsswitch, parse_nsswitch)
        self._multi = WatchedFile(host_conf, parse_host_conf)
        self._tables: WatchedFile[AddressTables] = WatchedFile(gai_conf, parse_gai_conf)

    def order(self, addresses: Sequence[Address]) -> list[Address]:
        """Return addresses in the order in which they should be tried."""
        return order_addresses(addresses, self._tables.read(), own=self._own.read)

    # -- by name -------------------------------------------------------------------------------

    def forward(self, name: bytes, family: int, mapped: bool = False, every: bool = False) -> Host:
        """Find a host by its name.

        Args:
            name: encoded, as it goes to the services.
            family: AF_INET, AF_INET6, or AF_UNSPEC for both.
            mapped: with AF_INET6, whether IPv4 addresses serve where there are no others.
            every: with `mapped`, whether they are found besides the others too.

        Raises:
            LookupFailed: no service knows it.
        """
        if not name:
            raise LookupFailed(Miss.NO_RECOVERY)
        worst: Miss | None = None
        for step in self._steps.read():
            try:
                host = self._ask(step.service, name, family, mapped, every)
            except LookupFailed as exc:
                worst = exc.miss
                status = _STATUS[exc.miss]
            else:
                if host is None:
                    continue
                status = "SUCCESS"
                if "SUCCESS" in step.ends_on:
                    return host
            if status in step.ends_on:
                break
        raise LookupFailed(Miss.NOT_FOUND if worst is None else worst)

    def _ask(
        self, service: str, name: bytes, family: int, mapped: bool, every: bool
    ) -> Host | None:
        """Ask one service; None when it is one that we do not have."""
        ask = {"files": self._ask_files, "dns": self._ask_dns}.get(service)
        if ask is None:
            return None
        if family == socket.AF_UNSPEC:
            return ask(name, _BOTH)
        if family == socket.AF_INET6 and mapped:
            return _ask_mapped(ask, name, every)
        return ask(name, (family,))

    def _ask_files(self, name: bytes, families: tuple[int, ...]) -> Host:
        text = name.decode("ascii", "surrogateescape")
        return self._hosts.read().forward(text, families, self._multi.read())

    def _ask_dns(self, name: bytes, families: tuple[int, ...]) -> Host:
        settings = self._dns_settings.read()
        if not settings.ask_aaaa:
            families = tuple(each for each in families if each != socket.AF_INET6)
        if not families:
            raise LookupFailed(Miss.NO_DATA)
        rdtypes = [_RDTYPES[each] for each in families]
        candidate, found = self.dns.search(name, rdtypes, settings)
        answers = [(each, found[_RDTYPES[each]].records) for each in families]
        known = next(records for _family, records in answers if records.values)
        addresses = [
            Address(family, text) for family, records in answers for text in records.values
        ]
        # Without aliases the name is as it was asked for; what is kept may be written otherwise.
        asked = candidate.decode("ascii", "surrogateescape").removesuffix(".")
        if not known.aliases:
            return Host(asked, (), tuple(addresses))
        return Host(known.canonical, (asked, *known.aliases[1:]), tuple(addresses))

    # -- by address ------------------------------------------------------------------------------

    def reverse(self, address: Address) -> Host:
        """Find a host by its address.

        Raises:
            LookupFailed: no service knows it.
        """
        worst = Miss.NOT_FOUND
        for step in self._steps.read():
            ask = {"files": self._reverse_files, "dns": self._reverse_dns}.get(step.service)
            if ask is None:
                continue
            try:
                return ask(address)
            except LookupFailed as exc:
                worst = exc.miss
                if _STATUS[exc.miss] in step.ends_on:
                    break
        raise LookupFailed(worst)

    def _reverse_files(self, address: Address) -> Host:
        return self._hosts.read().reverse(socket.inet_pton(address.family, address.text))

    def _reverse_dns(self, address: Address) -> Host:
        settings = self._dns_settings.read()
        found = self.dns.ask(_reverse_name(address), ["PTR"], settings)["PTR"]
        if found.miss is not None:
            raise LookupFailed(found.miss)
        return Host(found.records.values[0], (), (address,))


def _ask_mapped(ask: Callable[[bytes, tuple[int, ...]], Host], name: bytes, every: bool) -> Host:
    """Ask for IPv6, and for IPv4 in the form that IPv6 has for it."""
    try:
        host = ask(name, (socket.AF_INET6,))
    except LookupFailed:
        host = None
    if host is not None and not every:
        return host
    try:
        plain = ask(name, (socket.AF_INET,))
    except LookupFailed:
        if host is None:
            raise
        return host
    mapped = tuple(Address(socket.AF_INET6, f"::ffff:{each.text}") for each in plain.addresses)
    if host is None:
        return plain._replace(addresses=mapped)
    return host._replace(addresses=host.addresses + mapped)


def _reverse_name(address: Address) -> bytes:
    packed = socket.inet_pton(address.family, address.text)
    if address.family == socket.AF_INET:
        return b".".join(b"%d" % byte for byte in reversed(packed)) + b".in-addr.arpa"
    return b".".join(digit.encode() for digit in reversed(packed.hex())) + b".ip6.arpa"
