"""Follow links from one page to all pages of the same site.

A worker that finds new links hands each to the pool it runs in. That can't lock up: a pool
that is full runs the job at once, in the worker that asked. `waitall` returns when no page is
left to read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from http.client import HTTPException
from urllib.parse import urldefrag, urljoin, urlsplit

import eventlet
from eventlet.green.urllib.request import urlopen


class Links(HTMLParser):
    """Collects where the links of one page lead, as absolute addresses."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            for name, value in attrs:
                if name == "href" and value:
                    self.found.append(urldefrag(urljoin(self.base, value)).url)


class Crawl:
    """One walk over one site: what was seen, read and failed."""

    def __init__(self, start: str, *, concurrency: int, depth: int, limit: int, timeout: float):
        self.site = urlsplit(start)[:2]
        self.pool = eventlet.GreenPool(concurrency)
        self.depth = depth
        self.limit = limit
        self.timeout = timeout
        self.seen = {start}
        self.read = 0
        self.failed = 0
        self.pool.spawn_n(self.visit, start, 0)
        self.pool.waitall()

    def visit(self, url: str, level: int) -> None:
        """Read one page and hand its new links to the pool."""
        try:
            with eventlet.Timeout(self.timeout), urlopen(url) as page:
                text = page.read().decode("utf-8", "replace")
                is_html = page.headers.get_content_type() == "text/html"
        except (OSError, ValueError, HTTPException, eventlet.Timeout) as exc:
            self.failed += 1
            print(f"failed {url}: {type(exc).__name__}: {exc}", file=sys.stderr)
            return
        self.read += 1
        print(f"level {level}: {url} ({len(text)} characters)")
        if not is_html or level == self.depth:
            return
        links = Links(url)
        links.feed(text)
        for link in links.found:
            if self.is_wanted(link):
                self.seen.add(link)
                self.pool.spawn_n(self.visit, link, level + 1)

    def is_wanted(self, link: str) -> bool:
        """Tell whether `link` is new, on our site, and within the limit of pages."""
        return (
            link not in self.seen
            and urlsplit(link)[:2] == self.site
            and len(self.seen) < self.limit
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Walk the site named on the command line; return 1 when a page could not be read."""
    options = build_parser().parse_args(argv)
    crawl = Crawl(
        urldefrag(options.url).url,
        concurrency=options.concurrency,
        depth=options.depth,
        limit=options.limit,
        timeout=options.timeout,
    )
    print(f"{crawl.read} pages read, {crawl.failed} failed")
    return 1 if crawl.failed else 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Follow links from one page to all pages of the same site."
    )
    parser.add_argument("url", metavar="URL", help="where to start")
    parser.add_argument(
        "--concurrency", type=int, default=100, help="pages in flight (default: %(default)s)"
    )
    parser.add_argument(
        "--depth", type=int, default=10, help="links from the start at most (default: %(default)s)"
    )
    parser.add_argument(
        "--limit", type=int, default=1000, help="pages at most (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds for one page (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
