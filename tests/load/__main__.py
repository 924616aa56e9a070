"""`python -m tests.load`: servers in processes of their own, under load and in trouble.

Status 0 when nothing was lost, wrong, left behind or stuck. Times are told, not judged. Whole runs
write `results.md`.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.load import fuzz, keepalive, restart, slow
from tests.load.descriptors import raise_limit
from tests.load.mutations import KINDS
from tests.load.report import RESULTS, Part, describe_commit, describe_machine, render

SMALL = (
    *("--connections=200", "--slow=60", "--readers=6", "--good=10", "--good-seconds=0.3"),
    *("--seconds=0.3", "--restarts=1", "--pause=0.3"),
)
LIMIT = 1200.0  # seconds for all


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    add = parser.add_argument
    add("--connections", type=int, default=10_000, help="kept ones, to one process")
    add("--slow", type=int, default=2000, help="slow sockets")
    add("--readers", type=int, default=200, help="those of the slow ones that read slowly")
    add("--good", type=int, default=200, help="good clients beside the slow ones")
    add("--good-seconds", type=float, default=10.0, help="for these")
    add("--seconds", type=float, default=30.0, help="for each fuzzer")
    add("--seed", type=int, help="repeat what the fuzzers sent in an earlier run")
    add("--restarts", type=int, default=10, help="reloads by SIGHUP")
    add("--pause", type=float, default=1.0, help="seconds between them")
    add("--only", nargs="+", choices=["keepalive", "slow", "restart", *KINDS])
    add("--small", action="store_true", help="a few seconds and small numbers")
    add("--results", type=Path, help="write them here")
    options = parser.parse_args(arguments)
    if options.small:
        options = parser.parse_args([*SMALL, *arguments])
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    raise_limit()
    commit, machine = describe_commit(), describe_machine()
    parts: dict[str, Callable[[], Part]] = {
        "keepalive": lambda: keepalive.run(options.connections),
        "slow": lambda: slow.run(options.slow, options.readers, options.good, options.good_seconds),
        **{kind: partial(fuzz.run, kind, options.seconds, seed) for kind in KINDS},
        "restart": lambda: restart.run(options.restarts, options.pause),
    }
    done = [whole(name, parts[name]) for name in options.only or parts]
    faulthandler.cancel_dump_traceback_later()
    results = options.results
    if results is None and not options.small and not options.only:
        results = RESULTS
    if results is not None:
        command = " ".join(["python -m tests.load", *arguments])
        results.write_text(render(done, commit, machine, command))
        print(f"written: {results}")
    faults = sum(len(part.faults) for part in done)
    print(f"{faults} faults")
    return 1 if faults else 0


def whole(name: str, run: Callable[[], Part]) -> Part:
    """Run a part; one that breaks off is a fault, and the others are run all the same."""
    try:
        return run()
    except Exception as exc:
        traceback.print_exc()
        part = Part(name)
        notes = getattr(exc, "__notes__", [])
        part.check(False, f"it broke off: {'; '.join([repr(exc), *notes])}")
        return part


if __name__ == "__main__":
    sys.exit(main())
