"""Producers read index pages, consumers fetch what the indexes link to.

A bounded queue stands between them. When the consumers fall behind, `put` parks the producer,
so memory stays small however long the indexes are. `join` returns when every link that was put
has been dealt with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from http.client import HTTPException
from urllib.parse import urljoin

import eventlet
from eventlet.green.urllib.request import urlopen

ERRORS = (OSError, ValueError, HTTPException, eventlet.Timeout)


class Exchange:
    """The queue between the two sides, and the count of what went through it."""

    def __init__(self, queue_size: int, timeout: float) -> None:
        self.links = eventlet.Queue[str](queue_size)
        self.timeout = timeout
        self.most_queued = 0
        self.fetched = 0
        self.failed = 0

    def produce(self, index_url: str) -> None:
        """Put each link of an index, a text page with one link a line; wait while it is full."""
        try:
            lines = self.read(index_url).decode().splitlines()
        except ERRORS as exc:
            self.report(index_url, exc)
            return
        for line in lines:
            if line.strip():
                self.links.put(urljoin(index_url, line.strip()))
                self.most_queued = max(self.most_queued, self.links.qsize())

    def consume(self) -> None:
        """Fetch what comes out of the queue, for ever."""
        while True:
            url = self.links.get()
            try:
                body = self.read(url)
            except ERRORS as exc:
                self.report(url, exc)
            else:
                self.fetched += 1
                print(f"{url}: {len(body)} bytes")
            finally:
                self.links.task_done()

    def read(self, url: str) -> bytes:
        """Return the body of one page."""
        with eventlet.Timeout(self.timeout), urlopen(url) as page:
            return bytes(page.read())

    def report(self, url: str, exc: BaseException) -> None:
        """Count a failure and say which page it was."""
        self.failed += 1
        print(f"failed {url}: {type(exc).__name__}: {exc}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one producer an index and a fixed crew of consumers; return 1 when a page failed."""
    options = build_parser().parse_args(argv)
    exchange = Exchange(options.queue_size, options.timeout)
    consumers = [eventlet.spawn(exchange.consume) for _ in range(options.consumers)]
    producers = [eventlet.spawn(exchange.produce, url) for url in options.indexes]
    for producer in producers:
        producer.wait()
    exchange.links.join()
    for consumer in consumers:
        consumer.kill()
    print(
        f"{exchange.fetched} pages fetched, {exchange.failed} failed, "
        f"never more than {exchange.most_queued} links queued"
    )
    return 1 if exchange.failed else 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Producers read index pages, consumers fetch what the indexes link to."
    )
    parser.add_argument(
        "indexes", nargs="+", metavar="INDEX", help="address of a text page, one link a line"
    )
    parser.add_argument(
        "--consumers", type=int, default=5, help="pages in flight (default: %(default)s)"
    )
    parser.add_argument(
        "--queue-size", type=int, default=10, help="links waiting at most (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds for one page (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
