"""Judge what the suite found, and write it down."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.isolated_runner import ROOT

__all__ = [
    "CASES",
    "RESULTS",
    "Run",
    "describe_commit",
    "judge",
    "read_index",
    "write_results",
]

RESULTS = Path(__file__).with_name("results.md")

CASES = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37,
         "9": 54, "10": 1, "12": 90, "13": 126}  # fmt: skip
"""How many cases each group has."""

TITLES = {
    "1": "messages of every length",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "limits and large messages",
    "10": "auto-fragmentation",
    "12": "compression of different payloads",
    "13": "compression with different parameters",
}

GOOD = {"OK", "INFORMATIONAL"}

NON_STRICT: dict[str, str] = {}
"""Cases in which we are not as strict as could be, and why that is right."""


@dataclass
class Run:
    """One side of ours against all cases.

    Attributes:
        side: "server" or "client".
        cases: what the suite found, by case.
        seconds: that it took.
    """

    side: str
    cases: dict[str, dict[str, Any]]
    seconds: float = 0.0


def read_index(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the cases of the only agent of a report; none when the suite wrote nothing."""
    path = folder / "index.json"
    if not path.exists():
        return {}
    (cases,) = json.loads(path.read_text()).values()
    found: dict[str, dict[str, Any]] = cases
    return found


def judge(run: Run, groups: Iterable[str]) -> Iterator[str]:
    """Say what is wrong, a line for each case or group."""
    for name in sorted(run.cases, key=_order):
        case = run.cases[name]
        behavior, close = case["behavior"], case["behaviorClose"]
        is_strict_enough = behavior == "NON-STRICT" and name in NON_STRICT
        if behavior not in GOOD and not is_strict_enough:
            yield f"{run.side} {name}: {behavior}"
        if close not in GOOD:
            yield f"{run.side} {name}: closes {close}, with code {case.get('remoteCloseCode')}"
    for group in groups:
        count = len(_of_group(run, group))
        if count != CASES[group]:
            yield f"{run.side} {group}.*: {count} of {CASES[group]} cases were run"


def write_results(runs: Sequence[Run], problems: Sequence[str], commit: str) -> None:
    """Write the table that is committed; `commit` is that at which the run began."""
    head = " | ".join(f"{run.side}, right close code" for run in runs)
    rows = []
    for group, title in TITLES.items():
        cells = " | ".join(_cell(run, group) for run in runs)
        rows.append(f"| {group} | {title} | {CASES[group]} | {cells} |")
    rows.append(f"| | all | {sum(CASES.values())} | {' | '.join(map(_sum, runs))} |")
    listed = "\n".join(f"- {problem}" for problem in problems) or "None."
    informational = {
        f"{name} ({run.side})"
        for run in runs
        for name, case in run.cases.items()
        if case["behavior"] == "INFORMATIONAL"
    }
    seconds = ", ".join(f"{run.side} {run.seconds:.0f} s" for run in runs)
    table = "\n".join(rows)
    RESULTS.write_text(f"""\
# Results of the Autobahn test suite

Written by `make test-autobahn`, at commit {commit}, on CPython {platform.python_version()} with
wsproto {metadata.version("wsproto")}; {seconds}.

Each cell has the cases in which our side did what it should, and those in which the connection
also ended as it should, with the right close code. Cases without a verdict count as right; these
are {", ".join(sorted(informational)) or "none"}.

| group | what | cases | {head} |
|---|---|--:|{"--:|" * len(runs)}
{table}

## Problems

{listed}
""")


def _of_group(run: Run, group: str) -> list[dict[str, Any]]:
    return [case for name, case in run.cases.items() if name.startswith(f"{group}.")]


def _cell(run: Run, group: str) -> str:
    return _count(_of_group(run, group))


def _sum(run: Run) -> str:
    return _count(list(run.cases.values()))


def _count(cases: list[dict[str, Any]]) -> str:
    right = sum(case["behavior"] in GOOD for case in cases)
    closed = sum(case["behaviorClose"] in GOOD for case in cases)
    return f"{right}, {closed}"


def _order(name: str) -> list[int]:
    return [int(part) for part in name.split(".")]


def describe_commit() -> str:
    """Name the commit of the tree, and say if it was changed."""
    head = _git("rev-parse", "--short=9", "HEAD") or "unknown"
    changes = _git("status", "--porcelain", "--", "src", "tests/autobahn/*.py")
    return f"{head} and changes on top of it" if changes else head


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
