"""How many times the requests of one worker two serve: `python -m benchmarks.workers`.

One and two workers of `python -m eventlet serve` take turns under the same load, so that a
machine that slows down does so for both. The application renders 16 KiB of JSON for each
request, which leaves little of the two cores to the load generator; nothing is pinned. Beside it,
for what the machine itself gives: the same rendering in one and in two bare processes.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from benchmarks.http_load import HttpLoad, check_answers, find_wrk
from benchmarks.http_requests import EXCHANGES
from benchmarks.process import Program

CONNECTIONS: Final = 64
START_SECONDS: Final = 30.0
WARMUP_SECONDS: Final = 0.5
COMPUTE: Final = """
import json, sys, time
from benchmarks.programs.http_workers import DOCUMENT
seconds = float(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
end, done = time.monotonic() + seconds, 0
while time.monotonic() < end:
    json.dumps(DOCUMENT).encode()
    done += 1
print("done", done, flush=True)
"""


def served(workers: int, seconds: float) -> float:
    """Return the requests a second that so many workers answer."""
    name = f"serve --workers {workers}"
    command = [sys.executable, "-m", "benchmarks.programs.http_workers", str(workers)]
    with Program(name, command) as server:
        port = int(server.expect("port", START_SECONDS)[0])
        exchanges = EXCHANGES["json"]
        check_answers(name, port, exchanges)
        load = HttpLoad(find_wrk(), None, port, CONNECTIONS, exchanges)
        load.run(name, WARMUP_SECONDS)
        done, taken = load.run(name, seconds)
    return done / taken


def computed(processes: int, seconds: float) -> float:
    """Return the documents a second that so many bare processes render."""
    command = [sys.executable, "-c", COMPUTE, str(seconds)]
    with ExitStack() as running:
        programs = [running.enter_context(Program("bare", command)) for _ in range(processes)]
        for program in programs:
            program.expect("ready", START_SECONDS)
        for program in programs:
            program.tell("go")
        done = [int(program.expect("done", START_SECONDS + seconds)[0]) for program in programs]
    return sum(done) / seconds


MEASURED: Final[dict[str, Callable[[int, float], float]]] = {
    "python -m eventlet serve": served,
    "bare processes": computed,
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of each (7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (2)")
    options = parser.parse_args()
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURED}
    for _ in range(options.rounds):
        for name, measure in MEASURED.items():
            one, two = measure(1, options.seconds), measure(2, options.seconds)
            rates[name].append((one, two))
    print(f"{'':28} {'one':>8} {'two':>8}   times, median (extremes)")
    for name, pairs in rates.items():
        one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
        times = sorted(second / first for first, second in pairs)
        middle = statistics.median(times)
        extremes = f"{times[0]:.2f} to {times[-1]:.2f}"
        print(f"{name:28} {one:8.0f} {two:8.0f}   {middle:.2f} ({extremes})")


if __name__ == "__main__":
    main()
