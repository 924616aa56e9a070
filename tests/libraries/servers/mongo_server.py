"""What pymongo needs of a MongoDB server, over TLS, in a process of its own.

Debian has no MongoDB. This speaks its wire protocol: the greeting, pings, inserts and finds,
each of which takes its time, into a list in memory.
"""

from __future__ import annotations

import itertools
import socketserver
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import bson

from tests.libraries.crew import DELAY

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
HEADER = struct.Struct("<iiii")  # length, request, response to, operation
STORED: list[Any] = []
_ids = itertools.count(1)


def carry_out(command: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a command."""
    name = next(iter(command))
    if name.lower() in ("hello", "ismaster"):
        return {
            "ok": 1.0,
            "helloOk": True,
            "ismaster": True,
            "isWritablePrimary": True,
            "maxBsonObjectSize": 16 << 20,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "localTime": datetime(2024, 1, 1),
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "logicalSessionTimeoutMinutes": 30,
        }
    if name == "insert":
        time.sleep(DELAY)
        STORED.extend(command["documents"])
        return {"ok": 1.0, "n": len(command["documents"])}
    if name == "find":
        time.sleep(DELAY)
        wanted = command.get("filter", {}).items()
        found = [each for each in STORED if wanted <= each.items()]
        space = f"{command['$db']}.{command['find']}"
        return {"ok": 1.0, "cursor": {"id": bson.Int64(0), "ns": space, "firstBatch": found}}
    if name in ("ping", "endSessions"):
        return {"ok": 1.0}
    return {"ok": 0.0, "code": 59, "errmsg": f"no such command: {name}"}


def read_message(body: bytes) -> dict[str, Any]:
    """Return the command of an OP_MSG, with its sequences of documents put into it."""
    command: dict[str, Any] = {}
    at = 4
    while at < len(body):
        kind, at = body[at], at + 1
        size = struct.unpack_from("<i", body, at)[0]
        section = body[at : at + size]
        at += size
        if kind == 0:
            command = {**bson.decode(section), **command}  # its first key is the command's name
        else:
            name, _, documents = section[4:].partition(b"\0")
            command[name.decode()] = bson.decode_all(documents)
    return command


class Handler(socketserver.StreamRequestHandler):
    """One client."""

    def handle(self) -> None:
        for request, operation, body in self.requests():
            if operation == OP_QUERY:
                at = body.index(b"\0", 4) + 9  # flags, name of the collection, two numbers
                answer = bson.encode(carry_out(bson.decode(body[at:])))
                payload = struct.pack("<iqii", 8, 0, 0, 1) + answer
                self.reply(request, OP_REPLY, payload)
            else:
                answer = bson.encode(carry_out(read_message(body)))
                self.reply(request, OP_MSG, struct.pack("<i", 0) + b"\0" + answer)

    def requests(self) -> Iterator[tuple[int, int, bytes]]:
        while len(header := self.rfile.read(HEADER.size)) == HEADER.size:
            length, request, _, operation = HEADER.unpack(header)
            yield request, operation, self.rfile.read(length - HEADER.size)

    def reply(self, request: int, operation: int, payload: bytes) -> None:
        length = HEADER.size + len(payload)
        self.wfile.write(HEADER.pack(length, next(_ids), request, operation) + payload)


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that go away are part of the tests


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    port = server.server_address[1]
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    print(port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
