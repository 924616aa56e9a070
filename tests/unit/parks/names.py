"""Look-ups that wait for a name server."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from eventlet._names.default import DEFAULT
from eventlet.support import greendns

from tests.unit.names.dns_server import DnsServer, Zone, make_names
from tests.unit.parks.park import Park, Table, Wait
from tests.unit.parks.stage import LONG, Stage

__all__ = ["PARKS"]

_TABLE = Table()
PARKS: dict[str, Park] = _TABLE
park = _TABLE.park

_RECORDS = {
    ("a.example", "A"): ["127.0.0.1"],
    ("1.0.0.127.in-addr.arpa", "PTR"): ["a.example."],
    ("b.example", "CNAME"): ["a.example."],
}
_FOUND: tuple[str, list[str], list[str]] = ("a.example", [], ["127.0.0.1"])


def _server(stage: Stage) -> DnsServer:
    """Bind a server that answers only when it is told to."""
    server = stage.keep(DnsServer(Zone(_RECORDS)))
    stage.mind(server.udp)
    stage.mind(server.tcp)
    return server


def _asking(stage: Stage, ask: Callable[[], Any], gives: Any) -> Wait:
    server = _server(stage)
    folder = tempfile.TemporaryDirectory()
    stage.at_end(folder.cleanup)
    patient = "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n"
    names = make_names(Path(folder.name), server.port, patient)
    names.service.dns.cache.limit = 0  # each call is to ask
    stage.replace(DEFAULT, "names", names)
    return Wait(ask, partial(_answer_all, server), gives, stays=False)


def _answer_all(server: DnsServer) -> None:
    """Answer the questions that have come."""
    server.udp.setblocking(False)
    try:
        while True:
            wire, sender = server.udp.recvfrom(65535)
            server.send(server.zone.answer(wire).to_wire(), sender)
    except BlockingIOError:
        return


def _is_found(found: Any) -> bool:
    return bool(found[0][4] == ("127.0.0.1", 80))


@park(greendns.getaddrinfo)
def names_getaddrinfo(stage: Stage) -> Wait:
    return _asking(stage, partial(greendns.getaddrinfo, "a.example", 80), _is_found)


@park(greendns.gethostbyname)
def names_gethostbyname(stage: Stage) -> Wait:
    return _asking(stage, partial(greendns.gethostbyname, "a.example"), "127.0.0.1")


@park(greendns.gethostbyname_ex)
def names_gethostbyname_ex(stage: Stage) -> Wait:
    return _asking(stage, partial(greendns.gethostbyname_ex, "a.example"), _FOUND)


@park(greendns.gethostbyaddr)
def names_gethostbyaddr(stage: Stage) -> Wait:
    return _asking(stage, partial(greendns.gethostbyaddr, "127.0.0.1"), _FOUND)


@park(greendns.getnameinfo)
def names_getnameinfo(stage: Stage) -> Wait:
    ask = partial(greendns.getnameinfo, ("127.0.0.1", 80), socket.NI_NUMERICSERV)
    return _asking(stage, ask, ("a.example", "80"))


# -- questions of dnspython --------------------------------------------------------------------


def _message() -> Any:
    return greendns.dns.message.make_query("a.example", "A")


def _has_address(answer: Any) -> bool:
    return (
        bool(answer.rrset[0].address == "127.0.0.1")
        if hasattr(answer, "rrset")
        else bool(answer.answer[0][0].address == "127.0.0.1")
    )


@park(greendns.udp)
def dns_udp(stage: Stage) -> Wait:
    server = _server(stage)
    ask = partial(greendns.udp, _message(), "127.0.0.1", port=server.port, ignore_errors=True)
    return Wait(ask, partial(_answer_all, server), _has_address, stays=False)


@park(greendns.tcp)
def dns_tcp(stage: Stage) -> Wait:
    server = _server(stage)

    def answer() -> None:
        server.tcp.setblocking(False)
        try:
            while True:
                connection, _address = server.tcp.accept()
                server.converse(connection)
        except BlockingIOError:
            return

    ask = partial(greendns.tcp, _message(), "127.0.0.1", port=server.port)
    return Wait(ask, answer, _has_address, stays=False)


def _proxy(stage: Stage, server: DnsServer) -> Any:
    proxy = greendns.ResolverProxy(filename="/nonexistent")
    proxy._resolver.port = server.port
    proxy._resolver.cache = None
    proxy._resolver.timeout = proxy._resolver.lifetime = LONG
    stage.replace(greendns, "resolver", proxy)
    return proxy


@park(greendns.ResolverProxy.query)
def dns_query(stage: Stage) -> Wait:
    server = _server(stage)
    ask = partial(_proxy(stage, server).query, "a.example.")
    return Wait(ask, partial(_answer_all, server), _has_address, stays=False)


@park(greendns.resolve)
def dns_resolve(stage: Stage) -> Wait:
    server = _server(stage)
    _proxy(stage, server)
    ask = partial(greendns.resolve, "a.example.")
    return Wait(ask, partial(_answer_all, server), _has_address, stays=False)


@park(greendns.resolve_cname)
def dns_resolve_cname(stage: Stage) -> Wait:
    server = _server(stage)
    _proxy(stage, server)
    ask = partial(greendns.resolve_cname, "b.example.")
    return Wait(ask, partial(_answer_all, server), "a.example.", stays=False)


@park(greendns.ResolverProxy.getaliases, greendns.getaliases)
def dns_getaliases(stage: Stage) -> Wait:
    server = _server(stage)
    _proxy(stage, server)
    ask = partial(greendns.getaliases, "a.example.")
    return Wait(ask, partial(_answer_all, server), [], stays=False)
