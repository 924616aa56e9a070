"""A PostgreSQL server of our own: in a new directory, on a unix socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
USER = "tester"
DEBIAN_PLACES = "/usr/lib/postgresql"


class PostgresMissing(Exception):
    """The server cannot be started here; the text says why."""


@contextmanager
def postgres_server(
    port: int | None = None, tls_key_and_chain: bytes = b""
) -> Iterator[dict[str, Any]]:
    """Start a server; yield what to give to `psycopg2.connect`.

    Args:
        port: where to listen on 127.0.0.1 too, for up to 60 connections; None: nowhere.
        tls_key_and_chain: PEM text for TLS there.

    Raises:
        PostgresMissing: there are no binaries, or no user to run them as.
    """
    binaries = _find_binaries()
    become = _unprivileged()
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    server: subprocess.Popen[Any] | None = None
    try:
        if become:
            os.chown(directory, become["user"], become["group"])
        data = directory / "data"
        _initialise(binaries / "initdb", data, become)
        command = [str(binaries / "postgres"), "-D", str(data), "-k", str(directory)]
        tls = _write_key(directory, tls_key_and_chain, become) if tls_key_and_chain else ()
        over_tcp: tuple[str, ...] = ("listen_addresses=", "max_connections=20")
        if port is not None:
            over_tcp = ("listen_addresses=127.0.0.1", f"port={port}", "max_connections=60")
        for option in ("fsync=off", *over_tcp, *tls):
            command += ["-c", option]
        with (directory / "log").open("wb") as log:
            started = server = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=directory, **become
            )
        dsn: dict[str, Any] = {"host": str(directory), "user": USER, "dbname": "postgres"}
        if port is not None:
            dsn["port"] = port
        _wait_until_ready(started, binaries / "pg_isready", dsn, directory / "log")
        yield dsn
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # fast shutdown
            server.wait(60)
        shutil.rmtree(directory)


def _find_binaries() -> Path:
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).resolve().parent
    for place in sorted(Path(DEBIAN_PLACES).glob("*/bin"), reverse=True):
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise PostgresMissing(
        f"no initdb and postgres on PATH or in {DEBIAN_PLACES}/*/bin; install postgresql"
    )


def _unprivileged() -> dict[str, Any]:
    """What makes `subprocess` run as somebody else than root, whom the server refuses."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise PostgresMissing("running as root, and there is no user postgres or nobody")


def _write_key(directory: Path, text: bytes, become: dict[str, Any]) -> tuple[str, ...]:
    path = directory / "tls.pem"
    path.touch(mode=0o600)
    path.write_bytes(text)
    if become:
        os.chown(path, become["user"], become["group"])
    return ("ssl=on", f"ssl_cert_file={path}", f"ssl_key_file={path}")


def _initialise(initdb: Path, data: Path, become: dict[str, Any]) -> None:
    command = [
        str(initdb),
        "-D",
        str(data),
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
        "-N",
    ]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=data.parent, **become
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _wait_until_ready(
    server: subprocess.Popen[Any], ask: Path, dsn: dict[str, Any], log: Path
) -> None:
    command = [str(ask), "-q", "-h", dsn["host"], "-U", dsn["user"], "-d", dsn["dbname"]]
    command += ["-p", str(dsn.get("port", 5432))]
    give_up = time.monotonic() + START_SECONDS
    while subprocess.run(command, check=False).returncode:
        if server.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"no server:\n{log.read_text()}")
        time.sleep(0.02)
