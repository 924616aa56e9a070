"""The demo's web site: pages and feeds with the delays and faults of the plan.

It runs in a process of its own (`python -m examples.demo.site`), serves four doors from one
hub, and counts how many feed requests it ever had in hand at once: that is how the demo knows
whether the feed scraper kept its limit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import eventlet
from eventlet import wsgi

from examples.demo.faults import misbehave
from examples.demo.plan import Door, Feed, Outcome, Page, Plan, Ports, make_plan
from examples.echoserver import raise_descriptor_limit

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

STATS_PATH = "/stats"


class Site:
    """The WSGI application behind the well-behaved doors."""

    def __init__(self, plan: Plan) -> None:
        self.documents = plan.by_path()
        self.pages_served = 0
        self.feeds_served = 0
        self.feeds_in_hand = 0
        self.most_feeds_in_hand = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, after the delay the plan gives it."""
        path = environ["PATH_INFO"]
        if path == STATS_PATH:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self.stats()).encode()]
        document = self.documents.get(path)
        if document is None:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"no such page\n"]
        if isinstance(document, Feed):
            content_type = document.content_type
            self.think_about_feed(document)
        else:
            content_type = "text/plain; charset=utf-8"
            eventlet.sleep(document.latency)
            self.pages_served += 1
        if document.outcome is Outcome.SERVER_ERROR:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"this page is broken on purpose\n"]
        start_response("200 OK", [("Content-Type", content_type)])
        return [document.body()]

    def think_about_feed(self, feed: Page) -> None:
        """Wait as long as the feed takes, and count how many are waiting with it."""
        self.feeds_in_hand += 1
        self.most_feeds_in_hand = max(self.most_feeds_in_hand, self.feeds_in_hand)
        try:
            eventlet.sleep(feed.latency)
        finally:
            self.feeds_in_hand -= 1
            self.feeds_served += 1

    def stats(self) -> dict[str, int]:
        """Return what was counted."""
        return {
            "pages_served": self.pages_served,
            "feeds_served": self.feeds_served,
            "most_feeds_in_hand": self.most_feeds_in_hand,
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Open the doors, print their ports, and serve until it is stopped."""
    options = build_parser().parse_args(argv)
    raise_descriptor_limit()
    site = Site(make_plan(options.seed, options.pages, options.feeds))
    doors = {door: eventlet.listen(("127.0.0.1", 0), backlog=1024) for door in Door}
    ports: Ports = {door: listener.getsockname()[1] for door, listener in doors.items()}
    for door, certificate in (
        (Door.HTTPS, options.certificate),
        (Door.STRANGER, options.stranger_certificate),
    ):
        doors[door] = eventlet.wrap_ssl(doors[door], certfile=certificate, server_side=True)
    for door in (Door.HTTPS, Door.STRANGER):
        eventlet.spawn(wsgi.server, doors[door], site, log_output=False)
    eventlet.spawn(eventlet.serve, doors[Door.FAULTY], misbehave)
    listening = {door.name: port for door, port in ports.items()}
    print(f"listening on {json.dumps(listening)}", flush=True)
    wsgi.server(doors[Door.HTTP], site, log_output=False)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description="The demo's web site.")
    parser.add_argument("--seed", type=int, required=True, help="what the plan is made from")
    parser.add_argument("--pages", type=int, required=True, help="how many pages there are")
    parser.add_argument("--feeds", type=int, required=True, help="how many feeds there are")
    parser.add_argument("--certificate", required=True, help="chain and key, PEM")
    parser.add_argument("--stranger-certificate", required=True, help="one nobody trusts")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
