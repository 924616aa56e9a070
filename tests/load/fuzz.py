"""Noise on the port: no crash, no leak, nothing that hangs, and one reading of every request."""

from __future__ import annotations

import random
import re
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from eventlet._unpatched import monotonic
from eventlet.greenio import GreenSocket
from eventlet.greenpool import GreenPool
from eventlet.timeout import Timeout

from tests.load.mutations import KINDS
from tests.load.report import Part
from tests.load.running import PATIENCE, Running
from tests.unit.server.http1_messages import NEXT
from tests.unit.server.http1_telling import REFUSALS, fault
from tests.unit.server.site import read_to_end, reset

AT_ONCE = 50
BATCH = 1000
SMALL_BATCH = 100
# How a client ends: it has nothing more to say, or closes, or resets, or stays.
ENDINGS = ["half-close"] * 80 + ["close"] * 10 + ["reset"] * 9 + ["stay"]
LIMITS = ("idle_timeout", "head_timeout", "body_timeout", "write_timeout")
DEADLINE = 2.0  # seconds; shorter in short runs
STATUSES = REFUSALS | {100, 200, 408}
SHOWN = 20  # faults of a run
GROWTH_KIB = 8192
GROWTH_OBJECTS = 2000


def run(kind: str, seconds: float, seed: int) -> Part:
    """Send what a maker makes until the time is over."""
    part = Part(f"{kind} fuzzer, {seconds:g} s")
    print(f"==> {part.title}", flush=True)
    part.tell("seed", seed)
    chance = random.Random(f"{kind} {seed}")
    make = KINDS[kind]()
    counts: Counter[str] = Counter()
    batch = BATCH if seconds >= 1.0 else SMALL_BATCH
    pool = GreenPool(AT_ONCE)
    warm: dict[str, Any] | None = None
    deadline = min(DEADLINE, 0.7 + seconds)
    with Running(part, dict.fromkeys(LIMITS, deadline)) as server:
        began = monotonic()
        while monotonic() - began < seconds and len(part.faults) < SHOWN:
            cases = [(make(chance), chance.choice(ENDINGS), chance.random()) for _ in range(batch)]
            cases.sort(key=lambda case: case[1] != "stay")  # these wait for a deadline
            for ending, wrong in pool.imap(lambda case: send(server.connect, *case), cases):
                counts[ending] += 1
                if wrong is not None and len(part.faults) < SHOWN:
                    part.check(False, wrong)
            if not server.is_alive:
                part.check(False, f"the server has ended: {server.said()[-2000:]}")
                return part
            server.ask_once()
            if warm is None and monotonic() - began > seconds / 4:
                warm = server.settle()
        last = server.settle()
        warm = warm or last
        part.tell("connections", f"{sum(counts.values()):,} in batches of {batch}")
        part.tell("of these", ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())))
        part.tell("lines in the server's log", f"{last['lines']:,}")
        for name in ("descriptors", "green threads"):
            before = server.first[name]
            part.tell(f"{name}, before and after", f"{before} and {last[name]}")
            part.check(last[name] == before, f"{name}: {before} before, {last[name]} after")
        for name, unit, allowed in (
            ("memory", " KiB", GROWTH_KIB),
            ("objects", "", GROWTH_OBJECTS),
        ):
            growth = last[name] - warm[name]
            part.tell(f"growth of {name} after the first quarter", f"{growth:,}{unit}")
            part.check(growth <= allowed, f"{name} grew by {growth}{unit}")
        server.stop()
    return part


def send(
    connect: Callable[[], GreenSocket], data: bytes, ending: str, cut: float
) -> tuple[str, str | None]:
    """Send in two pieces and end; return the ending, and what is wrong with the answers."""
    shown = f"{ending}, {data!r}"
    try:
        with Timeout(PATIENCE), connect() as sock:
            at = int(cut * len(data))
            raw = b""
            try:
                sock.sendall(data[:at])
                sock.sendall(data[at:])
                if ending == "half-close":
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before the end
            if ending == "reset":
                reset(sock)
            elif ending != "close":
                raw = read_to_end(sock)
    except Timeout:
        return ending, f"it hangs: {shown}"
    except OSError as exc:
        return ending, f"{exc!r}: {shown}"
    if ending == "half-close" and data.endswith(NEXT):  # else it may be refused, or unfinished
        wrong = fault(data, raw)
        return ending, None if wrong is None else f"{wrong}: {shown}"
    first = re.match(rb"HTTP/1\.[01] (\d{3}) ", raw)
    if raw and (first is None or int(first[1]) not in STATUSES):
        return ending, f"answered {raw[:200]!r}: {shown}"
    return ending, None
