"""Try the feed scraper: post feed addresses to it, from several clients at once if you like."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from http.client import HTTPException

import eventlet
from eventlet.green.urllib.request import Request, urlopen


def ask(server: str, feeds: Sequence[str], timeout: float) -> list[str]:
    """Post the feeds to the scraper; return one title for each, in the same order."""
    request = Request(
        server, data="\n".join(feeds).encode(), headers={"Content-Type": "text/plain"}
    )
    with eventlet.Timeout(timeout), urlopen(request) as answer:
        text: str = answer.read().decode()
    return text.split("\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Post the same list from each client and print what each got; return 1 when one failed."""
    options = build_parser().parse_args(argv)
    failed = 0

    def run(client: int) -> list[str]:
        nonlocal failed
        try:
            return ask(options.server, options.feeds, options.timeout)
        except (OSError, HTTPException, eventlet.Timeout) as exc:
            failed += 1
            print(f"client {client} failed: {type(exc).__name__}: {exc}", file=sys.stderr)
            return []

    pool = eventlet.GreenPool(options.clients)
    numbers = range(1, options.clients + 1)
    for client, titles in zip(numbers, pool.imap(run, numbers), strict=True):
        for title in titles:
            print(f"client {client}: {title}")
    return 1 if failed else 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="Try the feed scraper.")
    parser.add_argument("feeds", nargs="+", metavar="FEED", help="address of a feed")
    parser.add_argument(
        "--server", default="http://127.0.0.1:9010/", help="where the scraper listens"
    )
    parser.add_argument(
        "--clients", type=int, default=1, help="how many post at once (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds for the answer (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
