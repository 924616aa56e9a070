"""Post a list of feed addresses, get the titles back: a server that is itself a client.

The dispatch pattern: a request fans out into many fetches and comes back when all are in. One
pool serves all requests, so however many clients post at once, there are never more fetches than
the pool allows. `feedparser` is an ordinary library that knows nothing of green threads;
`import_patched` gives us a copy of it whose sockets are green.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import eventlet
from eventlet import wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

feedparser = eventlet.import_patched("feedparser")

MAX_BODY_BYTES = 256 * 1024
TEXT = ("Content-Type", "text/plain; charset=utf-8")


class FeedScraper:
    """The WSGI application: the one pool for all clients, and how long a feed may take."""

    def __init__(self, concurrency: int, timeout: float) -> None:
        self.pool = eventlet.GreenPool(concurrency)
        self.timeout = timeout

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: a line in, a title out, in the same order."""
        refusal = self.refusal(environ)
        if refusal:
            start_response(refusal, [TEXT])
            return [refusal.encode()]
        pile = eventlet.GreenPile(self.pool)
        for line in environ["wsgi.input"].readlines():
            # The body is bytes, and each line still has its line end.
            url = line.decode("utf-8", "replace").strip()
            if url:
                pile.spawn(self.fetch_title, url)
        titles = "\n".join(pile)
        start_response("200 OK", [TEXT])
        return [titles.encode()]

    def refusal(self, environ: WSGIEnvironment) -> str:
        """Return the status that refuses the request, or an empty string."""
        if environ["REQUEST_METHOD"] != "POST":
            return "405 Method Not Allowed"
        length = environ.get("CONTENT_LENGTH")
        if not length:
            return "411 Length Required"
        if int(length) > MAX_BODY_BYTES:
            return "413 Content Too Large"
        return ""

    def fetch_title(self, url: str) -> str:
        """Return the title of one feed, or in brackets why there is none."""
        try:
            # feedparser opens whatever it is given, files too: only the web is meant.
            if urlsplit(url).scheme not in {"http", "https"}:
                return f"[{url}: not a web address]"
            with eventlet.Timeout(self.timeout):
                document = feedparser.parse(url)
        except eventlet.Timeout:
            return f"[{url}: no answer within {self.timeout:g} s]"
        except Exception as exc:
            # Strangers wrote these documents: a parser that trips must not cost the other titles.
            return f"[{url}: {type(exc).__name__}: {exc}]"
        status = document.get("status", 200)
        title = document.feed.get("title")
        if title and status < 400:
            return " ".join(title.split())
        reason = f"HTTP {status}" if status >= 400 else document.get("bozo_exception", "no title")
        return f"[{url}: {reason}]"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    options = build_parser().parse_args(argv)
    server = eventlet.listen((options.host, options.port))
    host, port = server.getsockname()[:2]
    print(f"listening on http://{host}:{port}/", flush=True)
    wsgi.server(server, FeedScraper(options.concurrency, options.timeout), log=sys.stderr)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Post a list of feed addresses, one a line, and get their titles back."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=9010, help="0 lets the kernel choose (default: %(default)s)"
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=200,
        help="feeds in flight, all clients together (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout", type=float, default=20.0, help="seconds for one feed (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
