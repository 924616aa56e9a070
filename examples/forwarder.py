"""Forward a port: every connection made here is carried on to another address.

Two green threads a connection, one for each direction. End-of-file is passed on by itself, so
a client may say all it has, close its side and still read the whole answer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import eventlet
from eventlet.green import socket
from eventlet.greenio import GreenSocket, shutdown_safe

READ_BYTES = 64 * 1024


def copy(source: socket.socket, target: socket.socket) -> int:
    """Carry bytes one way until end-of-file, and pass that on; return how many there were.

    When either side breaks, both are shut down, which ends the other direction too.
    """
    carried = 0
    try:
        while data := source.recv(READ_BYTES):
            target.sendall(data)
            carried += len(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        shutdown_safe(source)
        shutdown_safe(target)
    return carried


def forward(client: GreenSocket, address: tuple[str, int], connect_timeout: float) -> None:
    """Carry one connection, both ways, until both sides have finished."""
    with client:
        try:
            server = socket.create_connection(address, timeout=connect_timeout)
        except OSError as exc:
            print(f"cannot reach {address[0]}:{address[1]}: {exc}", file=sys.stderr, flush=True)
            return
        with server:
            server.settimeout(None)
            answers = eventlet.spawn(copy, server, client)
            sent = copy(client, server)
            print(f"closed: {sent} bytes there, {answers.wait()} back", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Forward until Ctrl-C."""
    options = build_parser().parse_args(argv)
    server = eventlet.listen((options.host, options.port))
    pool = eventlet.GreenPool(options.max_connections)
    host, port = server.getsockname()[:2]
    print(f"listening on {host}:{port}", flush=True)
    try:
        while True:
            new_sock, _address = server.accept()
            pool.spawn_n(forward, new_sock, options.target, options.connect_timeout)
    except KeyboardInterrupt:
        print(f"stopped with {pool.running()} connections open", flush=True)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Forward a port: every connection made here is carried on to another address."
    )
    parser.add_argument("target", type=target_address, metavar="HOST:PORT", help="where to")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=7000, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument(
        "--max-connections",
        type=int,
        default=1000,
        help="connections at once (default: %(default)s)",
    )
    parser.add_argument(
        "--connect-timeout",
        type=float,
        default=10.0,
        help="seconds for reaching the target (default: %(default)s)",
    )
    return parser


def target_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`."""
    host, _, port = text.rpartition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


if __name__ == "__main__":
    raise SystemExit(main())
