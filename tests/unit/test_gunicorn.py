"""gunicorn with our worker, and its own eventlet worker of release 25 with us below it.

`make test-gunicorn` has both releases; `make test` tests the one that is installed, if any.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest
import trustme

from eventlet import websocket

from tests.unit.serve.served import PATIENCE, connect, environment, fetch, wait_until, write

# Not `importorskip`: others import from here.
pytestmark = [
    pytest.mark.slow,  # each starts processes
    pytest.mark.skipif(
        find_spec("gunicorn") is None,
        reason="gunicorn is not installed: `make test-gunicorn` has it",
    ),
]

RELEASE_25 = Path(sys.prefix) / "gunicorn-25"
OURS = "eventlet.gunicorn.EventletWorker"

needs_25 = pytest.mark.skipif(
    not RELEASE_25.exists(), reason="release 25 is in the environment of `make test-gunicorn`"
)
WORKERS = [
    pytest.param(OURS, "", id="ours"),
    pytest.param(OURS, str(RELEASE_25), id="ours in release 25", marks=needs_25),
    pytest.param("eventlet", str(RELEASE_25), id="that of release 25", marks=needs_25),
]
APP = """\
    import os, pathlib, threading, time
    import eventlet
    from eventlet import websocket, wsgi

    together = threading.Barrier(20)

    @websocket.WebSocketWSGI
    def echo(ws):
        for message in ws:
            if message == "fail":
                raise ValueError("odd")
            ws.send(message.upper())
        print("the handler ends", flush=True)

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/ws":
            return echo(environ, start_response)
        if path == "/taken":
            sock = environ["gunicorn.socket"]
            sock.sendall(b"all mine")
            wsgi.WSGI_LOCAL.already_handled = True
            return []
        headers = []
        if path == "/file":
            start_response("200 OK", headers)
            return environ["wsgi.file_wrapper"](open("file", "rb"))
        if path == "/fail":
            raise ValueError("wrong")
        if path == "/compute":
            while True:
                pass
        if path == "/wait":
            time.sleep(3.5)
        if path == "/together":
            together.wait(45)
        if path == "/slow":
            pathlib.Path("begun").touch()
            while not os.path.exists("go"):
                time.sleep(0.01)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{os.getpid()} {environ['wsgi.url_scheme']} {len(environ['wsgi.input'].read())}"
                .encode()]
