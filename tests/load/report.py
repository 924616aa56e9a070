"""What the parts of a run say, and the file with their results."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tests.isolated_runner import ROOT

__all__ = ["RESULTS", "Part", "describe_commit", "describe_machine", "percentile", "render"]

RESULTS = Path(__file__).with_name("results.md")
BUSY = 0.3  # processes that want a core, on average over a minute, before we begin


LONGEST = 500  # characters of a fault in the file


@dataclass
class Part:
    """One kind of load.

    Attributes:
        title: what was done.
        rows: pairs (what, figure).
        faults: what should not have been; empty when all is well.
    """

    title: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def tell(self, what: str, figure: object) -> None:
        """Show a figure and keep it."""
        self.rows.append((what, str(figure)))
        print(f"    {what}: {figure}", flush=True)

    def check(self, is_right: object, fault: str) -> None:
        """Show a fault and keep it, unless it is right."""
        if not is_right:
            self.faults.append(fault)
            print(f"    FAULT: {fault}", flush=True)


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that so many of the values, as a part of 1, do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def describe_commit() -> str:
    """Name the commit of the tree, and say if it was changed."""
    head = _git("rev-parse", "--short=9", "HEAD") or "unknown"
    changes = _git("status", "--porcelain", "--", "src", "tests/load/*.py")
    return f"{head} and changes on top of it" if changes else head


def describe_machine() -> str:
    """Say what it runs on, and whether others ran there too before it began."""
    load = os.getloadavg()[0]
    shared = "shared with other work" if load > BUSY else "with nothing else to do"
    return f"{os.cpu_count()} cores, {shared} (load average {load:.1f} before it began)"


def render(parts: Sequence[Part], commit: str, machine: str, command: str) -> str:
    """Write down what all parts say; `commit` and `machine` are those when the run began."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("greenlet", "httptools"))
    tables = "\n".join(_table(part) for part in parts)
    problems = "\n".join(
        f"- {part.title}: {fault[:LONGEST]}" for part in parts for fault in part.faults
    )
    return f"""\
# Results of the load runs

Written by `make load`, at commit {commit}, on CPython {platform.python_version()} with
{libraries}; {platform.system()} {platform.release()}, {machine}.
The command was `{command}`.

Server and clients are processes of their own on one machine, over 127.0.0.1. Times are measured,
not required: a run fails by an error, a wrong or missing answer, something left behind, or
something that hangs.

{tables}
## Problems

{problems or "None."}
"""


def _table(part: Part) -> str:
    rows = "\n".join(f"| {what} | {figure} |" for what, figure in part.rows)
    return f"## {part.title}\n\n| | |\n|---|--:|\n{rows}\n"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
