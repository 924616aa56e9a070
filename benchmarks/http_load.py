"""Drive an HTTP server with wrk, after a look at whether it answers what it should."""

import http.client
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_requests import Exchange
from benchmarks.places import NATIVE_SOURCES
from benchmarks.process import Program, ProgramFailed

__all__ = ["HttpLoad", "WrkMissing", "check_answers", "find_wrk"]

SCRIPT = NATIVE_SOURCES / "http_load.lua"
CONNECT_SECONDS = 30.0
ANSWER_SECONDS = 10.0
PAUSE_SECONDS = 0.02
# wrk is interrupted when its time is over: by itself it knows whole seconds only.
LONGEST_SECONDS = 600
PATIENCE_SECONDS = 30.0


class WrkMissing(RuntimeError):
    """The load generator of the HTTP cases is not installed."""

    def __init__(self) -> None:
        super().__init__("wrk is not installed; on Debian: apt-get install wrk")


def find_wrk() -> Path:
    """Return the load generator.

    Raises:
        WrkMissing: it is not on the path.
    """
    found = shutil.which("wrk")
    if found is None:
        raise WrkMissing
    return Path(found)


@dataclass(frozen=True)
class HttpLoad:
    """The load of one case on one server.

    Args:
        wrk: the load generator.
        core: where it runs; `None` leaves it free.
        port: of the server, on loopback.
        connections: how many it keeps open.
        exchanges: the requests, in the order in which they are sent.
    """

    wrk: Path
    core: int | None
    port: int
    connections: int
    exchanges: Sequence[Exchange]

    def run(self, server: str, seconds: float) -> tuple[int, float]:
        """Send requests for some time; return (requests answered, seconds taken).

        Raises:
            ProgramFailed: a connection broke, an answer was late, or it was no success.
        """
        name = f"load generator for {server}"
        with self._command() as command, Program(name, command, self.core) as load:
            time.sleep(seconds)
            load.interrupt()
            requests, taken, failures, *kinds = load.skip_to("done", PATIENCE_SECONDS)
        if int(failures) or not int(requests):
            what = f"{requests} requests answered, {failures} failures: {' '.join(kinds)}"
            raise ProgramFailed(name, what, "")
        return int(requests), float(taken)

    @contextmanager
    def _command(self) -> Iterator[Sequence[str]]:
        with tempfile.TemporaryDirectory() as folder:
            names = []
            for number, exchange in enumerate(self.exchanges):
                place = Path(folder) / str(number)
                place.write_bytes(exchange.rendered(self.port))
                names.append(str(place))
            options = ["-t1", f"-c{self.connections}", f"-d{LONGEST_SECONDS}s", "-s", str(SCRIPT)]
            yield [str(self.wrk), *options, f"http://127.0.0.1:{self.port}/", "--", *names]


def check_answers(server: str, port: int, exchanges: Sequence[Exchange]) -> None:
    """Ask for everything twice over one connection, and compare every byte of the bodies.

    Raises:
        ProgramFailed: the server cannot be reached, or answers something else.
    """
    different = list(dict.fromkeys(exchange.rendered(port) for exchange in exchanges))
    answers = {exchange.rendered(port): exchange.answer for exchange in exchanges}
    with _connect(server, port) as connection:
        for request in different * 2:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            try:
                response.begin()
                body = response.read()
            except (http.client.HTTPException, OSError) as exc:
                raise ProgramFailed(server, f"did not answer: {exc!r}", "") from exc
            if response.status != http.client.OK or body != answers[request]:
                line = request.partition(b"\r\n")[0].decode()
                what = f"answered {line!r} with status {response.status}, {len(body)} bytes"
                raise ProgramFailed(server, what, body[:200].decode(errors="replace"))


def _connect(server: str, port: int) -> socket.socket:
    """Connect, and try again until the server listens."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        except ConnectionRefusedError as exc:
            if time.monotonic() > deadline:
                raise ProgramFailed(server, "cannot be reached", "") from exc
            time.sleep(PAUSE_SECONDS)
        else:
            return connection
