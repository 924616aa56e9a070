"""The server under load. Prints its ports, serves until SIGTERM, and prints its last books.

The second port is answered by a server of its own in the same process, with the books as JSON, so
that looking at them is no part of what they count, but for one connection.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import sys
from collections.abc import Iterable
from typing import Any

from eventlet import wsgi
from eventlet._core.current import get_hub
from eventlet.convenience import listen
from eventlet.greenthread import spawn

from tests.load.descriptors import raise_limit
from tests.unit.server.http1_telling import tell

BIG = b"x" * (8 << 20)
SHOWN = 2000  # characters of a traceback


class Journal:
    """A log that keeps tracebacks alone."""

    def __init__(self) -> None:
        self.lines = 0
        self.tracebacks: list[str] = []

    def write(self, text: str) -> None:
        self.lines += 1
        if "Traceback" in text:
            self.tracebacks.append(text[-SHOWN:])


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer `/big` with 8 MiB, all else with what was asked."""
    if environ["PATH_INFO"] == "/big":
        start_response("200 OK", [("Content-Length", str(len(BIG)))])
        return [BIG]
    return tell(environ, start_response)


def memory_kib(name: str) -> int:
    """Read a line of `/proc/self/status`."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith(f"{name}:"))
    return int(line.split()[1])


def take_books(server: wsgi.Server, journal: Journal) -> dict[str, Any]:
    gc.collect()
    return {
        "connections": server.outstanding_requests,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "green threads": sum(not thread.dead for thread in get_hub().threads),
        "objects": len(gc.get_objects()),
        "memory": memory_kib("VmRSS"),
        "peak": memory_kib("VmHWM"),
        "lines": journal.lines,
        "tracebacks": journal.tracebacks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.server", description=__doc__)
    parser.add_argument("--limits", type=json.loads, default={}, help="JSON, of `wsgi.Limits`")
    parser.add_argument("--max-size", type=int, default=1024)
    parser.add_argument("--grace", type=float, default=30.0)
    options = parser.parse_args()
    raise_limit()
    journal = Journal()
    listener, books_listener = listen(("127.0.0.1", 0), backlog=4096), listen(("127.0.0.1", 0))
    server = wsgi.Server(
        listener,
        listener.getsockname(),
        app,
        journal,
        limits=wsgi.Limits(**options.limits),
        max_size=options.max_size,
    )

    def books_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Connection", "close")])
        return [json.dumps(take_books(server, journal)).encode()]

    books_server = wsgi.Server(
        books_listener, books_listener.getsockname(), books_app, log_output=False
    )
    signal.signal(signal.SIGTERM, lambda *_: server.stop(options.grace))
    books_thread = spawn(books_server.serve)
    thread = spawn(server.serve)
    print(json.dumps([listener.getsockname()[1], books_listener.getsockname()[1]]), flush=True)
    thread.wait()
    books_server.stop(options.grace)
    books_thread.wait()
    print(json.dumps(take_books(server, journal)), flush=True)


if __name__ == "__main__":
    main()
    sys.exit()
