"""Good clients beside thousands of slow ones."""

from __future__ import annotations

import json
import random
import select
import subprocess
from collections.abc import Callable
from types import TracebackType
from typing import IO, Protocol, Self

from eventlet._unpatched import monotonic
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep

from tests.isolated_runner import ROOT
from tests.load.report import Part, percentile
from tests.load.running import GET, PATIENCE, PYTHON, Running, environment
from tests.unit.server.site import read_until

PAUSE = (0.05, 0.15)  # seconds between a good client's requests, from and to
FOR_EVER = 1000.0  # seconds
ENDING = b"['GET', '/', None, 'a']\n"


class Connectable(Protocol):
    """What good clients need."""

    def connect(self) -> GreenSocket: ...


def run(slow: int, readers: int, good: int, seconds: float) -> Part:
    """Have good clients alone for half the time, then beside the slow ones.

    First of all, the same at a bare loop: what it cannot do, no server can do here.

    Args:
        slow: sockets, those of the readers among them.
        seconds: for the good clients beside the slow ones.
    """
    part = Part(f"{slow:,} slow sockets, {readers:,} of them readers, beside {good:,} good clients")
    print(f"==> {part.title}", flush=True)
    # So that they are there all the time, and a busy machine keeps no good one from asking in time.
    deadline = seconds + 4 + slow / 400
    limits = dict.fromkeys(("head_timeout", "write_timeout", "idle_timeout"), deadline)
    control(part, slow, readers, good, seconds / 2)
    with Running(part, limits, slow + good + 10) as server:
        quiet = ask_for(part, server, good, seconds / 2)
        show(part, "quiet", quiet, quiet)
        began = monotonic()
        slow_ones = start("slow_ones", server.address[1], slow - readers, readers, deadline)
        try:
            said = said_by(slow_ones)
            arriving = ask_for(part, server, good, PATIENCE, lambda: is_readable(said))
            part.check(said.readline() == "at work\n", "the slow ones did not start")
            loaded = ask_for(part, server, good, seconds)
            books = server.books()
            show(part, "as the slow ones arrive", arriving, quiet)
            show(part, "beside the slow ones", loaded, quiet)
            part.tell("slow ones that were there to the end", f"{books['connections']:,}")
            out, _ = slow_ones.communicate(timeout=deadline + 2 * PATIENCE)
        finally:
            if slow_ones.poll() is None:
                slow_ones.kill()
            slow_ones.communicate()
        counts, longest = json.loads(out)
        expected = {"senders ended": slow - readers, "readers ended": readers}
        expected = {name: number for name, number in expected.items() if number}
        part.check(counts == expected, f"the slow ones ended otherwise: {counts}")
        part.tell(
            f"slow ones ended by the deadlines of {deadline:g} s",
            f"{sum(counts.values()):,}, the last sender after {longest:.1f} s",
        )
        left = server.settle()
        part.tell("all gone after", f"{monotonic() - began:.1f} s")
        for name in ("descriptors", "green threads"):
            part.check(left[name] == server.first[name], f"{name}: {left[name]}")
        server.stop()
    return part


def control(part: Part, slow: int, readers: int, good: int, seconds: float) -> None:
    """Have the same clients at a bare loop."""
    with Bare() as bare:
        quiet = ask_for(part, bare, good, seconds)
        slow_ones = start("slow_ones", bare.port, slow - readers, readers, FOR_EVER)
        try:
            said = said_by(slow_ones)
            arriving = ask_for(part, bare, good, PATIENCE, lambda: is_readable(said))
        finally:
            slow_ones.kill()
            slow_ones.communicate()
    show(part, "at a bare loop, quiet", quiet, quiet)
    show(part, "at a bare loop, as the slow ones arrive", arriving, quiet)


class Bare:
    """A loop that answers, in a process of its own, while the `with` block runs."""

    def __enter__(self) -> Self:
        self._process = start("bare")
        self.port = int(said_by(self._process).readline())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def connect(self) -> GreenSocket:
        sock = GreenSocket()
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", self.port))
        return sock


def start(module: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a module of this package."""
    command = [*PYTHON, "-m", f"tests.load.{module}", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)


def said_by(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def is_readable(file: IO[str]) -> bool:
    return bool(select.select([file], [], [], 0)[0])


def ask_for(
    part: Part,
    server: Connectable,
    good: int,
    seconds: float,
    is_over: Callable[[], bool] = lambda: False,
) -> list[float]:
    """Have good clients ask again and again; return how long each answer took, in seconds."""
    took: list[float] = []
    over = monotonic() + seconds

    def ask() -> None:
        try:
            with server.connect() as sock:
                sleep(random.uniform(0, PAUSE[1]))
                while monotonic() < over and not is_over():
                    began = monotonic()
                    sock.sendall(GET)
                    answer = read_until(sock, ENDING)
                    took.append(monotonic() - began)
                    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
                    sleep(random.uniform(*PAUSE))
        except (OSError, AssertionError) as exc:
            part.check(False, f"a good client got {exc!r}")

    pool = GreenPool(good)
    for _ in range(good):
        pool.spawn(ask)
    pool.waitall()
    return took


def show(part: Part, when: str, took: list[float], quiet: list[float]) -> None:
    if not took:
        part.check(False, f"no good client was answered {when}")
        return
    p50, p99, slowest = (1000 * percentile(took, each) for each in (0.5, 0.99, 1.0))
    ratio = percentile(took, 0.99) / percentile(quiet, 0.99)
    times = "" if took is quiet else f", {ratio:.2f} times the quiet one"
    part.tell(
        f"good clients, {when}: requests, p50, p99, the slowest",
        f"{len(took):,}, {p50:.2f} ms, {p99:.2f} ms{times}, {slowest:.0f} ms",
    )
