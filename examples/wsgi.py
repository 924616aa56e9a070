"""A small web site on `eventlet.wsgi`, one green thread a connection.

`/` greets, `/slow` takes its time without keeping anybody else waiting, `/count` streams, and a
body posted to `/echo` comes back. With a certificate it speaks HTTPS.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import eventlet
from eventlet import wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

TEXT = ("Content-Type", "text/plain; charset=utf-8")


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if path == "/echo" and method == "POST":
        content_type = environ.get("CONTENT_TYPE") or "application/octet-stream"
        start_response("200 OK", [("Content-Type", content_type)])
        return [environ["wsgi.input"].read()]
    if method not in {"GET", "HEAD"}:
        start_response("405 Method Not Allowed", [TEXT, ("Allow", "GET, HEAD")])
        return [b"GET or HEAD, please\n"]
    if path == "/":
        start_response("200 OK", [TEXT])
        return [b"Hello from a green thread\n"]
    if path == "/slow":
        seconds = number(query, "seconds", default=1.0, most=60.0)
        eventlet.sleep(seconds)
        start_response("200 OK", [TEXT])
        return [f"that took {seconds:g} s\n".encode()]
    if path == "/count":
        start_response("200 OK", [TEXT])
        return count(int(number(query, "to", default=5, most=1000)))
    start_response("404 Not Found", [TEXT])
    return [b"nothing here\n"]


def count(last: int) -> Iterator[bytes]:
    """Yield the numbers from 1 to `last`, with a pause between them."""
    for i in range(1, last + 1):
        yield f"{i}\n".encode()
        eventlet.sleep(0.01)


def number(query: dict[str, list[str]], name: str, *, default: float, most: float) -> float:
    """Read a number from the query; what is no number counts as `default`."""
    try:
        value = float(query[name][0])
    except (KeyError, ValueError):
        return default
    return value if 0 <= value <= most else default


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    options = build_parser().parse_args(argv)
    listener = eventlet.listen((options.host, options.port))
    host, port = listener.getsockname()[:2]
    scheme = "http"
    if options.certfile:
        scheme = "https"
        listener = eventlet.wrap_ssl(
            listener, certfile=options.certfile, keyfile=options.keyfile, server_side=True
        )
    print(f"listening on {scheme}://{host}:{port}/", flush=True)
    wsgi.server(listener, app, log=sys.stderr, max_size=options.max_connections)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="A small web site on eventlet.wsgi.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=8080, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument(
        "--max-connections",
        type=int,
        default=1024,
        help="connections at once (default: %(default)s)",
    )
    parser.add_argument("--certfile", help="certificate chain, PEM; turns HTTPS on")
    parser.add_argument("--keyfile", help="its key, PEM, where not in the same file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
