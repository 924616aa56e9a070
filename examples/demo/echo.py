"""The server pattern: ten thousand conversations at once, each held by plain blocking code.

The echo server of the examples runs in a process of its own; the clients live in this one. Each
client connects and has its first bytes echoed; when all are there, each sends once more, and
none leaves before all have had that answer too. So the server holds all of them at once.
"""

from __future__ import annotations

import os
import time

from rich.console import Console

import eventlet
from eventlet.greenio import GreenSocket

from examples.demo.children import Child, memory_bytes
from examples.demo.progress import Meter
from examples.demo.summary import Report
from examples.echoserver import RESERVED_DESCRIPTORS, raise_descriptor_limit

CONNECTING = 500
"""Clients that may be connecting at the same time; the kernel's queue at the server is bounded."""

ANSWER_SECONDS = 30.0


class Gate:
    """Opens when everybody has come."""

    def __init__(self, size: int) -> None:
        self.missing = size
        self.opened = eventlet.Event()

    def arrive(self) -> None:
        """Count one more who has come; the last one opens the gate."""
        self.missing -= 1
        if self.missing == 0:
            self.opened.send()

    def wait(self) -> None:
        """Park until the gate opens."""
        self.opened.wait()


class Crowd:
    """The clients, the moments they wait for each other, and what went wrong."""

    def __init__(self, address: tuple[str, int], size: int, meter: Meter) -> None:
        self.address = address
        self.size = size
        self.meter = meter
        self.connecting = eventlet.Semaphore(CONNECTING)
        self.connected = Gate(size)
        self.measured = Gate(1)
        self.answered = Gate(size)
        self.failures: list[str] = []
        self.round_seconds = 0.0
        self.memory: list[tuple[str, int | None]] = []

    def run(self, server: Child) -> None:
        """Let every client have its conversation, and return when all are over."""
        pool = eventlet.GreenPool(self.size)
        for number in range(self.size):
            pool.spawn_n(self.converse, number)
        self.connected.wait()
        self.memory = [("clients", memory_bytes(os.getpid())), ("server", server.memory_bytes())]
        started = time.monotonic()
        self.measured.arrive()
        self.answered.wait()
        self.round_seconds = time.monotonic() - started
        pool.waitall()

    def converse(self, number: int) -> None:
        """Be one client. One that fails is counted at the gates too, so nobody waits for it."""
        gates = [self.answered, self.connected]
        try:
            with self.connecting:
                sock = eventlet.connect(self.address)
                sock.settimeout(ANSWER_SECONDS)
            with sock:
                ask(sock, f"client {number} is here\n".encode())
                gates.pop().arrive()
                self.meter.advance()
                self.measured.wait()
                ask(sock, f"client {number} is still here\n".encode())
                gates.pop().arrive()
                self.answered.wait()
        except (OSError, ValueError) as exc:
            self.failures.append(f"client {number}: {type(exc).__name__}: {exc}")
        finally:
            for gate in gates:
                gate.arrive()


def ask(sock: GreenSocket, question: bytes) -> None:
    """Send some bytes and read them back.

    Raises:
        ValueError: something else came back.
    """
    sock.sendall(question)
    answer = b""
    while len(answer) < len(question):
        part = sock.recv(1024)
        if not part:
            raise ValueError(f"the server hung up after {answer!r}")
        answer += part
    if answer != question:
        raise ValueError(f"sent {question!r}, got {answer!r}")


def hold_conversations(console: Console, wanted: int) -> Report:
    """Hold `wanted` conversations at once, or as many as the descriptor limit allows."""
    report = Report("echo server")
    possible = raise_descriptor_limit() - 2 * RESERVED_DESCRIPTORS
    size = min(wanted, possible)
    if size < wanted:
        report.findings.append(
            f"fewer than the {wanted} asked for: each client is a descriptor, and the hard limit"
            f" of this system (ulimit -Hn) allows {size} with what else is open"
        )
    arguments = ["--port", "0", "--max-clients", str(size), "--backlog", "4096"]
    with Child("echo server", "examples.echoserver", *arguments) as server:
        host, _, port = server.address.rpartition(":")
        empty = server.memory_bytes()
        started = time.monotonic()
        with Meter(console, f"connecting {size} clients", size) as meter:
            crowd = Crowd((host, int(port)), size, meter)
            crowd.run(server)
        report.seconds = time.monotonic() - started
        server.check()
    report.what = f"{size} clients at once, {2 * size} answers, each compared with what was sent"
    report.findings.append(
        f"all connected after {report.seconds - crowd.round_seconds:.2f} s;"
        f" with all of them open, {size} questions answered in {crowd.round_seconds:.2f} s"
    )
    report.memory = crowd.memory
    full = dict(crowd.memory)["server"]
    if full is not None and empty is not None:
        each = (full - empty) / size / 1024
        report.findings.append(f"{each:.1f} KiB of server memory for each conversation")
    report.unexpected = crowd.failures
    return report