"""


class Gunicorn:
    """A running gunicorn."""

    def __init__(
        self,
        folder: Path,
        worker: str,
        release: str,
        *options: str,
        app: str = APP,
        binds: bool = True,
    ) -> None:
        write(folder, site_app=app)
        self._log = folder / "log"
        env = environment({"HOME": str(folder)})
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (release, env["PYTHONPATH"])))
        if binds:
            options = ("-b", "127.0.0.1:0", *options)
        with open(self._log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-k", worker, *options,
                 "site_app:app"],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            self.address = ("127.0.0.1", int(self.find(r"Listening at: \S+:(\d+)")))
            self.find(r"Booting worker with pid: (\d+)")
        except BaseException:
            self.__exit__()
            raise

    @property
    def said(self) -> str:
        return self._log.read_text()

    def find(self, pattern: str) -> str:
        """Wait until it says something; return the group of the pattern."""

        def found() -> Any:
            assert self.process.poll() is None, self.said
            return re.search(pattern, self.said)

        text: str = wait_until(found)[1]
        return text

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)


@pytest.mark.parametrize("worker, release", WORKERS)
def test_requests_are_served_at_once_and_the_application_is_patched(
    tmp_path: Path, worker: str, release: str
) -> None:
    with Gunicorn(tmp_path, worker, release) as served:
        fetch(served.address)
        socks = [connect(served.address) for _ in range(20)]
        for sock in socks:
            sock.sendall(b"GET /together HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = [read_to_end(sock) for sock in socks]

        assert all(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers)
        assert served.end() == 0


def read_to_end(sock: socket.socket) -> bytes:
    with sock:
        return b"".join(iter(lambda: sock.recv(65536), b""))


@pytest.mark.parametrize("worker, release", WORKERS)
def test_a_connection_is_kept_and_bodies_come_and_go(
    tmp_path: Path, worker: str, release: str
) -> None:
    (tmp_path / "file").write_bytes(os.urandom(3_000_000))
    with Gunicorn(tmp_path, worker, release, "--keep-alive=5") as served:
        connection = http.client.HTTPConnection(*served.address, timeout=PATIENCE)
        connection.request("POST", "/", b"x" * 1_000_000)
        assert connection.getresponse().read().split()[1:] == [b"http", b"1000000"]
        sock = connection.sock
        connection.request("GET", "/file")
        assert connection.getresponse().read() == (tmp_path / "file").read_bytes()
        connection.request("GET", "/")
        assert connection.getresponse().read()
        assert connection.sock is sock
        connection.request("GET", "/fail")
        assert connection.getresponse().status == 500
        connection.close()
        assert "ValueError: wrong" in served.said


@pytest.mark.parametrize("worker, release", WORKERS)
def test_an_application_may_take_a_connection_over(
    tmp_path: Path, worker: str, release: str
) -> None:
    with Gunicorn(tmp_path, worker, release) as served:
        sock = connect(served.address)
        sock.sendall(b"GET /taken HTTP/1.1\r\nHost: a\r\n\r\n")

        assert read_to_end(sock) == b"all mine"


@pytest.mark.parametrize("worker, release", WORKERS)
def test_websockets(tmp_path: Path, worker: str, release: str) -> None:
    with Gunicorn(tmp_path, worker, release) as served:
        with websocket.connect(f"ws://127.0.0.1:{served.address[1]}/ws") as ws:
            for text in ("one", "two" * 100_000):
                ws.send(text)
                assert ws.wait() == text.upper()
        assert served.end() == 0
        assert "Traceback" not in served.said


@pytest.mark.parametrize("worker, release", WORKERS[:2])
def test_websockets_are_told_that_the_worker_ends(
    tmp_path: Path, worker: str, release: str
) -> None:
    with (
        Gunicorn(tmp_path, worker, release) as served,
        websocket.connect(f"ws://127.0.0.1:{served.address[1]}/ws") as ws,
    ):
        ws.send("one")
        assert ws.wait() == "ONE"
        served.process.send_signal(signal.SIGTERM)
        assert ws.wait() is None
        assert ws.close_code == 1001
        assert served.process.wait(PATIENCE) == 0
        assert "the handler ends" in served.said


@pytest.mark.parametrize("worker, release", WORKERS[:2])
def test_a_websocket_that_fails_is_logged_and_nothing_else_is_sent(
    tmp_path: Path, worker: str, release: str
) -> None:
    with Gunicorn(tmp_path, worker, release, "--access-logfile", "-") as served:
        with websocket.connect(f"ws://127.0.0.1:{served.address[1]}/ws") as ws:
            ws.send("fail")
            assert ws.wait() is None
            assert ws.close_code == 1011
        wait_until(lambda: "ValueError: odd" in served.said)
        assert served.end() == 0
        assert '" 500 ' not in served.said


@pytest.mark.parametrize("worker, release", WORKERS)
def test_requests_in_flight_are_finished_by_a_worker_that_ends(
    tmp_path: Path, worker: str, release: str
) -> None:
    with Gunicorn(tmp_path, worker, release) as served:
        old = fetch(served.address).split()[0]
        sock = connect(served.address)
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_until((tmp_path / "begun").exists)
        served.process.send_signal(signal.SIGHUP)
        served.find("Handling signal: (hup)")
        wait_until(lambda: fetch(served.address).split()[0] != old)
        (tmp_path / "go").touch()
        assert f"\r\n{old} http".encode() in read_to_end(sock)
        served.find(f"Worker exiting \\(pid: ({old})\\)")

        assert fetch(served.address).split()[0] != old
        assert served.end() == 0


@pytest.mark.parametrize("worker, release", WORKERS)
def test_tls(tmp_path: Path, worker: str, release: str) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "both.pem"
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    options = ("--certfile=both.pem", "--keyfile=both.pem")
    with (
        Gunicorn(tmp_path, worker, release, *options) as served,
        connect(served.address),  # says nothing, and holds nobody up
    ):
        assert fetch(served.address, context=context).split()[1] == "https"


@pytest.mark.parametrize("worker, release", WORKERS)
def test_a_worker_ends_after_so_many_requests(tmp_path: Path, worker: str, release: str) -> None:
    with Gunicorn(tmp_path, worker, release, "--max-requests=3") as served:
        pid = fetch(served.address).split()[0]

        def is_another() -> bool:
            try:
                return fetch(served.address).split()[0] != pid
            except ConnectionResetError:  # gunicorn's own drops what it has just accepted
                if worker == OURS:
                    raise
                return False

        wait_until(is_another)
        served.find("Autorestarting (worker)")


def test_a_worker_whose_master_is_gone_ends(tmp_path: Path) -> None:
    with Gunicorn(tmp_path, OURS, "") as served:
        pid = fetch(served.address).split()[0]
        served.process.kill()
        served.process.wait(PATIENCE)

        wait_until(lambda: f"Parent changed, shutting down: <Worker {pid}>" in served.said)


def test_idle_connections_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with Gunicorn(tmp_path, OURS, "", "--keep-alive=60") as served, connect(served.address) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.recv(1000)
        began = time.monotonic()

        assert served.end() == 0
        assert time.monotonic() - began < 20
        assert "Traceback" not in served.said


def test_a_connection_that_was_just_made_is_served_before_the_end(tmp_path: Path) -> None:
    write(tmp_path, conf="from eventlet import gunicorn\ngunicorn.LAST_SECONDS = 60.0\n")
    options = ("--keep-alive=60", "--config=conf.py", "--graceful-timeout=60")
    with (
        Gunicorn(tmp_path, OURS, "", *options) as served,
        connect(served.address) as slow,
        connect(served.address) as new,
        websocket.connect(f"ws://127.0.0.1:{served.address[1]}/ws") as ws,
    ):
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_until((tmp_path / "begun").exists)
        served.process.send_signal(signal.SIGTERM)
        assert ws.wait() is None  # the worker is at its end
        new.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        assert b" 200 OK" in read_to_end(new)
        (tmp_path / "go").touch()
        assert b" 200 OK" in read_to_end(slow)
        assert served.process.wait(PATIENCE) == 0


def test_a_worker_that_computes_is_ended_and_shown_while_one_that_waits_is_not(
    tmp_path: Path,
) -> None:
    with Gunicorn(tmp_path, OURS, "", "--timeout=3") as served:
        waiting = fetch(served.address, "/wait")
        assert served.said.count("Booting worker") == 1

        def shown() -> re.Match[str] | None:
            """Have one compute; on a busy machine gunicorn may kill it before it can show it."""
            booted = served.said.count("Booting worker")
            with pytest.raises(OSError):
                fetch(served.address, "/compute")
            wait_until(lambda: served.said.count("Booting worker") > booted)
            return re.search(
                r'\[(\d+)\] \[CRITICAL\] It was here:\n(.*\n)+.*site_app.py", line \d+, in app\n',
                served.said,
            )

        computing = wait_until(shown)[1]
        assert fetch(served.address).split()[0] not in (computing, waiting.split()[0])
        assert "WORKER TIMEOUT" in served.said
        assert f"pid:{computing}) was sent SIGKILL" not in served.said


def test_preloading_is_warned_of(tmp_path: Path) -> None:
    with Gunicorn(tmp_path, OURS, "", "--preload") as served:
        assert fetch(served.address)
        served.find("(--preload has loaded the application before it could be patched)")

    (tmp_path / "conf.py").write_text("import eventlet\neventlet.monkey_patch()\n")
    with Gunicorn(tmp_path, OURS, "", "--preload", "--config=conf.py") as served:
        assert fetch(served.address)
        assert "--preload has loaded" not in served.said
        assert served.end() == 0


def test_a_configuration_file_with_hooks_and_several_addresses(tmp_path: Path) -> None:
    write(
        tmp_path,
        conf="""\
            import socket
            bind = ["127.0.0.1:0", "unix:app.sock"]
            accesslog = "-"
            def post_worker_init(worker): worker.log.info("init %s", socket.socket.__module__)
            def worker_exit(server, worker): worker.log.info("gone %s", worker.pid)
        """,
    )
    with Gunicorn(tmp_path, OURS, "", "--config=conf.py", binds=False) as served:
        pid = fetch(served.address, "/one").split()[0]
        assert fetch(str(tmp_path / "app.sock"), "/two").split()[0] == pid
        assert served.end() == 0

        assert "init eventlet.greenio" in served.said
        assert f"gone {pid}" in served.said
        assert served.said.index('"GET /one HTTP/1.1" 200') < served.said.index('"GET /two')


def test_more_connections_than_may_be_served_wait(tmp_path: Path) -> None:
    options = ("--worker-connections=1", "--keep-alive=1")
    with Gunicorn(tmp_path, OURS, "", *options) as served, connect(served.address) as idle:
        began = time.monotonic()
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.recv(1000)
        fetch(served.address)

        assert time.monotonic() - began > 0.5
