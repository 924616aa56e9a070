"""`python -m eventlet serve` in a process of its own, and clients of it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.isolated_runner import ROOT

__all__ = [
    "APP",
    "PATIENCE",
    "Served",
    "command",
    "connect",
    "environment",
    "fetch",
    "run_serve",
    "wait_until",
    "write",
]

PATIENCE = 60.0  # seconds that anything here may take

APP = """\
    import os

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d" % os.getpid()]
"""


def write(folder: Path, **modules: str) -> None:
    """Write modules, each at one stroke: who looks for changes finds none half written."""
    for name, text in modules.items():
        draft = folder / f"{name}.draft"
        draft.write_text(textwrap.dedent(text))
        draft.replace(folder / f"{name}.py")


def wait_until(has_come: Callable[[], Any]) -> Any:
    """Ask again and again; return what came."""
    give_up = time.monotonic() + PATIENCE
    while not (value := has_come()):
        assert time.monotonic() < give_up, f"it did not come within {PATIENCE} seconds"
        time.sleep(0.005)
    return value


def environment(extra: dict[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVENTLET_", "PYTEST_", "PYTHON", "LISTEN_"))
    }
    return inherited | {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"} | extra


WAITS_LONG = """\
import runpy, sys
from eventlet._serve import master
master.MARGIN_SECONDS = 60.0
sys.argv[0] = "eventlet"
runpy.run_module("eventlet", run_name="__main__", alter_sys=True)
"""


def command(
    *options: str, flags: tuple[str, ...] = ("-W", "error"), waits_long: bool = False
) -> list[str]:
    program = ("-c", WAITS_LONG) if waits_long else ("-m", "eventlet")
    return [sys.executable, *flags, *program, "serve", *options]


def run_serve(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run what ends by itself."""
    return subprocess.run(
        command(*options),
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Served:
    """A running server, in a folder where `site_app:app` is made unless it is there.

    Args:
        folder: where it runs.
        options: of the command; `--bind 127.0.0.1:0` if there is none.
        app: the application; empty for none.
        workers_wait: whether to wait until all workers serve.
        pass_fds: descriptors that it gets.
        prefix: a command that starts it.
        flags: options of the interpreter.
        waits_long: workers that are asked to end are given a minute before they are killed, so
            that those that end do so by themselves.
        env: more variables.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        app: str = "site_app:app",
        workers_wait: bool = True,
        pass_fds: tuple[int, ...] = (),
        prefix: tuple[str, ...] = (),
        flags: tuple[str, ...] = ("-W", "error"),
        waits_long: bool = False,
        **env: str,
    ) -> None:
        if not (folder / "site_app.py").exists():
            write(folder, site_app=APP)
        if app:
            options = (app, *options)
        if not any(each.startswith("--bind") for each in options) and app:
            options = (*options, "--bind=127.0.0.1:0")
        self._stderr = folder / "stderr.txt"
        self._stdout = folder / "stdout.txt"
        with open(self._stderr, "w") as err, open(self._stdout, "w") as out:
            self.process = subprocess.Popen(
                [*prefix, *command(*options, flags=flags, waits_long=waits_long)],
                cwd=folder,
                env=environment(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        try:
            self.wait_for("listening on")
            if workers_wait:
                self.wait_for("serving with")
        except BaseException:
            self._kill()
            raise

    @property
    def said(self) -> str:
        """The standard error so far."""
        return self._stderr.read_text()

    @property
    def printed(self) -> str:
        """The standard output so far."""
        return self._stdout.read_text()

    @property
    def urls(self) -> list[str]:
        return re.findall(r"listening on (.*)", self.said)

    @property
    def port(self) -> int:
        return int(self.urls[0].rpartition(":")[2])

    @property
    def pids(self) -> list[int]:
        """The workers that served when they were last counted."""
        return [int(pid) for pid in re.findall(r"serving with .*?: (.*)", self.said)[-1].split(",")]

    @property
    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has said something so many times."""

        def has_come() -> bool:
            if self.said.count(text) >= times:
                return True
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.said}")
            return False

        try:
            wait_until(has_come)
        except AssertionError as exc:
            raise AssertionError(f"{text!r} was not said: {exc}\n{self.said}") from None

    def fetch(self, path: str = "/", **kwargs: Any) -> str:
        """Fetch from the first address; return the body of an answer of status 200."""
        return fetch(("127.0.0.1", self.port), path, **kwargs)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit status."""
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; return the exit status."""
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def _kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)


def connect(address: Any, patience: float = PATIENCE) -> socket.socket:
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(patience)
        sock.connect(address)
        return sock
    return socket.create_connection(address[:2], patience)


def fetch(
    address: Any,
    path: str = "/",
    *,
    context: ssl.SSLContext | None = None,
    headers: dict[str, str] | None = None,
    patience: float = PATIENCE,
) -> str:
    """Fetch over a connection of its own; return the body of an answer of status 200."""
    with connect(address, patience) as plain:
        sock = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
        with sock:
            connection = http.client.HTTPConnection("localhost")
            connection.sock = sock
            connection.request("GET", path, headers={"Connection": "close"} | (headers or {}))
            response = connection.getresponse()
            body = response.read().decode()
            connection.close()
            assert response.status == 200, (response.status, body)
            return body
