"""A pre-forking web server: one listener, several processes, each with a hub of its own.

A worker that dies is replaced. SIGTERM or Ctrl-C ends them all; requests that are being
served finish first.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from greenlet import GreenletExit

import eventlet
from eventlet import wsgi
from eventlet.green.os import waitpid
from eventlet.greenio import GreenSocket

ENDS = {signal.SIGTERM, signal.SIGINT}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with the number of the process."""
    eventlet.sleep(0.01)  # any green code
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()}\n".encode()]


def serve(listener: GreenSocket) -> None:
    """Serve until SIGTERM: what a worker does."""
    server = eventlet.spawn(wsgi.server, listener, app, log_output=False)
    for number in ENDS:
        signal.signal(number, lambda *_: eventlet.spawn(server.kill))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    with suppress(GreenletExit):  # the end that was asked for
        server.wait()


class Workers:
    """The processes that serve, looked after by the one that does not."""

    def __init__(self, listener: GreenSocket, number: int) -> None:
        self.listener = listener
        self.number = number
        self.pids: set[int] = set()
        self.is_ending = False

    def run(self) -> None:
        """Keep so many workers running; return when told to end and none is left."""
        while not self.is_ending or self.pids:
            while not self.is_ending and len(self.pids) < self.number:
                self.start_one()
            pid, status = waitpid(-1, 0)  # other green threads run meanwhile
            if pid in self.pids:
                self.pids.discard(pid)
                code = os.waitstatus_to_exitcode(status)
                print(f"worker {pid} ended with {code}", flush=True)

    def start_one(self) -> None:
        """Fork; the child serves, and never comes back from here."""
        # Blocked, so that a signal finds the child's own handlers, not those of its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        pid = os.fork()
        if pid == 0:
            serve(self.listener)
            self.listener.close()
            sys.exit(0)
        self.pids.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        if self.is_ending:
            self.end()

    def end(self, *_: object) -> None:
        """Pass the word on. A signal handler may do this: it does not wait."""
        self.is_ending = True
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Listen, fork, look after the workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args(arguments)
    with eventlet.listen(("127.0.0.1", options.port)) as listener:
        workers = Workers(listener, options.workers)
        for number in ENDS:
            signal.signal(number, workers.end)
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
        workers.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
