"""WebSockets, both sides: a server with `/echo` and `/ticks`, and a client that asks it.

python examples/websocket.py
python examples/websocket.py --ask ws://127.0.0.1:7000/echo hello world
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import eventlet
from eventlet import websocket, wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

TEXT = ("Content-Type", "text/plain; charset=utf-8")
PINGS = 30.0  # seconds of silence after which a client has to show that it is still there


def echo(ws: websocket.RFC6455WebSocket) -> None:
    """Send back what comes."""
    for message in ws:
        ws.send(message)


def ticks(ws: websocket.RFC6455WebSocket) -> None:
    """Count, ten times a second, until the client has had enough."""
    counting = eventlet.spawn(count, ws)
    ws.wait()  # whatever it says, or its end
    counting.kill()


def count(ws: websocket.RFC6455WebSocket) -> None:
    """Send one number after the other, until it is closed."""
    number = 0
    with suppress(websocket.ConnectionClosedError):
        while True:
            ws.send(str(number))
            number += 1
            eventlet.sleep(0.1)


HANDLERS: dict[str, Callable[..., Iterable[bytes | str]]] = {
    "/echo": websocket.WebSocketWSGI.configured(echo, ping_interval=PINGS),
    "/ticks": websocket.WebSocketWSGI.configured(ticks, ping_interval=PINGS),
}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes | str]:
    """Find the handler for a path."""
    handler = HANDLERS.get(environ["PATH_INFO"])
    if handler is None:
        start_response("404 Not Found", [TEXT])
        return [b"there are WebSockets at /echo and /ticks\n"]
    return handler(environ, start_response)


def ask(url: str, messages: Sequence[str]) -> int:
    """Send messages and print the answers."""
    try:
        with websocket.connect(url) as ws:
            for message in messages:
                ws.send(message)
                print(ws.wait())
    except OSError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C, or ask."""
    options = build_parser().parse_args(argv)
    if options.ask:
        return ask(options.ask, options.messages)
    listener = eventlet.listen((options.host, options.port))
    host, port = listener.getsockname()[:2]
    print(f"listening on ws://{host}:{port}/", flush=True)
    wsgi.server(listener, app, log=sys.stderr)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="WebSockets: a server, and a client.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=7000, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument("--ask", metavar="URL", help="be a client of this WebSocket")
    parser.add_argument("messages", nargs="*", help="what to ask")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
