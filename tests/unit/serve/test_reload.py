"""SIGHUP: new code and certificates, and nobody notices."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme

from tests.unit.serve.served import PATIENCE, Served, connect, wait_until, write

pytestmark = pytest.mark.slow  # each starts processes

SAY = "def app(e, s): s('200 OK', []); return [b'{}']"


def test_new_workers_have_new_code(tmp_path: Path) -> None:
    write(tmp_path, site_app=SAY.format("old"))
    with Served(tmp_path, "--workers=2") as served:
        old = served.pids
        assert served.fetch() == "old"
        write(tmp_path, site_app=SAY.format("the new one"))
        served.send(signal.SIGHUP)
        served.wait_for("serving with 2 workers", times=2)

        wait_until(lambda: served.fetch() == "the new one")
        wait_until(lambda: not set(old) & set(served.children))
        assert served.fetch() == "the new one"
        assert served.end() == 0


def test_code_that_fails_leaves_the_old_workers_at_work(tmp_path: Path) -> None:
    write(tmp_path, site_app=SAY.format("old"))
    with Served(tmp_path, "--workers=2") as served:
        old = served.pids
        for text, what in ((")", "SyntaxError"), ("import os; os._exit(3)", "status 3")):
            write(tmp_path, site_app=text)
            served.send(signal.SIGHUP)
            served.wait_for(what)
            served.wait_for("the old workers go on", times=1 + (what == "status 3"))

        assert sorted(served.children) == sorted(old)
        assert served.fetch() == "old"

        write(tmp_path, site_app=SAY.format("mended!"))
        served.send(signal.SIGHUP)
        served.wait_for("serving with 2 workers", times=2)
        wait_until(lambda: served.fetch() == "mended!")


def test_a_request_in_flight_is_finished_by_its_old_worker(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            import os, time
            def app(environ, start_response):
                write = start_response("200 OK", [])
                write(b"begun ")
                while environ["PATH_INFO"] == "/slow" and not os.path.exists("go"):
                    time.sleep(0.01)
                return [b"%d" % os.getpid()]
        """,
    )
    with Served(tmp_path) as served, connect(("127.0.0.1", served.port)) as sock:
        (old,) = served.pids
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        received = sock.recv(1000)
        served.send(signal.SIGHUP)
        served.wait_for("serving with", times=2)
        wait_until(lambda: served.fetch() == f"begun {served.pids[0]}")
        (tmp_path / "go").touch()
        while data := sock.recv(1000):
            received += data

        assert str(old).encode() in received


def test_many_reloads_at_once_leave_the_workers_that_are_wanted(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers=2", "--grace=60") as served:
        old = set(served.pids)
        for pause in (0.0, 0.02, 0.05, 0.1, 0.0, 0.15, 0.03):
            served.send(signal.SIGHUP)
            time.sleep(pause)

        def settled() -> bool:
            """A signal may be on its way still, and all begin again."""
            children = set(served.children)
            return (
                len(children) == 2
                and children == set(served.pids)
                and not children & old
                and int(served.fetch()) in children
            )

        wait_until(settled)
        assert served.end() == 0
        assert "killed" not in served.said


def test_new_certificates(tmp_path: Path, authority: trustme.CA) -> None:
    other = trustme.CA()
    context = ssl.create_default_context()
    other.configure_trust(context)
    with Served(tmp_path, "--tls-cert=both.pem") as served:
        with pytest.raises(ssl.SSLCertVerificationError):
            served.fetch(context=context)
        other.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
            tmp_path / "both.pem"
        )
        served.send(signal.SIGHUP)
        served.wait_for("serving with", times=2)
        wait_until(lambda: len(served.children) == 1)

        assert served.fetch(context=context) == str(served.children[0])


