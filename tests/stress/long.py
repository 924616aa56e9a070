"""`python -m tests.stress.long`: the long runs together, and the file with their results.

Three parts: the stress run; every property test with ten times as many games; and signals
every 100 microseconds for 10 seconds, over everything that a hub does. The results say at
which commit they were taken, so that `.ci/run` can tell their age.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.isolated_runner import ROOT

RESULTS = Path(__file__).with_name("results.md")
DEPTH = 10
STORM = "test_trap4_signals_every_100_microseconds_lose_nothing"


@dataclass
class Part:
    """One of the runs."""

    title: str
    command: list[str]
    output: str = ""
    status: int = -1

    def run(self) -> None:
        """Make the run, show what it says, and keep it."""
        print(f"==> {self.title}\n    {' '.join(self.command[1:])}", flush=True)
        path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        env = os.environ | {"PROPERTY_DEPTH": str(DEPTH), "PYTHONPATH": path}
        process = subprocess.Popen(
            self.command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            self.output += line
        self.status = process.wait()

    def outcome(self) -> str:
        """Return the closing line, without what depends on the machine."""
        lines = self.output.strip().splitlines() or ["no output"]
        return re.sub(r" in [\d.:()s ]+$", "", lines[-1].strip("= "))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.long", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of the stress run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    python = [sys.executable, "-X", "faulthandler", "-W", "error"]
    stress = Part(
        f"8 OS threads with 100 green threads each, {options.seconds:g} s",
        [*python, "-m", "tests.stress", "--seconds", str(options.seconds)],
    )
    games = Part(
        f"property tests, {DEPTH} times as many games",
        [sys.executable, "-m", "pytest", "-q", *property_tests()],
    )
    storm = Part(
        "signals every 100 microseconds, 10 s",
        [sys.executable, "-m", "pytest", "-q", "tests/unit/core/test_signals.py", "-k", STORM],
    )
    for part in (stress, games, storm):
        part.run()
    options.results.write_text(report(stress, games, storm))
    print(f"written: {options.results}")
    return max(abs(part.status) for part in (stress, games, storm))


def property_tests() -> list[str]:
    """Return the files whose tests ask for a number of games."""
    files = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in files if "@games(" in file.read_text()]


def report(stress: Part, games: Part, storm: Part) -> str:
    """Write down the outcome of all parts."""
    counts = re.findall(r"^ *(\d+) (\w.*)$", stress.output, re.MULTILINE)
    rows = "\n".join(f"| {name} | {int(number):,} |" for number, name in counts)
    parts = "\n".join(
        f"| {part.title} | {'ok' if part.status == 0 else 'FAILED'} | {part.outcome()} |"
        for part in (stress, games, storm)
    )
    seed = re.search(r"^seed (\d+)$", stress.output, re.MULTILINE)
    return f"""\
# Results of the long runs

Written by `make stress`, at commit {commit()}, on CPython {platform.python_version()}.

| run | | outcome |
|---|---|---|
{parts}

What the stress run did, with seed {seed[1] if seed else "unknown"}. Every item, permit, place
and turn was counted.

| | |
|---|--:|
{rows}
"""


def commit() -> str:
    """Return the commit that is checked out, and whether the sources differ from it."""
    head = _git("rev-parse", "--short=9", "HEAD") or "unknown"
    changes = _git("status", "--porcelain", "--", "src", "tests", f":!{RESULTS}")
    return f"{head} and changes on top of it" if changes else head


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
