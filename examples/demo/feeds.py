"""The dispatch pattern: several clients post feed lists at once, one pool serves them all."""

from __future__ import annotations

import json
import os
import random
import time
from http.client import HTTPException
from pathlib import Path

from rich.console import Console

import eventlet
from eventlet.green.urllib.request import urlopen

from examples.demo.children import Child, memory_bytes
from examples.demo.plan import Door, Feed, Outcome, Ports
from examples.demo.progress import Meter
from examples.demo.site import STATS_PATH
from examples.demo.summary import Report
from examples.feedscraper_client import ask

CONCURRENCY = 20
FEED_TIMEOUT = 5.0
ANSWER_SECONDS = 45.0
SHOWN_TITLES = 8


def scrape(
    console: Console,
    ports: Ports,
    feeds: list[Feed],
    authority: Path,
    *,
    clients: int,
    seed: int,
) -> Report:
    """Let several clients post all the feeds, each in an order of its own, at the same time."""
    report = Report("feed scraper (dispatch)")
    arguments = ["--port", "0", "--concurrency", str(CONCURRENCY), "--timeout", str(FEED_TIMEOUT)]
    # feedparser makes its TLS contexts itself; OpenSSL reads this variable for all of them.
    trust = {"SSL_CERT_FILE": str(authority)}
    with Child("feed scraper", "examples.feedscraper", *arguments, env=trust) as scraper:
        started = time.monotonic()
        with Meter(console, f"{clients} clients post {len(feeds)} feeds each", clients) as meter:

            def post(client: int) -> list[str]:
                order = random.Random(seed + client).sample(feeds, len(feeds))
                titles = _post(scraper.address, order, ports, report)
                meter.advance()
                return titles

            pool = eventlet.GreenPool(clients)
            answers = list(pool.imap(post, range(clients)))
        report.seconds = time.monotonic() - started
        scraper.check()
        report.memory = [
            ("clients", memory_bytes(os.getpid())),
            ("scraper", scraper.memory_bytes()),
        ]
    report.what = f"{clients} clients at once, {len(feeds)} feeds each, one pool of {CONCURRENCY}"
    _check_limit(report, ports)
    for title in answers[0][:SHOWN_TITLES]:
        console.print(f"  client 1 got: {title}", markup=False, highlight=False)
    return report


def _post(server: str, feeds: list[Feed], ports: Ports, report: Report) -> list[str]:
    """Post one list, hold each title against the plan, and return the titles."""
    try:
        titles = ask(server, [feed.url(ports) for feed in feeds], ANSWER_SECONDS)
    except (OSError, HTTPException, eventlet.Timeout) as exc:
        report.unexpected.append(f"a client got no titles: {type(exc).__name__}: {exc}")
        return []
    if len(titles) != len(feeds):
        report.unexpected.append(f"{len(feeds)} feeds posted, {len(titles)} titles came back")
        return titles
    for feed, title in zip(feeds, titles, strict=True):
        if feed.outcome is Outcome.FINE:
            if title != _plain_title(feed):
                report.unexpected.append(
                    f"{feed.path}: expected {_plain_title(feed)!r}, got {title!r}"
                )
        elif title.startswith(f"[{feed.url(ports)}: "):
            report.expect(feed.outcome.value)
        else:
            report.unexpected.append(f"{feed.path}: planned {feed.outcome.name}, got {title!r}")
    return titles


def _plain_title(feed: Feed) -> str:
    """Return the title as a reader sees it."""
    return feed.title.replace("&amp;", "&")


def _check_limit(report: Report, ports: Ports) -> None:
    """Ask the site how many feeds were ever fetched at once."""
    with urlopen(f"http://localhost:{ports[Door.HTTP]}{STATS_PATH}") as answer:
        most = json.load(answer)["most_feeds_in_hand"]
    if most > CONCURRENCY:
        report.unexpected.append(f"{most} fetches at once, with a pool of {CONCURRENCY}")
    else:
        report.findings.append(
            f"the site saw at most {most} fetches at once; the limit of {CONCURRENCY} held"
        )
