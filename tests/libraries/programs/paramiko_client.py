"""paramiko with OpenSSH: commands in parallel over one connection, SFTP, a time limit."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import paramiko

from tests.libraries.crew import Failure, together

SECONDS = 1.0  # a command costs the server more than this machine may have in DELAY


def connect(where: Any) -> Any:
    kind, data = where["host_key"].split()[:2]
    client = paramiko.SSHClient()
    key = paramiko.Ed25519Key(data=base64.b64decode(data))
    client.get_host_keys().add(f"[127.0.0.1]:{where['port']}", kind, key)
    client.connect(
        "127.0.0.1", where["port"], where["user"], key_filename=where["key"],
        allow_agent=False, look_for_keys=False, timeout=20,
    )  # fmt: skip
    return client


def work(site: Any) -> str:
    where = site["ssh"]
    with connect(where) as client:

        def run(number: int) -> int:
            _, output, _ = client.exec_command(f"sleep {SECONDS}; expr {number} + 1", timeout=20)
            return int(output.read())

        assert together(10, run, SECONDS) == [number + 1 for number in range(10)]
        data = bytes(range(256)) * 4000
        name = str(Path(where["directory"]) / "file")
        with client.open_sftp() as sftp:
            with sftp.open(name, "wb") as file:
                file.write(data)
            with sftp.open(name, "rb") as file:
                file.prefetch()
                assert file.read() == data
        _, output, _ = client.exec_command("sleep 5", timeout=0.2)
        with Failure(TimeoutError):
            output.read()

    def whole(number: int) -> bytes:
        with connect(where) as own:
            return bytes(own.exec_command(f"sleep {SECONDS}; echo done", timeout=20)[1].read())

    assert together(8, whole, SECONDS) == [b"done\n"] * 8
    return "10 commands in parallel over one connection, 1 MB by SFTP, 8 connections, a time-out"
