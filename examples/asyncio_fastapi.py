"""A FastAPI application on uvicorn whose endpoints call green code.

uvicorn's loop, asyncio's or uvloop's, drives the hub: green threads run while it waits, and it
is never blocked. The "legacy" part, written for blocking calls, stays as it is.

    curl http://127.0.0.1:8000/report/3
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

import eventlet
from eventlet.asyncio import attach, to_green

# -- plain blocking-style code: a pool of workers behind a queue -------------------------------

jobs: eventlet.Queue[tuple[int, eventlet.Event]] = eventlet.Queue()


def work_off_jobs() -> None:
    """Take jobs from the queue for ever; each takes a while."""
    while True:
        number, done = jobs.get()
        eventlet.sleep(0.1)  # a slow database
        done.send({"report": number, "sum": sum(range(number + 1))})


def make_report(number: int) -> Any:
    """Hand a job in and wait for its result."""
    done = eventlet.Event()
    jobs.put((number, done))
    with eventlet.Timeout(5):
        return done.wait()


# -- the application -----------------------------------------------------------------------------


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Attach the hub to the server's loop, keep workers while the server runs."""
    attach()
    workers = [eventlet.spawn(work_off_jobs) for _ in range(10)]
    yield
    for worker in workers:
        worker.kill()


app = FastAPI(lifespan=lifespan)


@app.get("/report/{number}")
async def report(number: int) -> Any:
    """Make a report in a green thread; other requests go on meanwhile."""
    return await to_green(make_report, number)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    options = build_parser().parse_args(argv)
    config = uvicorn.Config(
        app, host=options.host, port=options.port, loop=options.loop, log_level="warning"
    )
    try:
        Announcing(config).run()
    except KeyboardInterrupt:
        pass  # uvicorn has shut down, and passes Ctrl-C on
    return 0


class Announcing(uvicorn.Server):
    """A server that says where it listens, also when the kernel chose the port."""

    async def startup(self, sockets: Any = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        for server in self.servers:
            for sock in server.sockets:
                host, port = sock.getsockname()[:2]
                print(f"listening on http://{host}:{port}", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Serve a FastAPI application that calls green code; needs fastapi, uvicorn."
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 lets the kernel choose")
    parser.add_argument("--loop", choices=["auto", "asyncio", "uvloop"], default="auto")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
