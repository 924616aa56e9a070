"""Connect to several servers at the same time and show what each says first.

`GreenPile` runs the jobs at once and gives their results in the order they were handed in.
Names are looked up while other green threads run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import eventlet
from eventlet.green import socket

REQUEST = "HEAD / HTTP/1.0\r\nHost: {host}\r\n\r\n"


def first_line(host: str, port: int, timeout: float) -> str:
    """Ask one server for its front page; return the first line of the answer, or what went wrong.

    Args:
        host: name or address.
        port: TCP port.
        timeout: seconds for looking the name up, connecting and the answer together.
    """
    try:
        with (
            eventlet.Timeout(timeout),
            socket.create_connection((host, port)) as sock,
            sock.makefile("rb") as answer,
        ):
            sock.sendall(REQUEST.format(host=host).encode())
            line: bytes = answer.readline(1024)
            return line.decode("latin-1").strip() or "closed without an answer"
    except (OSError, eventlet.Timeout) as exc:
        return f"failed: {type(exc).__name__}: {exc}"


def main(argv: Sequence[str] | None = None) -> int:
    """Connect to all the servers at once and print one line for each."""
    options = build_parser().parse_args(argv)
    started = time.monotonic()
    pile = eventlet.GreenPile(len(options.servers))
    for host, port in options.servers:
        pile.spawn(first_line, host, port, options.timeout)
    for (host, port), answer in zip(options.servers, pile, strict=True):
        print(f"{host}:{port}  {answer}")
    print(f"{len(options.servers)} servers in {time.monotonic() - started:.2f} s")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Connect to several servers at once and show what each says first."
    )
    parser.add_argument(
        "servers", nargs="+", type=server_address, metavar="HOST[:PORT]", help="port 80 by default"
    )
    parser.add_argument(
        "--timeout", type=float, default=10.0, help="seconds for one server (default: %(default)s)"
    )
    return parser


def server_address(text: str) -> tuple[str, int]:
    """Read `HOST` or `HOST:PORT`."""
    host, _, port = text.partition(":")
    return host, int(port or 80)


if __name__ == "__main__":
    raise SystemExit(main())
