"""`python -m eventlet serve` under load: reloads lose no request, a killed worker is replaced."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from eventlet._unpatched import monotonic
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn

from tests.load.report import Part
from tests.load.running import PATIENCE
from tests.unit.serve.served import Served, write
from tests.unit.server.site import parse_replies, read_to_end

CLIENTS = 16
PAUSE = 0.01  # seconds that a request takes
APP = f"""\
    import eventlet, os

    def app(environ, start_response):
        eventlet.sleep({PAUSE})
        body = b"%d" % os.getpid()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


class Clients:
    """Green threads that ask again and again: half on a connection each time, half on a kept one.

    Where a kept connection was closed just as a request is sent, it is sent again, once, as every
    client does with a GET. To these, who are always at work, no reload may do that.
    """

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.answers: Counter[int] = Counter()
        self.failures: list[tuple[float, str]] = []
        self.again = 0
        self.is_over = False
        self.threads = [spawn(self._run, number % 2 == 0) for number in range(CLIENTS)]

    def end(self) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.wait()

    def _run(self, keeps: bool) -> None:
        kept: GreenSocket | None = None
        while not self.is_over:
            sock, is_used = (kept, True) if kept is not None else (None, False)
            kept = None
            try:
                sock = sock or self._connect()
                pid, is_last = self._ask(sock, keeps)
                self.answers[pid] += 1
                if keeps and not is_last:
                    kept, sock = sock, None
            except OSError as exc:
                if is_used and not isinstance(exc, TimeoutError):
                    self.again += 1
                else:
                    self.failures.append((monotonic(), repr(exc)))
            except Exception as exc:
                self.failures.append((monotonic(), repr(exc)))
            finally:
                if sock is not None:
                    sock.close()
            sleep(random.uniform(0, PAUSE))
        if kept is not None:
            kept.close()

    def _connect(self) -> GreenSocket:
        sock = GreenSocket()
        sock.settimeout(PATIENCE)
        try:
            sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _ask(self, sock: GreenSocket, keeps: bool) -> tuple[int, bool]:
        """Make a request; return who answered, and whether the connection ends with it."""
        option = b"keep-alive" if keeps else b"close"
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: %s\r\n\r\n" % option)
        raw = b"" if keeps else read_to_end(sock)
        while keeps:
            more = sock.recv(4096)
            if not more:
                break
            raw += more
            head, end, body = raw.partition(b"\r\n\r\n")
            if end and len(body) == int(head.lower().split(b"content-length: ")[1].split()[0]):
                break
        if not raw:
            raise ConnectionError("closed without an answer")
        (reply,) = parse_replies(raw)
        if reply.status != 200:
            raise ValueError(f"status {reply.status}")
        return int(reply.body), reply.headers.get("Connection", "").lower() == "close"


def run(restarts: int, pause: float) -> Part:
    """Reload again and again, then kill a worker.

    Args:
        restarts: how many SIGHUPs.
        pause: seconds between them.
    """
    part = Part(f"serve --workers 2 under {CLIENTS} clients: reloads, and a worker that is killed")
    print(f"==> {part.title}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, site_app=APP)
        with Served(folder, "--workers=2", "--access-log=none", "--grace=20") as served:
            clients = Clients(served.port)
            try:
                reload(part, served, clients, restarts, pause)
                kill(part, served, clients)
            finally:
                clients.end()
            part.check(served.end() == 0, "its exit status is not 0")
            part.check("Traceback" not in served.said, served.said[-2000:])
    return part


def reload(part: Part, served: Served, clients: Clients, restarts: int, pause: float) -> None:
    sleep(pause / 2)
    for _ in range(restarts):
        served.send(signal.SIGHUP)
        sleep(pause)
    wait_until(part, "the workers that were wanted", lambda: is_whole(served))
    sleep(pause / 2)
    generations = served.said.count("serving with 2 workers")
    part.tell(
        "reloads by SIGHUP", f"{restarts}, one every {pause:g} s; {generations - 1} completed"
    )
    part.tell(
        "requests", f"{clients.answers.total():,}, answered by {len(clients.answers)} workers"
    )
    part.tell("kept connections closed just before a request, which was sent again", clients.again)
    part.check(not clients.again, f"{clients.again} requests had to be sent again")
    part.tell("requests lost", len(clients.failures))
    part.check(not clients.failures, f"requests were lost: {clients.failures[:5]}")
    part.check(generations > 1, "there was no reload")


def kill(part: Part, served: Served, clients: Clients) -> None:
    clients.failures.clear()
    clients.again = 0
    killed = served.pids[0]
    began = monotonic()
    os.kill(killed, signal.SIGKILL)
    wait_until(part, "another worker", lambda: is_whole(served) and killed not in served.pids)
    whole = monotonic() - began
    answers = clients.answers.copy()
    new = set(served.pids) - {killed}
    wait_until(
        part,
        "answers of both workers",
        lambda: all(clients.answers[pid] > answers[pid] for pid in new),
    )
    part.tell("after kill -9 of a worker two serve again in", f"{whole:.2f} s")
    part.tell("and both have answered in", f"{monotonic() - began:.2f} s")
    failures = [moment for moment, _ in clients.failures]
    last = f", the last after {failures[-1] - began:.2f} s" if failures else ""
    part.tell("requests lost with the killed worker", f"{len(failures)}{last}")
    part.tell("kept connections that it had", clients.again)
    part.check(
        len(failures) + clients.again <= CLIENTS,
        f"more were lost than it can have had: {clients.failures[:5]}",
    )


def is_whole(served: Served) -> bool:
    return len(served.children) == 2 and set(served.pids) == set(served.children)


def wait_until(part: Part, what: str, has_come: Callable[[], bool]) -> None:
    give_up = monotonic() + PATIENCE
    while not has_come():
        if monotonic() > give_up:
            part.check(False, f"{what} did not come within {PATIENCE:g} s")
            return
        sleep(0.01)
