"""Run the demo: crawl a site, hold ten thousand conversations, dispatch feeds, sum up."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

import eventlet

from examples.demo.certificates import make_certificates
from examples.demo.children import Child, ChildFailed
from examples.demo.crawl import crawl
from examples.demo.echo import hold_conversations
from examples.demo.feeds import scrape
from examples.demo.plan import Door, Ports, make_plan
from examples.demo.summary import Report, print_summary
from examples.echoserver import treat_sigterm_as_ctrl_c

PLAIN_WIDTH = 110
"""Columns of the tables where no terminal tells how many it has."""

TIME_LIMIT = 120.0
"""Seconds after which a step that does not end counts as a failure."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything there is."""

    clients: int
    pages: int
    feeds: int
    posters: int


FULL = Sizes(clients=10_000, pages=300, feeds=40, posters=6)
QUICK = Sizes(clients=500, pages=110, feeds=30, posters=3)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps; return 0 when nothing failed but what was planned to."""
    options = build_parser().parse_args(argv)
    sizes = QUICK if options.quick else FULL
    sizes = Sizes(
        **{
            name: usual if (asked := getattr(options, name)) is None else asked
            for name, usual in asdict(sizes).items()
        }
    )
    treat_sigterm_as_ctrl_c()
    console = make_console()
    started = time.monotonic()
    reports: list[Report] = []
    try:
        with eventlet.Timeout(TIME_LIMIT):
            run(console, options.seed, sizes, reports)
    except KeyboardInterrupt:
        console.print("interrupted; every process of the demo has been stopped")
        return 130
    except ChildFailed as exc:
        reports.append(Report(exc.name, "did not work", unexpected=[str(exc)]))
    except eventlet.Timeout:
        reports.append(Report("time limit", unexpected=[f"not done after {TIME_LIMIT:g} s"]))
    console.print()
    surprises = print_summary(console, reports)
    took = time.monotonic() - started
    verdict = f"{surprises} unexpected failures" if surprises else "nothing failed unexpectedly"
    console.print(f"{verdict}; {took:.1f} s in all", style="bold", highlight=False)
    return 1 if surprises else 0


def run(console: Console, seed: int, sizes: Sizes, reports: list[Report]) -> None:
    """Start the site, visit it in all three ways, stop it; add a report for each way."""
    plan = make_plan(seed, sizes.pages, sizes.feeds)
    with tempfile.TemporaryDirectory(prefix="eventlet-demo-") as folder:
        certificates = make_certificates(Path(folder))
        authority = certificates.authority
        arguments = [
            f"--seed={seed}",
            f"--pages={sizes.pages}",
            f"--feeds={sizes.feeds}",
            f"--certificate={certificates.server}",
            f"--stranger-certificate={certificates.stranger}",
        ]
        with Child("site", "examples.demo.site", *arguments) as site:
            announced = json.loads(site.address)
            ports: Ports = {Door[name]: port for name, port in announced.items()}
            announce(console, "1. Client: crawl a site whose pages are slow, broken or fine")
            reports.append(crawl(console, site, ports, plan.pages, authority))
            announce(console, "2. Server: hold many conversations, each by plain blocking code")
            reports.append(hold_conversations(console, sizes.clients))
            announce(console, "3. Dispatch: post feed lists from several clients, get the titles")
            reports.append(
                scrape(console, ports, plan.feeds, authority, clients=sizes.posters, seed=seed)
            )
            site.check()


def announce(console: Console, title: str) -> None:
    """Print what comes next."""
    console.print(f"\n{title}", style="bold", highlight=False)


def make_console() -> Console:
    """Return where the demo writes: rich on a terminal, plain lines of fixed width elsewhere."""
    # A title may hold letters that the terminal's encoding has not.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo",
        description="Show the three patterns of green threads on real input.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer of everything, for CI")
    for name, meaning in (
        ("clients", "echo clients at once"),
        ("pages", "pages to crawl"),
        ("feeds", "feeds to post"),
        ("posters", "clients that post the feeds at once"),
    ):
        usual = getattr(FULL, name)
        parser.add_argument(f"--{name}", type=positive, help=f"{meaning} (default: {usual})")
    parser.add_argument(
        "--seed", type=int, default=1, help="what the site is made from (default: %(default)s)"
    )
    return parser


def positive(text: str) -> int:
    """Read a number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
