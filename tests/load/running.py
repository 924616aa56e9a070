"""The server under load, as the clients have it: its ports, its books, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any, Self

from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep

from tests.isolated_runner import ROOT
from tests.load.report import Part
from tests.unit.server.site import read_to_end

__all__ = ["GET", "PATIENCE", "Running", "environment"]

PATIENCE = 60.0  # seconds until something hangs
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PYTHON = [sys.executable, "-X", "faulthandler", "-W", "error"]


def environment() -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVENTLET_", "PYTEST_", "PYTHON"))
    }
    return inherited | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}


class Running:
    """Have a server run while the `with` block does.

    Args:
        part: gets the faults.
        limits: of `wsgi.Limits`, by name.
        max_size: connections at once.

    Attributes:
        address: pair (host, port).
        pid: of its process.
        first: its books when it had served one request.
    """

    def __init__(
        self, part: Part, limits: dict[str, float] | None = None, max_size: int = 1024
    ) -> None:
        self.part = part
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115  # `_end` closes it
        self._process = subprocess.Popen(
            [
                *(*PYTHON, "-m", "tests.load.server"),
                *("--limits", json.dumps(limits or {}), "--max-size", str(max_size)),
            ],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            assert line, f"the server did not start:\n{self.said()}"
            port, self._books_port = json.loads(line)
            self.address = ("127.0.0.1", port)
            self.ask_once()
            self.first = self.settle()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None and not self.is_alive:
            status = self._process.returncode
            exc.add_note(f"the server ended with status {status}: {self.said()[-2000:]}")
        self._end()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def connect(self, port: int | None = None, timeout: float = PATIENCE) -> GreenSocket:
        sock = GreenSocket()
        sock.settimeout(timeout)
        try:
            sock.connect(self.address if port is None else ("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        return sock

    def ask_once(self) -> None:
        """Make a good request over a connection of its own."""
        with self.connect() as sock:
            sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            answer = read_to_end(sock)
        if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
            self.part.check(False, f"a good request got {answer[:200]!r}")

    def books(self) -> dict[str, Any]:
        with self.connect(self._books_port) as sock:
            sock.sendall(GET)
            books: dict[str, Any] = json.loads(read_to_end(sock).partition(b"\r\n\r\n")[2])
        return books

    def settle(self) -> dict[str, Any]:
        """Wait until no connection is left; return the books."""
        for _ in range(int(PATIENCE / 0.05)):
            books = self.books()
            if books["connections"] == 0:
                return books
            sleep(0.05)
        self.part.check(False, f"{books['connections']} connections do not end")
        return books

    def stop(self) -> None:
        """Stop it gracefully; nothing may be left."""
        check = self.part.check
        self._process.send_signal(signal.SIGTERM)
        try:
            out, _ = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            check(False, f"it did not stop within {PATIENCE:g} s")
            return
        check(self._process.returncode == 0, f"exit status {self._process.returncode}")
        check(not self.said(), f"on its standard error: {self.said()[-2000:]}")
        for fault in left_behind(self.first, json.loads(out)) if out else ["no last books"]:
            check(False, fault)

    def said(self) -> str:
        """Return what it wrote to its standard error so far."""
        self._stderr.seek(0)
        return self._stderr.read()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._stderr.close()


def left_behind(first: dict[str, Any], last: dict[str, Any]) -> list[str]:
    """Compare the last books of a server that has stopped with its first, when it was idle."""
    # The first count both listeners, both servers, and the connection that asked.
    expected = {
        "connections": 0,
        "descriptors": first["descriptors"] - 3,
        "green threads": 0,
    }
    faults = [
        f"{last[name]} {name} after the end, not {number}"
        for name, number in expected.items()
        if last[name] != number
    ]
    return faults + [f"in its log: {each}" for each in last["tracebacks"][:3]]
