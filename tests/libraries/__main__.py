"""`python -m tests.libraries [NAME ...]`: run the programs beside a ticker, write the results.

Each runs twice in interpreters of its own: with its library imported before patching, and
after. A program that fails, or during which no beat came for `LIMIT_MS`, makes the run fail.
The results say at which commit they were taken, so that `.ci/run` can tell their age.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.isolated_runner import ROOT
from tests.libraries.catalogue import PROGRAMS, Program
from tests.libraries.servers import SERVERS, Authority, Missing

RESULTS = Path(__file__).with_name("results.md")
ORDERS = ("before", "after")
GOAL_MS = 100.0
LIMIT_MS = 500.0
"""The goal is marked in the results; the limit is wide, for machines with other work to do."""
SECONDS = 120.0
FOREIGN_ENDS = ("_PROXY", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Ends of variables of the environment that would lead libraries to other servers."""


@dataclass
class Outcome:
    """How one program did in one order."""

    name: str
    order: str
    problem: str = ""
    gap_ms: float = 0.0
    said: str = ""

    @property
    def cell(self) -> str:
        if self.problem:
            return "FAILED"
        return f"{self.gap_ms:.0f}" if self.gap_ms <= GOAL_MS else f"**{self.gap_ms:.0f}**"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.libraries", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--plain", action="store_true", help="run them unpatched too")
    parser.add_argument("--results", type=Path, help="where to write; by default all go to "
                        f"{RESULTS.name}, and some go nowhere")  # fmt: skip
    options = parser.parse_args()
    names = options.names or list(PROGRAMS)
    unknown = sorted(set(names) - set(PROGRAMS))
    if unknown:
        parser.error(f"no such program: {', '.join(unknown)}")
    orders = (*ORDERS, "plain") if options.plain else ORDERS
    outcomes: list[Outcome] = []
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as directory, ExitStack() as running:
        authority = Authority(Path(directory))
        site: dict[str, Any] = {}
        for name in names:
            reason = _missing(PROGRAMS[name]) or _start(PROGRAMS[name], site, running, authority)
            if reason:
                skipped[name] = reason
                print(f"skipped {name}: {reason}", flush=True)
                continue
            for order in orders:
                outcomes.append(run_program(name, order, site))
                _show(outcomes[-1])
    results = options.results or (RESULTS if not options.names else None)
    if results is not None:
        results.write_text(_report(outcomes, skipped))
        print(f"written: {results}")
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not outcomes else 0


def _missing(program: Program) -> str:
    if program.path:
        path = Path(sys.prefix) / program.path
        return "" if path.is_dir() else f"no {path}; `make test-libraries` makes it"
    try:
        metadata.version(program.distribution)
    except metadata.PackageNotFoundError:
        return f"{program.distribution} is not installed"
    return ""


def _start(program: Program, site: dict[str, Any], running: ExitStack, authority: Authority) -> str:
    """Start the servers of a program that do not run yet; return why one cannot be."""
    for server in program.servers:
        if server not in site:
            try:
                site[server] = running.enter_context(SERVERS[server](authority))
            except Missing as exc:
                return str(exc)
    return ""


def run_program(name: str, order: str, site: dict[str, Any]) -> Outcome:
    program = PROGRAMS[name]
    path = [str(ROOT / "src"), str(ROOT)]
    if program.path:
        path.insert(0, str(Path(sys.prefix) / program.path))
    command = [
        *(sys.executable, "-X", "faulthandler", "-m", "tests.libraries.program", name, order),
        *(json.dumps({each: site[each] for each in program.servers}), json.dumps(program.switches)),
    ]
    environment = {
        key: value for key, value in os.environ.items() if not key.upper().endswith(FOREIGN_ENDS)
    }
    environment["PYTHONPATH"] = os.pathsep.join(path)
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as exc:
        return Outcome(name, order, f"not finished after {SECONDS:g} s\n{exc.stderr!r}")
    if done.returncode:
        return Outcome(name, order, f"exit status {done.returncode}\n{done.stdout}{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    outcome = Outcome(name, order, gap_ms=found.get("gap_ms", 0.0), said=found["said"])
    if outcome.gap_ms > LIMIT_MS:
        outcome.problem = f"no beat for {outcome.gap_ms:.0f} ms"
    return outcome


def _show(outcome: Outcome) -> None:
    what = f"FAILED: {outcome.problem}" if outcome.problem else f"{outcome.gap_ms:.0f} ms"
    print(f"{outcome.name} {outcome.order}: {what}", flush=True)


def _report(outcomes: list[Outcome], skipped: dict[str, str]) -> str:
    rows = []
    for name in dict.fromkeys(outcome.name for outcome in outcomes):
        both = {each.order: each for each in outcomes if each.name == name}
        cells = " | ".join(both[order].cell for order in ORDERS)
        said = next((each.said for each in both.values() if each.said), "")
        rows.append(f"| {_title(PROGRAMS[name])} | {cells} | {said} |")
    for name, reason in skipped.items():
        rows.append(f"| {PROGRAMS[name].distribution} | skipped | skipped | {reason} |")
    table = "\n".join(rows)
    return f"""\
# Results of the programs with libraries

Written by `make test-libraries`, at commit {_commit()}, on CPython {platform.python_version()}.

The figures are the longest time, in milliseconds, for which a green thread that ticks every
5 ms was kept from running while the program worked, with its library imported before and after
patching. Above {GOAL_MS:.0f} they are bold; above {LIMIT_MS:.0f} the run fails.

| library | before | after | what the program does |
|---|--:|--:|---|
{table}
"""


def _title(program: Program) -> str:
    if not program.path:
        return f"{program.distribution} {metadata.version(program.distribution)}"
    path = [str(Path(sys.prefix) / program.path)]
    version = next(iter(metadata.distributions(name=program.distribution, path=path))).version
    return f"{program.distribution} {version}"


def _commit() -> str:
    head = _git("rev-parse", "--short=9", "HEAD") or "unknown"
    changes = _git("status", "--porcelain", "--", "src", "tests/libraries", f":!{RESULTS}")
    return f"{head} and changes on top of it" if changes else head


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
