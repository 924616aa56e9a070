"""A chat room in the browser: a page, and a WebSocket for each who is there.

Whoever reads slowly keeps nobody waiting: what is sent waits in a queue for each, and a guest
whose queue is full is shown out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import eventlet
from eventlet import websocket, wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PAGE = Path(__file__).with_suffix(".html").read_bytes()
LONGEST = 1000  # bytes of a message
WAITING = 100  # messages that may wait for a slow guest
PATIENCE = 0.5  # seconds until one whose queue is full has to go
PINGS = 30.0


class Room:
    """Everybody who is there."""

    def __init__(self) -> None:
        self.guests: set[websocket.RFC6455WebSocket] = set()

    def handle(self, ws: websocket.RFC6455WebSocket) -> None:
        """Serve one guest: the first message is a name, the others are said to all."""
        name = ws.wait()
        if not isinstance(name, str) or not name.strip():
            ws.close((4000, "a name comes first"))
            return
        self.guests.add(ws)
        try:
            self.say(f"{name} has come ({len(self.guests)} here)")
            for message in ws:
                self.say(f"{name}: {message!s}")
        finally:
            self.guests.discard(ws)
            self.say(f"{name} has gone")

    def say(self, line: str) -> None:
        """Send a line to everybody."""
        for guest in list(self.guests):
            try:
                with eventlet.Timeout(PATIENCE):
                    guest.send(line)
            except eventlet.Timeout:
                self.guests.discard(guest)
                eventlet.spawn_n(guest.close, (1008, "too slow"))
            except OSError:
                self.guests.discard(guest)  # its own handler sees to the rest


def is_same_site(host: str | None, origin: str) -> bool:
    """Let no page of another site talk here in the name of its visitors."""
    return not origin or urlsplit(origin).netloc == host


room = Room()
chat = websocket.WebSocketWSGI.configured(
    room.handle,
    origin_checker=is_same_site,
    max_frame_length=LONGEST,
    max_queue=WAITING,
    ping_interval=PINGS,
)


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Serve the page and the room."""
    if environ["PATH_INFO"] == "/chat":
        answer: Iterable[bytes] = chat(environ, start_response)
        return answer
    if environ["PATH_INFO"] == "/":
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [PAGE]
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"the room is at /\n"]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    options = build_parser().parse_args(argv)
    listener = eventlet.listen((options.host, options.port))
    host, port = listener.getsockname()[:2]
    print(f"listening on http://{host}:{port}/", flush=True)
    wsgi.server(listener, app, log=sys.stderr)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="A chat room in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=7000, help="0 lets the kernel choose (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
