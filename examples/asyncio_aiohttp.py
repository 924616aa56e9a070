"""Fetch pages with aiohttp, a library for asyncio, from ordinary green threads.

Nothing here is `async` but the few lines that speak to the library. They run in a loop that
a green thread hosts; the session, made once, is shared by all green threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import aiohttp

import eventlet
from eventlet.asyncio import wait_for_awaitable


class Browser:
    """An aiohttp session that green threads use by plain calls.

    Args:
        timeout: seconds for one page.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.session = wait_for_awaitable(self._open())

    async def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def _get(self, url: str) -> tuple[int, int]:
        async with self.session.get(url) as response:
            return response.status, len(await response.read())

    def get(self, url: str) -> str:
        """Describe the answer of one server, or what went wrong."""
        try:
            status, size = wait_for_awaitable(self._get(url), self.timeout)
        except (aiohttp.ClientError, TimeoutError) as exc:
            return f"{url}  failed: {type(exc).__name__}: {exc}"
        return f"{url}  {status}  {size} bytes"

    def close(self) -> None:
        """Close the session and its connections."""
        wait_for_awaitable(self.session.close())


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch all the pages, some at a time, and print one line for each, in order."""
    options = build_parser().parse_args(argv)
    started = time.monotonic()
    browser = Browser(options.timeout)
    pool = eventlet.GreenPool(options.concurrency)
    try:
        for line in pool.imap(browser.get, options.urls):
            print(line)
    finally:
        browser.close()
    print(f"{len(options.urls)} pages in {time.monotonic() - started:.2f} s")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Fetch pages with aiohttp from green threads; needs aiohttp."
    )
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--concurrency", type=int, default=10, help="pages at once (default: 10)")
    parser.add_argument(
        "--timeout", type=float, default=10.0, help="seconds for one page (default: 10)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
