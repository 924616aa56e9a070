"""A Redis server of our own: in a new directory, on a unix socket, gone afterwards."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0


class RedisMissing(Exception):
    """The server cannot be started here; the text says why."""


@contextmanager
def redis_server() -> Iterator[str]:
    """Start a server that keeps nothing on disk; yield the path of its unix socket.

    Raises:
        RedisMissing: there is no redis-server on PATH.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise RedisMissing("no redis-server on PATH; install redis-server")
    directory = Path(tempfile.mkdtemp(prefix="redis-"))
    path = directory / "socket"
    command = [binary, "--port", "0", "--unixsocket", str(path), "--dir", str(directory)]
    command += ["--save", "", "--appendonly", "no"]
    try:
        with (directory / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait_until_ready(server, path, directory / "log")
            yield str(path)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    finally:
        shutil.rmtree(directory)


def _wait_until_ready(server: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
                return
            except OSError as exc:
                if server.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"no server:\n{log.read_text()}") from exc
        time.sleep(0.02)
