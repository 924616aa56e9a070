"""A name server for tests, which lies, stays silent or waits as a test asks.

It runs in green threads of the test, over real sockets on 127.0.0.1 with a port that the kernel
chose. It makes messages with the ordinary dnspython; the library under test uses a copy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from eventlet._names.service import NameService
from eventlet._names.standard import StandardNames
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn

__all__ = ["DnsServer", "Zone", "make_names", "make_service", "running_server"]

Records = dict[tuple[str, str], list[str]]
SOA = "ns.test. admin.test. 1 3600 600 86400 7"


class Zone:
    """Answers from a table: pairs (name without final dot, type) -> values.

    Attributes:
        ttl: of all records, in seconds.
        rcodes: names that get this code and nothing else.
    """

    def __init__(self, records: Records, ttl: int = 60) -> None:
        self.records = records
        self.ttl = ttl
        self.rcodes: dict[str, str] = {}

    def answer(self, wire: bytes) -> dns.message.Message:
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name
        text = name.to_text(omit_final_dot=True).lower()
        if text in self.rcodes:
            reply.set_rcode(dns.rcode.from_text(self.rcodes[text]))
            return reply
        rdtype = dns.rdatatype.to_text(question.rdtype)
        for _ in range(20):
            alias = self.records.get((text, "CNAME"))
            if alias is None:
                break
            reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "CNAME", alias[0]))
            name = dns.name.from_text(alias[0])
            text = name.to_text(omit_final_dot=True).lower()
        values = self.records.get((text, rdtype))
        if values:
            reply.answer.append(dns.rrset.from_text_list(name, self.ttl, "IN", rdtype, values))
            return reply
        if not any(known == text for known, _type in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        reply.authority.append(dns.rrset.from_text("test.", 60, "IN", "SOA", SOA))
        return reply


Reply = Callable[["DnsServer", bytes, Any], None]


class DnsServer:
    """UDP and TCP on one port.

    Attributes:
        asked: (type, name) of each question that came, in order; TCP ones marked `tcp`.
        senders: the addresses that UDP questions came from.
        delay: seconds before each answer.
        reply: what to do with a question over UDP instead of answering it.
        limit: bytes that fit into a UDP answer; longer ones are cut.
    """

    def __init__(self, zone: Zone, host: str = "127.0.0.1", port: int = 0) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []
        self.tcp_asked: list[tuple[str, str]] = []
        self.senders: list[Any] = []
        self.payloads: list[int] = []
        self.delay = 0.0
        self.reply: Reply | None = None
        self.limit = 512
        self.udp, self.tcp = _open_pair(host, port)

    @property
    def port(self) -> int:
        return int(self.udp.getsockname()[1])

    def serve_udp(self) -> None:
        while True:
            try:
                wire, sender = self.udp.recvfrom(65535)
            except (EOFError, OSError):
                return
            spawn(self._answer, wire, sender)

    def _answer(self, wire: bytes, sender: Any) -> None:
        self.note(wire, self.asked)
        self.senders.append(sender)
        if self.delay:
            sleep(self.delay)
        if self.reply is not None:
            self.reply(self, wire, sender)
        else:
            self.send(self.cut(self.zone.answer(wire)), sender)

    def note(self, wire: bytes, log: list[tuple[str, str]]) -> None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        log.append((dns.rdatatype.to_text(question.rdtype), name))
        self.payloads.append(query.payload)

    def cut(self, reply: dns.message.Message) -> bytes:
        wire = reply.to_wire()
        if len(wire) <= self.limit:
            return wire
        reply.answer.clear()
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    def send(self, wire: bytes, sender: Any) -> None:
        try:
            self.udp.sendto(wire, sender)
        except OSError:
            return  # the server was closed while it waited to answer

    def serve_tcp(self) -> None:
        while True:
            try:
                connection, _address = self.tcp.accept()
            except (EOFError, OSError):
                return
            spawn(self.converse, connection)

    def converse(self, connection: Any) -> None:
        """Answer what comes over one connection, until its end."""
        with connection, connection.makefile("rb") as lines:
            while size := lines.read(2):
                wire = lines.read(int.from_bytes(size, "big"))
                self.note(wire, self.tcp_asked)
                sleep(self.delay)
                answer = self.zone.answer(wire).to_wire()
                connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


def _open_pair(host: str, port: int) -> tuple[GreenSocket, GreenSocket]:
    """Bind UDP and TCP to one port; one that the kernel chose for UDP may be taken for TCP."""
    for last in (False,) * 20 + (True,):
        udp = GreenSocket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = GreenSocket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            udp.bind((host, port))
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((host, udp.getsockname()[1]))
            tcp.listen(50)
        except OSError:
            udp.close()
            tcp.close()
            if port or last:
                raise
        else:
            return udp, tcp
    raise AssertionError("the last attempt raises")


@contextmanager
def running_server(zone: Zone, host: str = "127.0.0.1", port: int = 0) -> Iterator[DnsServer]:
    server = DnsServer(zone, host, port)
    threads = [spawn(server.serve_udp), spawn(server.serve_tcp)]
    try:
        yield server
    finally:
        server.close()
        for thread in threads:
            thread.wait()


def make_service(
    folder: Path, port: int, resolv_conf: str = "nameserver 127.0.0.1\n", hosts: str = ""
) -> NameService:
    """Make a name service over files of our own; files, then DNS."""
    texts = {
        "resolv_conf": resolv_conf,
        "hosts": hosts,
        "nsswitch": "hosts: files dns\n",
        "host_conf": "multi on\n",
        "gai_conf": "",
    }
    paths = {name: folder / name.replace("_", ".") for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    return NameService(**{name: str(path) for name, path in paths.items()}, port=port)


def make_names(
    folder: Path, port: int, resolv_conf: str = "nameserver 127.0.0.1\n", hosts: str = ""
) -> StandardNames:
    """Make the functions of the `socket` module over `make_service`."""
    return StandardNames(make_service(folder, port, resolv_conf, hosts))
