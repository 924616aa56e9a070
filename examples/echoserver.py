"""Send every byte back, to ten thousand clients at once, whatever they do.

The server pattern: accept, hand the socket to a pool, accept again; the handler is plain
blocking code. This one is meant to stay up. A client that goes silent or never reads is let go
after the idle time; a broken connection ends its own handler and nothing else; when descriptors
run out, accepting pauses; a full pool leaves new clients in the kernel's queue; and on Ctrl-C
those still talking get a moment to finish.
"""

from __future__ import annotations

import argparse
import errno
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import eventlet
from eventlet.greenio import GreenSocket

READ_BYTES = 16 * 1024
RESERVED_DESCRIPTORS = 64
"""Kept for the listener, the hub and the interpreter when clients are counted."""

PAUSE_SECONDS = 0.1
"""How long accepting rests when the system is short of descriptors or memory."""

SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PASSING = {errno.ECONNABORTED, errno.EPROTO, errno.EPERM}
"""`accept` fails so for a client that left or was refused before we got to it."""


@dataclass
class Tally:
    """What happened so far."""

    clients: int = 0
    echoed_bytes: int = 0
    silent: int = 0
    broken: int = 0
    over_limit: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.clients} clients, {self.echoed_bytes} bytes sent back, "
            f"{self.silent} too silent, {self.broken} broken, {self.over_limit} over the limit, "
            f"{self.failed} failed"
        )


class EchoServer:
    """One listening socket, the pool of its clients, and the limits they live under."""

    def __init__(
        self, server: GreenSocket, *, max_clients: int, idle_timeout: float, max_bytes: int
    ) -> None:
        self.server = server
        self.pool = eventlet.GreenPool(max_clients)
        self.idle_timeout = idle_timeout
        self.max_bytes = max_bytes
        self.tally = Tally()

    def serve(self) -> None:
        """Accept clients for ever."""
        while True:
            try:
                new_sock, _address = self.server.accept()
            except OSError as exc:
                if exc.errno in SHORTAGES:
                    complain(f"cannot accept now: {exc}")
                    eventlet.sleep(PAUSE_SECONDS)
                elif exc.errno not in PASSING:
                    raise
            else:
                self.pool.spawn_n(self.handle, new_sock)

    def handle(self, client: GreenSocket) -> None:
        """Talk to one client until it leaves, goes silent or breaks the connection."""
        tally = self.tally
        tally.clients += 1
        with client:
            client.settimeout(self.idle_timeout)
            try:
                self.echo(client)
            except TimeoutError:
                tally.silent += 1
            except OSError:
                tally.broken += 1
            except Exception as exc:
                tally.failed += 1
                complain(f"handler failed: {exc!r}")

    def echo(self, client: GreenSocket) -> None:
        """Send back what comes in until the client has said all, or too much."""
        echoed = 0
        while data := client.recv(READ_BYTES):
            client.sendall(data)
            self.tally.echoed_bytes += len(data)
            echoed += len(data)
            if self.max_bytes and echoed >= self.max_bytes:
                self.tally.over_limit += 1
                return

    def stop(self, grace: float) -> None:
        """Stop listening, and give those still talking `grace` seconds to finish."""
        self.server.close()
        with eventlet.Timeout(grace, False):
            self.pool.waitall()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM, then say what happened."""
    options = build_parser().parse_args(argv)
    treat_sigterm_as_ctrl_c()
    possible = raise_descriptor_limit() - RESERVED_DESCRIPTORS
    max_clients = min(options.max_clients, possible)
    if max_clients < options.max_clients:
        complain(f"at most {max_clients} clients: the descriptor limit does not allow more")
    listener = eventlet.listen((options.host, options.port), backlog=options.backlog)
    echo_server = EchoServer(
        listener,
        max_clients=max_clients,
        idle_timeout=options.idle_timeout,
        max_bytes=options.max_bytes,
    )
    host, port = listener.getsockname()[:2]
    print(f"listening on {host}:{port}", flush=True)
    try:
        echo_server.serve()
    except KeyboardInterrupt:
        pass
    echo_server.stop(options.grace)
    cut = echo_server.pool.running()
    print(f"stopped: {echo_server.tally}, {cut} cut short", flush=True)
    return 0


def treat_sigterm_as_ctrl_c() -> None:
    """Let SIGTERM raise KeyboardInterrupt in the calling green thread, wherever it is parked.

    A handler that raised by itself would hit whichever green thread happens to run.
    """
    me = eventlet.getcurrent()

    def interrupt(_number: int, _frame: object) -> None:
        eventlet.spawn_n(eventlet.kill, me, KeyboardInterrupt)

    signal.signal(signal.SIGTERM, interrupt)


def raise_descriptor_limit() -> int:
    """Raise this process's descriptor limit as far as it may; return the limit reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    wanted = max(soft, 65536) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def complain(text: str) -> None:
    """Print one line for the operator."""
    print(text, file=sys.stderr, flush=True)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="Send every byte back, to many clients at once.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=6000, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument(
        "--backlog",
        type=int,
        default=1024,
        help="clients the kernel keeps waiting (default: %(default)s)",
    )
    parser.add_argument(
        "--max-clients", type=int, default=10000, help="clients at once (default: %(default)s)"
    )
    parser.add_argument(
        "--idle-timeout",
        type=float,
        default=300.0,
        help="seconds a client may be silent, or not read (default: %(default)s)",
    )
    parser.add_argument(
        "--max-bytes", type=int, default=0, help="bytes for one client; 0 is no limit"
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=2.0,
        help="seconds to finish in after Ctrl-C (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
