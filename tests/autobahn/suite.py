"""Install the suite for Python 2.7, and run it against our programs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.isolated_runner import ROOT

__all__ = ["Suite", "SuiteMissing", "run_client_cases", "run_server_cases"]

SECONDS = 3600.0  # for all cases of one side
START_SECONDS = 20.0
# The last one that can make environments for Python 2.7 is of this series.
VIRTUALENV = "virtualenv<20.22"


class SuiteMissing(Exception):
    """The suite cannot be installed; the message says why."""


@dataclass
class Suite:
    """The installed suite.

    Attributes:
        folder: of the environment and the reports.
        wstest: its program.
    """

    folder: Path
    wstest: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Find the suite in a folder, or install it there.

        Raises:
            SuiteMissing: there is no Python 2.7, or pip fails.
        """
        wstest = folder / "env" / "bin" / "wstest"
        if not wstest.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _install(folder)
        return cls(folder, wstest)

    def start(self, mode: str, spec: dict[str, Any], *arguments: str) -> subprocess.Popen[bytes]:
        """Start the suite with a specification; what it says goes to a file."""
        path = self.folder / f"{mode}.json"
        path.write_text(json.dumps(spec))
        with (self.folder / f"{mode}.log").open("wb") as log:
            return subprocess.Popen(
                [self.wstest, "-m", mode, "-s", path, *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def report_folder(self, side: str) -> Path:
        """Give an empty folder for reports."""
        folder = self.folder / f"report-{side}"
        shutil.rmtree(folder, ignore_errors=True)
        return folder


def run_server_cases(suite: Suite, groups: Sequence[str]) -> Path:
    """Run cases against our server; return the folder of the report."""
    report = suite.report_folder("server")
    with _program("server") as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        spec = {
            "outdir": str(report),
            "servers": [{"agent": "eventlet", "url": f"ws://127.0.0.1:{port}"}],
            **_cases(groups),
        }
        process = suite.start("fuzzingclient", spec)
        _wait(process)
    return report


def run_client_cases(suite: Suite, groups: Sequence[str]) -> Path:
    """Run cases against our client; return the folder of the report."""
    report = suite.report_folder("client")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"ws://127.0.0.1:{port}"
    spec = {"outdir": str(report), "url": url, **_cases(groups)}
    suite_process = suite.start("fuzzingserver", spec, "-u", "0")
    try:
        _wait_for_port(port, suite_process)
        with _program("client", url) as client:
            _wait(client)
    finally:
        suite_process.terminate()
        suite_process.wait()
    return report


def _cases(groups: Sequence[str]) -> dict[str, Any]:
    return {
        "cases": [f"{group}.*" for group in groups],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }


@contextmanager
def _program(name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our programs while the block runs."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", f"tests.autobahn.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if name == "server" else None,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def _install(folder: Path) -> None:
    python = _find_python27()
    bootstrap = folder / "bootstrap"
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    try:
        _run([python, *pip, "--target", bootstrap, VIRTUALENV])
        _run([python, "-m", "virtualenv", "--quiet", folder / "env"], PYTHONPATH=str(bootstrap))
        _run([folder / "env" / "bin" / "python", *pip, "autobahntestsuite"])
    except subprocess.CalledProcessError as exc:
        raise SuiteMissing(f"the suite cannot be installed:\n{exc.stderr}") from exc


def _find_python27() -> str:
    """Find an interpreter by its name, as `tools/find-python` does for ours."""
    candidates = [shutil.which("python2.7")]
    if shutil.which("pyenv"):
        listed = subprocess.run(
            ["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False
        ).stdout.split()
        for version in listed:
            if version.startswith("2.7."):
                prefix = subprocess.check_output(["pyenv", "prefix", version], text=True).strip()
                candidates.append(f"{prefix}/bin/python2.7")
    for candidate in filter(None, candidates):
        probe = subprocess.run([candidate, "-c", "import pip"], capture_output=True, check=False)
        if probe.returncode == 0:
            return candidate
    raise SuiteMissing("the suite needs Python 2.7 with pip, and neither PATH nor pyenv has one")


def _run(command: list[Any], **variables: str) -> None:
    subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
