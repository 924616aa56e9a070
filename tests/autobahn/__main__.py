"""`python -m tests.autobahn`: run the Autobahn test suite against our server and our client.

The suite needs Python 2.7: an environment is made for it in a folder, once. All traffic is on
127.0.0.1. A case fails by its `behavior`, or by its `behaviorClose`, which the suite's own summary
does not count; a case that was never run fails too. Whole runs write `results.md`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.autobahn.report import (
    CASES,
    RESULTS,
    Run,
    describe_commit,
    judge,
    read_index,
    write_results,
)
from tests.autobahn.suite import Suite, SuiteMissing, run_client_cases, run_server_cases

FOLDER = Path("/var/tmp/eventlet-autobahn")
SIDES = {"server": run_server_cases, "client": run_client_cases}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.autobahn", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the suite and its reports")
    parser.add_argument("--side", choices=SIDES, help="only this side of ours")
    parser.add_argument("--groups", nargs="+", choices=CASES, help="only these groups of cases")
    options = parser.parse_args()
    groups = options.groups or list(CASES)
    try:
        suite = Suite.make(options.folder)
    except SuiteMissing as exc:
        print(exc, file=sys.stderr)
        return 2
    commit = describe_commit()
    runs = []
    for side in [options.side] if options.side else SIDES:
        began = time.monotonic()
        index = SIDES[side](suite, groups)
        runs.append(Run(side, read_index(index), time.monotonic() - began))
    problems = [problem for run in runs for problem in judge(run, groups)]
    print(*problems, sep="\n")
    for run in runs:
        print(f"{run.side}: {len(run.cases)} cases in {run.seconds:.0f} s")
    if not options.side and not options.groups:
        write_results(runs, problems, commit)
        print(f"written: {RESULTS}")
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
