"""What the demo's site offers and how each part of it behaves.

The site and its visitors are different processes. Both make the same plan from the same seed,
so the visitors know what to expect of every address.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a fetch ends; each value says why that was to be expected."""

    FINE = "the whole document"
    SERVER_ERROR = "the site answers these with status 500"
    RESET = "the site resets these connections"
    SILENT = "the site never answers these; our timeout cut them"
    TRUNCATED = "the site breaks off in the middle of these"
    NOT_HTTP = "the site answers these with bytes that are not HTTP"
    UNTRUSTED = "signed by an authority we do not trust; refusing is right"


class Door(Enum):
    """The listening sockets of the site."""

    HTTP = "http"
    HTTPS = "https"
    FAULTY = "http (misbehaving on purpose)"
    STRANGER = "https (certificate of an unknown authority)"


Ports = dict[Door, int]


@dataclass(frozen=True)
class Page:
    """One document of the site."""

    path: str
    door: Door
    latency: float
    size_bytes: int
    outcome: Outcome = Outcome.FINE

    def url(self, ports: Ports) -> str:
        """Return the address, with a name in it that has to be resolved."""
        scheme = "https" if self.door in {Door.HTTPS, Door.STRANGER} else "http"
        return f"{scheme}://localhost:{ports[self.door]}{self.path}"

    def body(self) -> bytes:
        """Return the document, `size_bytes` long and different for each path."""
        line = f"This is {self.path}, a page of the demo's site.\n".encode()
        return (line * (self.size_bytes // len(line) + 1))[: self.size_bytes]


@dataclass(frozen=True)
class Feed(Page):
    """One feed of the site."""

    title: str = ""
    is_atom: bool = False
    encoding: str = "utf-8"

    def body(self) -> bytes:
        """Return the feed as RSS 2.0 or Atom, in its encoding."""
        template = ATOM if self.is_atom else RSS
        text = template.format(encoding=self.encoding, title=self.title, path=self.path)
        return text.encode(self.encoding)

    @property
    def content_type(self) -> str:
        kind = "atom" if self.is_atom else "rss"
        return f"application/{kind}+xml; charset={self.encoding}"


@dataclass(frozen=True)
class Plan:
    """Everything the site offers."""

    pages: list[Page]
    feeds: list[Feed]

    def by_path(self) -> dict[str, Page]:
        """Return pages and feeds by their path, which is unique."""
        documents: Iterable[Page] = [*self.pages, *self.feeds]
        return {page.path: page for page in documents}


RSS = """<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0"><channel>
<title>{title}</title><link>http://localhost{path}</link><description>A feed</description>
<item><title>First of {path}</title><link>http://localhost{path}/1</link></item>
<item><title>Second of {path}</title><link>http://localhost{path}/2</link></item>
</channel></rss>
"""

ATOM = """<?xml version="1.0" encoding="{encoding}"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title>{title}</title><id>http://localhost{path}</id><updated>2024-02-29T12:00:00Z</updated>
<entry><title>First of {path}</title><id>http://localhost{path}/1</id>
<updated>2024-02-29T12:00:00Z</updated></entry>
</feed>
"""

FAULTS = [
    (Outcome.SERVER_ERROR, Door.HTTP),
    (Outcome.RESET, Door.FAULTY),
    (Outcome.SILENT, Door.FAULTY),
    (Outcome.TRUNCATED, Door.FAULTY),
    (Outcome.NOT_HTTP, Door.FAULTY),
    (Outcome.UNTRUSTED, Door.STRANGER),
]
FEED_FAULTS = [
    (Outcome.SERVER_ERROR, Door.HTTP),
    (Outcome.RESET, Door.FAULTY),
    (Outcome.SILENT, Door.FAULTY),
    (Outcome.UNTRUSTED, Door.STRANGER),
]
PAGES_TO_A_FAULT = 18
FEEDS_TO_A_FAULT = 7

TYPICAL_LATENCY = 0.12
SLOW_ONE_IN = 25
TLS_ONE_IN = 3

TITLES = [
    "The café at the corner",
    "Kernel notes",
    "Die Möwe am Hafen",
    "Weather of the week",
    "読書の記録",
    "Long walks & short trains",
    "Ελληνικά νέα",
    "Cooking for one",
]


def make_plan(seed: int, pages: int, feeds: int) -> Plan:
    """Lay out a site of that many pages and feeds; the same seed gives the same site."""
    rng = random.Random(seed)
    return Plan(
        [_page(rng, number) for number in range(pages)],
        [_feed(rng, number) for number in range(feeds)],
    )


def _page(rng: random.Random, number: int) -> Page:
    outcome, door = _behaviour(rng, number, FAULTS, PAGES_TO_A_FAULT)
    return Page(
        path=f"/{outcome.name.lower()}/page/{number}",
        door=door,
        latency=_latency(rng),
        size_bytes=int(rng.lognormvariate(math.log(12_000), 0.8)),
        outcome=outcome,
    )


def _feed(rng: random.Random, number: int) -> Feed:
    outcome, door = _behaviour(rng, number, FEED_FAULTS, FEEDS_TO_A_FAULT)
    title = TITLES[number % len(TITLES)]
    is_western = all(ord(letter) < 256 for letter in title)
    return Feed(
        path=f"/{outcome.name.lower()}/feed/{number}",
        door=door,
        latency=_latency(rng),
        size_bytes=0,
        outcome=outcome,
        title=f"{title.replace('&', '&amp;')} ({number})",
        is_atom=rng.random() < 0.5,
        encoding="iso-8859-1" if is_western and rng.random() < 0.5 else "utf-8",
    )


def _behaviour(
    rng: random.Random, number: int, faults: list[tuple[Outcome, Door]], one_in: int
) -> tuple[Outcome, Door]:
    """Choose how a document behaves: one in so many has a fault, all kinds in turn."""
    turn, position = divmod(number, one_in)
    if position == one_in // 2:
        return faults[turn % len(faults)]
    return Outcome.FINE, Door.HTTPS if rng.randrange(TLS_ONE_IN) == 0 else Door.HTTP


def _latency(rng: random.Random) -> float:
    """Draw how long the site thinks before it answers: mostly short, now and then long."""
    if rng.randrange(SLOW_ONE_IN) == 0:
        return rng.uniform(1.0, 1.5)
    return min(0.6, rng.lognormvariate(math.log(TYPICAL_LATENCY), 0.5))