def test_certificates_that_cannot_be_used_leave_the_old_workers_at_work(
    tmp_path: Path, authority: trustme.CA
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with Served(tmp_path, "--tls-cert=both.pem") as served:
        (pid,) = served.pids
        (tmp_path / "both.pem").write_text("junk")
        served.send(signal.SIGHUP)
        served.wait_for("'both.pem' holds no certificate with its private key")
        served.wait_for("the old workers go on")

        assert served.fetch(context=context) == str(pid)
        assert served.end() == 0
        assert "Traceback" not in served.said


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_a_log_that_was_moved_away_is_opened_again(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with Served(tmp_path, f"--access-log={log}") as served:
        (pid,) = served.pids
        served.fetch("/one")
        wait_until(lambda: "/one" in log.read_text())
        log.rename(tmp_path / "log.1")
        served.send(number)
        wait_until(log.exists)
        wait_until(lambda: number != signal.SIGHUP or pid not in served.children)
        served.fetch("/two")
        wait_until(lambda: "/two" in log.read_text())

        assert "/one" in (tmp_path / "log.1").read_text()
        assert "/one" not in log.read_text()
        assert (pid in served.children) == (number == signal.SIGUSR1)


def test_a_change_of_a_file_reloads(tmp_path: Path) -> None:
    write(tmp_path, site_app="from inner import app", inner=SAY.format("one"))
    with Served(tmp_path, "--workers=2", "--reload") as served:
        assert served.fetch() == "one"
        write(tmp_path, inner=SAY.format("two"))
        served.wait_for("inner.py has changed: reloading")
        wait_until(lambda: served.fetch() == "two")
        served.wait_for("serving with 2 workers", times=2)
        wait_until(lambda: len(served.children) == 2)

        assert served.said.count("has changed") == 1
        assert served.end() == 0


def test_code_that_fails_is_tried_again_when_it_changes(tmp_path: Path) -> None:
    write(tmp_path, site_app="from inner import app", inner="1 / 0")
    with Served(tmp_path, "--reload", workers_wait=False) as served:
        served.wait_for("ZeroDivisionError")
        write(tmp_path, inner="def app(:")
        served.wait_for("SyntaxError")
        write(tmp_path, site_app="from inner import app as it", inner=SAY.format("works"))
        served.wait_for("site_app has no 'app'")
        write(tmp_path, site_app="from inner import app")
        served.wait_for("serving with 1 worker")
        write(tmp_path, inner="1 / 0")
        served.wait_for("ZeroDivisionError", times=2)
        write(tmp_path, inner=SAY.format("works"))
        served.wait_for("serving with 1 worker")
        assert served.fetch() == "works"

        write(tmp_path, inner="import nothere")
        served.wait_for("ModuleNotFoundError")
        assert served.fetch() == "works"
        write(tmp_path, inner=SAY.format("again!"))
        wait_until(lambda: served.fetch() == "again!")
        wait_until(lambda: len(served.children) == 1)
        assert served.end() == 0


ASKED_AT_ONCE = 0.5  # seconds: a server that ends waits for a second


class Clients:
    """Threads that ask again and again, each answer on a connection of its own or all on one.

    A new connection must be served to whom asks at once; who was held up on the way to do so may
    have to ask once more.
    """

    def __init__(self, port: int, number: int, keeps: bool) -> None:
        self.port, self.keeps = port, keeps
        self.answers: list[str] = []
        self.failures: list[str] = []
        self.is_over = False
        self.threads = [threading.Thread(target=self.ask) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self.is_over:
            try:
                self.answers.append(self.ask_again(connection))
            except Exception as exc:
                self.failures.append(repr(exc))
            if not self.keeps:
                connection.close()
        connection.close()

    def ask_again(self, connection: http.client.HTTPConnection) -> str:
        """Ask; on a kept connection that was closed while idle, once more on a new one."""
        began = time.monotonic()
        asked = 0.0
        is_fresh = connection.sock is None
        try:
            fields = {} if self.keeps else {"Connection": "close"}
            connection.request("GET", "/", headers=fields)
            asked = time.monotonic()
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            connection.close()
            if is_fresh and (asked or time.monotonic()) - began < ASKED_AT_ONCE:
                raise
            return self.ask_again(connection)
        assert response.status == 200
        return response.read().decode()

    def wait_for_more(self) -> None:
        """Wait until each has had some more answers, on the average."""
        wanted = len(self.answers) + 5 * len(self.threads)
        wait_until(lambda: self.failures or len(self.answers) >= wanted)

    def end(self) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("keeps", [False, True], ids=["one by one", "kept"])
def test_no_request_is_lost_under_load(tmp_path: Path, keeps: bool) -> None:
    write(
        tmp_path,
        site_app="""\
            import os, time
            def app(environ, start_response):
                time.sleep(0.005)
                start_response("200 OK", [])
                return [b"%d" % os.getpid()]
        """,
    )
    with Served(tmp_path, "--workers=2", "--access-log=none", "--grace=60") as served:
        seen = set(served.pids)
        clients = Clients(served.port, 8, keeps)
        try:
            for number in (2, 3):
                clients.wait_for_more()
                served.send(signal.SIGHUP)
                served.wait_for("serving with 2 workers", times=number)
                seen |= set(served.pids)
            clients.wait_for_more()
        finally:
            clients.end()

        assert clients.failures == []
        assert len(seen) == 6
        assert {int(pid) for pid in clients.answers} <= seen
        os.kill(served.pids[0], 0)
