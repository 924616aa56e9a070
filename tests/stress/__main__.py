"""`python -m tests.stress`: a stress run of some seconds; status 0 when the books are right."""

from __future__ import annotations

import argparse
import random
import sys

from tests.stress.run import Result, Run

SWITCH_INTERVAL = 0.0002  # seconds; OS threads take turns more often than they usually do


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier run")
    parser.add_argument("--os-threads", type=int, default=8)
    parser.add_argument("--green-threads", type=int, default=100, help="in each OS thread")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    sys.setswitchinterval(SWITCH_INTERVAL)
    result = Run(seed, options.seconds, options.os_threads, options.green_threads).run()
    show(result)
    return 1 if result.faults else 0


def show(result: Result) -> None:
    for name, number in sorted(result.totals.items()):
        print(f"{number:>10} {name}")
    for fault in result.faults:
        print(f"FAULT: {fault}")
    print("nothing lost, nothing doubled" if not result.faults else "failed")


if __name__ == "__main__":
    sys.exit(main())
