"""The servers that the programs talk to: real ones where Debian has them, on loopback.

Each has a directory of its own, a port that the kernel chose, and ends with its `with` block.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import trustme

from tests.isolated_runner import ROOT
from tests.unit.postgres_server import PostgresMissing, postgres_server
from tests.unit.redis_server import RedisMissing, redis_server

__all__ = ["SERVERS", "Missing"]

START_SECONDS = 60.0

Address = dict[str, Any]


class Missing(Exception):
    """A server cannot be started here; the text says why."""


class Authority:
    """A certificate authority, and what it signed for localhost, as files."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        self.ca = str(directory / "ca.pem")
        self.pem = str(directory / "server.pem")
        authority.cert_pem.write_to_path(self.ca)
        leaf.private_key_and_cert_chain_pem.write_to_path(self.pem)
        self.key_and_chain = leaf.private_key_and_cert_chain_pem.bytes()


@contextmanager
def scripted(module: str, authority: Authority) -> Iterator[Address]:
    """Start a server of this folder; its first line of output is its port."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", f"{__name__}.{module}", authority.pem]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise Missing(f"{module} did not start; what it needs may not be installed")
            yield {"port": int(line), "ca": authority.ca}
        finally:
            server.kill()


@contextmanager
def postgres(authority: Authority) -> Iterator[Address]:
    port = free_port()
    try:
        with postgres_server(port, authority.key_and_chain) as dsn:
            yield {
                "host": "localhost",
                "hostaddr": "127.0.0.1",
                "port": port,
                "user": dsn["user"],
                "dbname": dsn["dbname"],
                "sslmode": "verify-full",
                "sslrootcert": authority.ca,
            }
    except PostgresMissing as exc:
        raise Missing(str(exc)) from exc


@contextmanager
def redis(authority: Authority) -> Iterator[Address]:
    try:
        with redis_server() as path:
            yield {"path": path}
    except RedisMissing as exc:
        raise Missing(str(exc)) from exc


@contextmanager
def mariadb(authority: Authority) -> Iterator[Address]:
    server, install = find("mariadbd"), find("mariadb-install-db")
    with own_directory("mysql", "nobody") as (directory, become):
        data = directory / "data"
        prepared = subprocess.run(
            [
                *(install, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ],
            check=False, capture_output=True, text=True, cwd=directory, **become,
        )  # fmt: skip
        if prepared.returncode:
            raise RuntimeError(f"mariadb-install-db failed:\n{prepared.stdout}{prepared.stderr}")
        pem = directory / "tls.pem"
        pem.write_bytes(authority.key_and_chain)
        pem.chmod(0o644)
        port = free_port()
        command = [
            *(server, "--no-defaults", f"--datadir={data}", f"--socket={directory}/socket"),
            *(f"--pid-file={directory}/pid", "--bind-address=127.0.0.1", f"--port={port}"),
            *(f"--ssl-cert={pem}", f"--ssl-key={pem}", "--innodb-flush-log-at-trx-commit=0"),
        ]
        with running(command, directory, port, become):
            yield {"host": "127.0.0.1", "port": port, "user": "root", "ca": authority.ca}


@contextmanager
def rabbitmq(authority: Authority) -> Iterator[Address]:
    launcher = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not launcher.exists():
        raise Missing(f"no {launcher}; install rabbitmq-server")
    epmd = find("epmd")
    with own_directory("rabbitmq", "nobody") as (directory, become):
        port, naming, between = free_port(), free_port(), free_port()
        (directory / "rabbitmq.conf").write_text("loopback_users = none\n")
        (directory / "enabled_plugins").write_text("[].\n")
        environment = os.environ | {
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(naming),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(between),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface "
            "{127,0,0,1}",
        }
        names = [epmd, "-port", str(naming), "-address", "127.0.0.1"]
        with (
            running(names, directory, naming, become, environment),
            running([str(launcher)], directory, port, become, environment),
        ):
            yield {"port": port}


@contextmanager
def ssh(authority: Authority) -> Iterator[Address]:
    server, keygen = find("sshd"), find("ssh-keygen")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd will not start without it
    with own_directory() as (directory, _):
        for name in ("host_key", "user_key"):
            subprocess.run(
                [keygen, "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True
            )
        (directory / "config").write_text(
            f"HostKey {directory}/host_key\n"
            f"AuthorizedKeysFile {directory}/user_key.pub\n"
            "StrictModes no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\nMaxSessions 100\n"
            f"PidFile {directory}/pid\nListenAddress 127.0.0.1\nSubsystem sftp internal-sftp\n"
        )
        port = free_port()
        command = [server, "-D", "-e", "-p", str(port), "-f", str(directory / "config")]
        with running(command, directory, port, {}):
            yield {
                "port": port,
                "user": pwd.getpwuid(os.geteuid()).pw_name,
                "key": str(directory / "user_key"),
                "host_key": (directory / "host_key.pub").read_text(),
                "directory": str(directory),
            }


def _scripted(module: str) -> Callable[[Authority], AbstractContextManager[Address]]:
    return lambda authority: scripted(module, authority)


SERVERS: dict[str, Callable[[Authority], AbstractContextManager[Address]]] = {
    "https": _scripted("https_server"),
    "dns": _scripted("dns_server"),
    "mongo": _scripted("mongo_server"),
    "grpc": _scripted("grpc_server"),
    "postgres": postgres,
    "redis": redis,
    "mariadb": mariadb,
    "rabbitmq": rabbitmq,
    "ssh": ssh,
}


def find(program: str) -> str:
    """Return the path of a program of the system."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"no {program}; Debian has it in a package")
    return found


def free_port() -> int:
    """Ask the kernel for a port; for servers that cannot do that themselves."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def own_directory(*users: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Make a directory, and say how `subprocess` becomes one of the users if we are root."""
    directory = Path(tempfile.mkdtemp(prefix="library-"))
    become: dict[str, Any] = {}
    try:
        if os.geteuid() == 0 and users:
            entries = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = next(entries[name] for name in users if name in entries)
            become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(directory, user.pw_uid, user.pw_gid)
        yield directory, become
    finally:
        shutil.rmtree(directory)


@contextmanager
def running(
    command: list[str],
    directory: Path,
    port: int,
    become: dict[str, Any],
    environment: dict[str, str] | None = None,
) -> Iterator[None]:
    """Run a server until the end of the block; wait until its port can be connected to."""
    log = directory / f"log-{Path(command[0]).name}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=directory,
            env=environment, start_new_session=True, **become,
        )  # fmt: skip
    try:
        give_up = time.monotonic() + START_SECONDS
        while not answers(port):
            if server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        finally:
            try:
                os.killpg(server.pid, signal.SIGKILL)  # what it has left behind
            except ProcessLookupError:
                pass
            server.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
