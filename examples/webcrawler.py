"""Fetch many pages at the same time.

The client pattern: a plain function that reads one page, and a pool that runs it for every
address. `imap` gives the answers in the order of the addresses, each as soon as it and all
before it are there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import HTTPError

import eventlet
from eventlet.green.urllib.request import urlopen


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch the pages named on the command line; return how many could not be read, at most 1."""
    options = build_parser().parse_args(argv)
    failures = 0

    def fetch(url: str) -> bytes:
        """Read one page; a page that can't be read is reported and counted, and empty."""
        nonlocal failures
        try:
            with eventlet.Timeout(options.timeout), urlopen(url) as page:
                return bytes(page.read())
        except (OSError, ValueError, HTTPException, eventlet.Timeout) as exc:
            failures += 1
            print(f"failed {url}: {type(exc).__name__}: {exc}", file=sys.stderr)
            if isinstance(exc, HTTPError):
                exc.close()  # it is the answer, too
            return b""

    urls = options.urls
    pool = eventlet.GreenPool(options.concurrency)
    total = 0
    for body in pool.imap(fetch, urls):
        print("got body", len(body))
        total += len(body)
    print(f"{len(urls)} pages, {total} bytes, {failures} failed")
    return 1 if failures else 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="Fetch many pages at the same time.")
    parser.add_argument("urls", nargs="+", metavar="URL", help="address of a page")
    parser.add_argument(
        "--concurrency", type=int, default=1000, help="pages in flight (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds for one page (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
