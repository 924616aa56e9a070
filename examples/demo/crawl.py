"""The client pattern: one plain function reads a page, `imap` runs it for all of them at once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError

from rich.console import Console

import eventlet
from eventlet.green import ssl
from eventlet.green.urllib.request import urlopen

from examples.demo.children import Child, memory_bytes
from examples.demo.plan import Door, Outcome, Page, Ports
from examples.demo.progress import Meter
from examples.demo.summary import Report

TIMEOUT_SECONDS = 2.0
TIMEOUT_SECONDS_PER_PAGE = 0.025
"""All pages are fetched at once: on a slow or busy machine the last has to wait for the others."""


@dataclass(frozen=True)
class Visit:
    """One fetch: how it ended, and how long it took."""

    page: Page
    outcome: Outcome | None
    seconds: float
    detail: str = ""


def crawl(
    console: Console, site: Child, ports: Ports, pages: list[Page], authority: Path
) -> Report:
    """Read all pages of the site at once and compare with reading them one at a time."""
    trust = ssl.create_default_context(cafile=str(authority))
    report = Report("crawl (imap)")
    timeout = TIMEOUT_SECONDS + TIMEOUT_SECONDS_PER_PAGE * len(pages)
    in_flight = 0.0
    started = time.monotonic()
    with Meter(console, f"crawling {len(pages)} pages", len(pages)) as meter:

        def fetch(page: Page) -> Visit:
            visit = _visit(page, ports, trust, timeout)
            meter.advance()
            return visit

        pool = eventlet.GreenPool()
        for visit in pool.imap(fetch, pages):
            in_flight += visit.seconds
            _judge(report, visit)
    report.seconds = time.monotonic() - started
    site.check()
    over_tls = sum(page.url(ports).startswith("https:") for page in pages)
    report.what = f"{len(pages)} pages, {over_tls} of them over TLS, all at once"
    report.memory = [("crawler", memory_bytes(os.getpid())), ("site", site.memory_bytes())]
    waiting = sum(_least_seconds(page, timeout) for page in pages)
    report.findings.append(
        f"one at a time: at least {waiting:.1f} s, what the site alone makes them wait;"
        f" {waiting / report.seconds:.0f} times as long"
        f" (the single fetches add up to {in_flight:.1f} s)"
    )
    return report


def _visit(page: Page, ports: Ports, trust: ssl.SSLContext, timeout: float) -> Visit:
    """Read one page, and name how that ended."""
    started = time.monotonic()
    outcome: Outcome | None
    detail = ""
    try:
        with (
            eventlet.Timeout(timeout),
            urlopen(page.url(ports), context=trust) as answer,
        ):
            body = answer.read()
        outcome = Outcome.FINE if body == page.body() else None
        detail = "the body is not the page's" if outcome is None else ""
    except (OSError, HTTPException, eventlet.Timeout) as exc:
        outcome = _outcome_of(exc)
        detail = f"{type(exc).__name__}: {exc}"
        if isinstance(exc, HTTPError):
            exc.close()  # it is the answer, too
    return Visit(page, outcome, time.monotonic() - started, detail)


def _outcome_of(exc: BaseException) -> Outcome | None:
    """Name a failed fetch; None is a failure the site never plans."""
    cause = exc.reason if isinstance(exc, URLError) and not isinstance(exc, HTTPError) else exc
    # A dropped connection is a bad status line too, so resets are asked about first.
    for kind, outcome in (
        (eventlet.Timeout, Outcome.SILENT),
        (ssl.SSLCertVerificationError, Outcome.UNTRUSTED),
        (ConnectionResetError, Outcome.RESET),
        (IncompleteRead, Outcome.TRUNCATED),
        (BadStatusLine, Outcome.NOT_HTTP),
    ):
        if isinstance(cause, kind):
            return outcome
    is_server_error = isinstance(cause, HTTPError) and cause.code == 500
    return Outcome.SERVER_ERROR if is_server_error else None


def _least_seconds(page: Page, timeout: float) -> float:
    """Return how long one visit takes even where nothing else runs."""
    if page.outcome is Outcome.SILENT:
        return timeout
    return page.latency if page.door in {Door.HTTP, Door.HTTPS} else 0.0


def _judge(report: Report, visit: Visit) -> None:
    """Hold one visit against the plan."""
    page = visit.page
    if visit.outcome is not page.outcome:
        ended = visit.detail or "it came whole"
        report.unexpected.append(f"{page.path}: planned {page.outcome.name}, but {ended}")
    elif visit.outcome is not Outcome.FINE:
        report.expect(page.outcome.value)
