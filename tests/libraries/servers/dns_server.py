"""A DNS server in a process of its own, over UDP and TCP, which takes its time."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.libraries.crew import DELAY


def answer(wire: bytes, is_udp: bool) -> bytes:
    query = dns.message.from_wire(wire)
    name = query.question[0].name
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    if name.to_text().startswith("big.") and is_udp:
        reply.flags |= dns.flags.TC
        return reply.to_wire()
    time.sleep(DELAY)
    if name.to_text().startswith("no."):
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()
    count = 60 if name.to_text().startswith("big.") else 1
    addresses = [f"192.0.2.{number + 1}" for number in range(count)]
    reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", *addresses))
    return reply.to_wire()


class OverTCP(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while length := self.rfile.read(2):
            wire = self.rfile.read(struct.unpack("!H", length)[0])
            reply = answer(wire, is_udp=False)
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


def serve_udp(sock: socket.socket) -> None:
    def one(wire: bytes, peer: Any) -> None:
        sock.sendto(answer(wire, is_udp=True), peer)

    while True:
        wire, peer = sock.recvfrom(4096)
        threading.Thread(target=one, args=(wire, peer), daemon=True).start()


def main() -> None:
    socketserver.ThreadingTCPServer.request_queue_size = 128
    while True:
        tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), OverTCP)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.server_address)
            break
        except OSError:  # somebody has that number for UDP
            tcp.server_close()
            udp.close()
    threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
    print(tcp.server_address[1], flush=True)
    tcp.serve_forever()


if __name__ == "__main__":
    main()
