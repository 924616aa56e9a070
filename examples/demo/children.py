"""The demo's other processes: started, listened to, measured, and always stopped and reaped."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 5.0
ANNOUNCEMENT = "listening on "
ERROR_LINES = 15


class ChildFailed(RuntimeError):
    """A process of the demo did not come up, or ended before its time."""

    def __init__(self, name: str, what: str, stderr: str) -> None:
        self.name = name
        self.stderr = stderr
        super().__init__(f"the {name} {what}; its last words:\n{stderr or '(none)'}")


class Child:
    """One Python module run as a process, from `with` to the end of the block.

    The process has to print `listening on ...` when it is ready; `address` is what follows.
    """

    def __init__(
        self, name: str, module: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.address = ""
        self.command = [sys.executable, "-m", module, *arguments]
        self.env = {**os.environ, **(env or {})}

    def __enter__(self) -> Self:
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        try:
            self.address = self._announcement()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"the {self.name} did not stop in time and was killed", file=sys.stderr)
        finally:
            # Also when a second Ctrl-C cut the waiting short.
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.errors.close()

    def check(self) -> None:
        """Raise `ChildFailed` when the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise ChildFailed(self.name, f"ended with status {status}", self._last_words())

    def memory_bytes(self) -> int | None:
        """Return the resident memory of the process; None where the system does not tell."""
        return memory_bytes(self.process.pid)

    def _announcement(self) -> str:
        """Wait for the line that says where the process listens."""
        stdout = self.process.stdout
        assert stdout is not None
        deadline = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([stdout], [], [], left)[0]:
                raise ChildFailed(
                    self.name, f"was not ready within {START_SECONDS:g} s", self._last_words()
                )
            part = os.read(stdout.fileno(), 4096)
            if not part:
                status = self.process.wait(STOP_SECONDS)
                raise ChildFailed(self.name, f"ended with status {status}", self._last_words())
            line += part
        text = line.decode()
        if not text.startswith(ANNOUNCEMENT):
            raise ChildFailed(self.name, f"said {text!r} first", self._last_words())
        return text.removeprefix(ANNOUNCEMENT).strip()

    def _last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-ERROR_LINES:])


def memory_bytes(pid: int) -> int | None:
    """Return the resident memory of a process; None where the system does not tell.

    Source: proc(5), /proc/pid/statm, second field, in pages.
    """
    try:
        resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return resident_pages * os.sysconf("SC_PAGE_SIZE")
