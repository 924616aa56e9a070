"""One question to one server over a socket of its own, in the form of `dns.query`."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from eventlet._names.library import LIBRARY
from eventlet._unpatched import monotonic
from eventlet.greenio.sockets import GreenSocket

__all__ = ["QUERY_TIMEOUT", "load_dns", "tcp", "udp"]

QUERY_TIMEOUT: Final = 10.0
_LONGEST: Final = 65535


def load_dns() -> ModuleType:
    """Return the whole private dnspython, whose `dns.query` asks by the functions below.

    Raises:
        NoGreenNames: there is no dnspython.
    """
    dns = LIBRARY.load_whole()
    dns.query.udp, dns.query.tcp = udp, tcp
    return dns


def udp(
    q: Any,
    where: str,
    timeout: float | None = QUERY_TIMEOUT,
    port: int = 53,
    af: int | None = None,
    source: str | None = None,
    source_port: int = 0,
    ignore_unexpected: bool = False,
    one_rr_per_rrset: bool = False,
    ignore_trailing: bool = False,
    raise_on_truncation: bool = False,
    sock: Any = None,
    ignore_errors: bool = False,
) -> Any:
    """Send a message over UDP and return the response.

    Args:
        q: the message.
        where: address of the server, as text.
        timeout: seconds; None waits for ever.
        port: of the server.
        af: address family; that of `where` when None.
        source: own address to send from.
        source_port: own port to send from.
        ignore_unexpected: drop what comes from elsewhere and go on listening.
        one_rr_per_rrset: as for `dns.message.from_wire`.
        ignore_trailing: accept bytes after the response.
        raise_on_truncation: raise for a truncated response.
        sock: to use instead of a new socket; it stays open.
        ignore_errors: drop what is no response to `q` and go on listening.

    Raises:
        dns.exception.Timeout: no response came in time.
        dns.query.UnexpectedSource: something came from elsewhere.
        dns.query.BadResponse: what came is no response to `q`.
        dns.message.Truncated: it is truncated.

    Source: CVE-2023-29483: one forged datagram must not end a look-up.
    """
    dns = load_dns()
    deadline = None if timeout is None else monotonic() + timeout
    family, target = _target(where, port, af)
    with _socket(family, socket.SOCK_DGRAM, source, source_port, sock) as used:
        began = monotonic()
        with _in_time(dns, used, deadline, timeout):
            used.sendto(q.to_wire(), target)
        while True:
            with _in_time(dns, used, deadline, timeout):
                wire, sender = used.recvfrom(_LONGEST)
            if not _is_from(sender, target):
                if ignore_unexpected:
                    continue
                raise dns.query.UnexpectedSource(f"got a response from {sender}, not {target}")
            try:
                response = dns.message.from_wire(
                    wire,
                    keyring=q.keyring,
                    request_mac=q.mac,
                    one_rr_per_rrset=one_rr_per_rrset,
                    ignore_trailing=ignore_trailing,
                    raise_on_truncation=raise_on_truncation,
                )
            except dns.message.Truncated as exc:
                if ignore_errors and not q.is_response(exc.message()):
                    continue
                raise
            except Exception:
                if ignore_errors:
                    continue
                raise
            if q.is_response(response):
                response.time = monotonic() - began
                return response
            if not ignore_errors:
                raise dns.query.BadResponse


def tcp(
    q: Any,
    where: str,
    timeout: float | None = QUERY_TIMEOUT,
    port: int = 53,
    af: int | None = None,
    source: str | None = None,
    source_port: int = 0,
    one_rr_per_rrset: bool = False,
    ignore_trailing: bool = False,
    sock: Any = None,
) -> Any:
    """Send a message over TCP and return the response; arguments and errors as for `udp`.

    Args:
        q: the message.
        where: address of the server, as text.
        timeout: seconds; None waits for ever.
        port: of the server.
        af: address family; that of `where` when None.
        source: own address to connect from.
        source_port: own port to connect from.
        one_rr_per_rrset: as for `dns.message.from_wire`.
        ignore_trailing: accept bytes after the response.
        sock: a connection to use instead of a new one; it stays open.

    Raises:
        dns.exception.Timeout: no response came in time.
        dns.query.BadResponse: what came is no response to `q`.
        EOFError: the server closed the connection.
    """
    dns = load_dns()
    deadline = None if timeout is None else monotonic() + timeout
    family, target = _target(where, port, af)
    with _socket(family, socket.SOCK_STREAM, source, source_port, sock) as used:
        began = monotonic()
        wire = q.to_wire()
        with _in_time(dns, used, deadline, timeout):
            if sock is None:
                used.connect(target)
            used.sendall(len(wire).to_bytes(2, "big") + wire)
        size = _read_exactly(dns, used, 2, deadline, timeout)
        answer = _read_exactly(dns, used, int.from_bytes(size, "big"), deadline, timeout)
        response = dns.message.from_wire(
            answer,
            keyring=q.keyring,
            request_mac=q.mac,
            one_rr_per_rrset=one_rr_per_rrset,
            ignore_trailing=ignore_trailing,
        )
        response.time = monotonic() - began
        if not q.is_response(response):
            raise dns.query.BadResponse
        return response


def _target(where: str, port: int, af: int | None) -> tuple[int, Any]:
    """Return family and socket address of a server, whose address is a literal."""
    flags = socket.AI_NUMERICHOST
    found = socket.getaddrinfo(where, port, af or 0, socket.SOCK_DGRAM, 0, flags)
    return found[0][0], found[0][4]


@contextmanager
def _socket(
    family: int, kind: int, source: str | None, source_port: int, given: Any
) -> Iterator[Any]:
    """Lend the caller's socket, or a new one that is closed afterwards."""
    if given is not None:
        before = given.gettimeout()
        try:
            yield given
        finally:
            given.settimeout(before)
        return
    with GreenSocket(family, kind) as sock:
        if source is not None or source_port:
            anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - as asked
            sock.bind((source or anywhere, source_port))
        yield sock


@contextmanager
def _in_time(
    dns: ModuleType, sock: Any, deadline: float | None, timeout: float | None
) -> Iterator[None]:
    """Bound one call of a socket by the deadline of the whole."""
    if deadline is not None:
        left = deadline - monotonic()
        if left <= 0:
            raise dns.exception.Timeout(timeout=timeout)
        sock.settimeout(left)
    else:
        sock.settimeout(None)
    try:
        yield
    except TimeoutError as exc:
        raise dns.exception.Timeout(timeout=timeout) from exc


def _is_from(sender: Any, target: Any) -> bool:
    """Whether a datagram comes from where we sent ours; multicast is answered by anybody."""
    if _packed(sender[0]) == _packed(target[0]) and sender[1:] == target[1:]:
        return True
    first = _packed(target[0])[0]
    is_multicast = first == 0xFF if ":" in target[0] else 224 <= first < 240
    return is_multicast and sender[1] == target[1]


def _packed(text: str) -> bytes:
    bare = text.partition("%")[0]
    return socket.inet_pton(socket.AF_INET6 if ":" in bare else socket.AF_INET, bare)


def _read_exactly(
    dns: ModuleType, sock: Any, size: int, deadline: float | None, timeout: float | None
) -> bytes:
    data = b""
    while len(data) < size:
        with _in_time(dns, sock, deadline, timeout):
            piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError("the name server closed the connection")
        data += piece
    return data
