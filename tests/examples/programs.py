"""Examples and patterns as real processes: start, find out where they listen, stop, read."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.isolated_runner import ROOT, _environment

EXAMPLES = ROOT / "examples"
READY_SECONDS = 60.0
STOP_SECONDS = 60.0


class Running:
    """A program from its `listening on ...` line to the end of the `with` block.

    Args:
        target: the file of a program, or code.
        arguments: what it finds in `sys.argv[1:]`.
        env: variables on top of a clean environment.
        flags: options of the interpreter.
    """

    def __init__(
        self,
        target: Path | str,
        *arguments: str,
        env: dict[str, str] | None = None,
        flags: tuple[str, ...] = ("-W", "error"),
    ) -> None:
        where = [str(target)] if isinstance(target, Path) else ["-c", target]
        self.command = [sys.executable, "-X", "faulthandler", *flags, *where, *arguments]
        self.env = _environment(env or {})
        self.announced = ""
        self.stdout = ""

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        try:
            self.announced = self._first_address()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._stderr.close()

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.announced.rpartition("/")[2].rpartition(":")
        if self.announced.endswith("/"):
            host, _, port = self.announced.rstrip("/").rpartition("/")[2].rpartition(":")
        return host, int(port)

    def connect(self, timeout: float = 60.0) -> socket.socket:
        return socket.create_connection(self.address, timeout)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, read the rest of the output, return the exit status."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=STOP_SECONDS)
        self.stdout += rest.decode()
        return self.process.returncode

    def wait_for(self, text: str) -> None:
        """Read the output until the text is in it; fail when it ends before."""
        self._read_until(text.encode())

    @property
    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "backslashreplace")

    def _first_address(self) -> str:
        """Read a whole `listening on ...` line. More lines may come with it, or before it."""
        self._read_until(b"listening on ")
        while not (line := re.search(r"listening on (.*)\n", self.stdout)):
            self._read_until(b"\n", after=self.stdout.rindex("listening on "))
        return line[1].strip()

    def _read_until(self, mark: bytes, after: int = 0) -> None:
        assert self.process.stdout is not None
        deadline = time.monotonic() + READY_SECONDS
        descriptor = self.process.stdout.fileno()
        while mark.decode() not in self.stdout[after:]:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([descriptor], [], [], left)
            part = os.read(descriptor, 4096) if ready else b""
            if not part:
                what = "said no more" if ready else "was not ready in time"
                raise AssertionError(f"{what}: {self.stdout!r}\n{self.stderr}")
            self.stdout += part.decode()


def example(name: str, *arguments: str, env: dict[str, str] | None = None) -> Running:
    """Start the server example of that name on a port the kernel chooses."""
    return Running(EXAMPLES / f"{name}.py", *arguments, "--port", "0", env=env)


def read_until(sock: socket.socket, mark: bytes) -> bytes:
    """Read up to and with `mark`; fail when the peer hangs up before."""
    text = b""
    while mark not in text:
        part = sock.recv(4096)
        assert part, f"hung up after {text!r}"
        text += part
    return text


def read_all(sock: socket.socket) -> bytes:
    """Read to end-of-file."""
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)
