"""Ten thousand kept connections to one process."""

from __future__ import annotations

import socket
import time

from tests.load.descriptors import raise_limit
from tests.load.report import Part
from tests.load.running import GET, PATIENCE, Running

ROUNDS = 2
AT_ONCE = 1000  # connections that are opened, and then used, together: a backlog is finite
ENDING = b"['GET', '/', None, 'a']\n"


def run(wanted: int) -> Part:
    """Open them, have rounds of requests over all, and stop the server."""
    count = min(wanted, raise_limit())
    part = Part(f"{count:,} keep-alive connections to one process")
    print(f"==> {part.title}", flush=True)
    if count < wanted:
        part.tell(f"connections; {wanted:,} do not fit into RLIMIT_NOFILE here", f"{count:,}")
    socks: list[socket.socket] = []
    # Plain blocking sockets: a request fits into a socket's buffer, and so does its answer.
    try:
        with Running(part, {"idle_timeout": 300.0}, count + 10) as server:
            began = time.monotonic()
            while len(socks) < count:
                some = [
                    socket.create_connection(server.address, PATIENCE)
                    for _ in range(min(AT_ONCE, count - len(socks)))
                ]
                socks += some
                ask_all(part, some)
            part.tell("to open all, with a request on each", f"{time.monotonic() - began:.2f} s")
            for number in range(ROUNDS):
                began = time.monotonic()
                ask_all(part, socks)
                seconds = time.monotonic() - began
                part.tell(
                    f"round {number + 1}: a request on each, all sent before an answer is read",
                    f"{seconds:.2f} s, {count / seconds:,.0f} requests/s",
                )
            books = server.books()
            part.check(books["connections"] == count, f"{books['connections']} of {count} are kept")
            memory = (books["peak"] - server.first["memory"]) / count
            part.tell("the server's peak memory", f"{books['peak'] / 1024:,.1f} MiB")
            part.tell("of that, for each connection", f"{memory:.1f} KiB")
            began = time.monotonic()
            server.stop()
            part.tell(
                "graceful stop, to the end of the process", f"{time.monotonic() - began:.2f} s"
            )
            ends = sum(sock.recv(1) == b"" for sock in socks)
            part.check(ends == count, f"{count - ends} connections did not end in good order")
    finally:
        for sock in socks:
            sock.close()
    return part


def ask_all(part: Part, socks: list[socket.socket]) -> None:
    for sock in socks:
        sock.sendall(GET)
    wrong = 0
    for sock in socks:
        answer = b""
        while not answer.endswith(ENDING):
            more = sock.recv(4096)
            if not more:
                break
            answer += more
        wrong += not (answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(ENDING))
    part.check(not wrong, f"{wrong} of {len(socks)} requests were not answered as they should")
