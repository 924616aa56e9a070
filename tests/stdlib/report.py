"""Write down what a run found, and make the page of the documentation from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.stdlib.expected import load
from tests.stdlib.outcome import Difference, ModuleOutcome, compare

__all__ = ["PAGE", "RESULTS", "counts", "page", "percentage", "write_results"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")
PAGE = ROOT / "docs" / "standard-library-tests.md"

HEAD = """\
# The standard library's own tests, under `monkey_patch`

Every module below is run twice in fresh interpreters: untouched, and after
`eventlet.monkey_patch()`. What passes untouched counts as 100 %. A test that hangs, crashes or
is skipped under the patch counts as lost. What still differs is listed with a reason each
in `tests/stdlib/expected.toml`; a run fails over any other difference, and over a listed test
that passes again.

    make test-stdlib PY=3.13

This page is made from `tests/stdlib/results/` by that command.
"""


def percentage(passed: int, control: int) -> str:
    """Return a share in percent, rounded down so that 100.00 means all."""
    return f"{passed * 10000 // control / 100:.2f} %" if control else "-"


def counts(
    control: Mapping[str, ModuleOutcome], patched: Mapping[str, ModuleOutcome]
) -> tuple[dict[str, tuple[int, int]], list[Difference]]:
    """Return (passed under the patch, passed by the control) by module, and every difference."""
    table: dict[str, tuple[int, int]] = {}
    differences: list[Difference] = []
    for name, outcome in patched.items():
        total, found = compare(name, control[name], outcome)
        lost = {entry.test for entry in found}.intersection(control[name].tests)
        table[name] = (total - len(lost), total)
        differences += found
    return table, differences


def write_results(
    file: Path,
    python: str,
    commit: str,
    table: Mapping[str, tuple[int, int]],
    differences: Sequence[Difference],
) -> None:
    """Write the figures of one version of Python."""
    data = {
        "python": python,
        "commit": commit,
        "modules": {name: list(pair) for name, pair in sorted(table.items())},
        "differences": {entry.test: entry.status for entry in differences},
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def page(results: Path = RESULTS) -> str:
    """Return the page made from all results there are."""
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(results.glob("*.json"))]
    runs.sort(key=lambda run: [int(part) for part in run["python"].split(".")])
    lines = [HEAD, _row(["", *(f"Python {run['python']}" for run in runs)])]
    lines.append(_row(["---", *("---:" for _ in runs)]))
    lines.append(_row(["**all**", *(f"**{_total(run)}**" for run in runs)]))
    lines += [
        _row([f"`{module}`", *(_cell(run["modules"].get(module)) for run in runs)])
        for module in sorted({name for run in runs for name in run["modules"]})
    ]
    lines.append("")
    for run in runs:
        lines += _differences_of(run)
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(pair: Sequence[int] | None) -> str:
    return "not there" if pair is None else f"{pair[0]} of {pair[1]}"


def _total(run: Mapping[str, Any]) -> str:
    passed = sum(pair[0] for pair in run["modules"].values())
    control = sum(pair[1] for pair in run["modules"].values())
    return f"{passed} of {control}: {percentage(passed, control)}"


def _differences_of(run: Mapping[str, Any]) -> list[str]:
    version = run["python"].rpartition(".")[0]
    reasons = {test: entry.reason for entry in load(version) for test in entry.tests}
    lines = [f"## What differs on {run['python']}", "", f"Taken at commit `{run['commit']}`.", ""]
    for test, status in sorted(run["differences"].items()):
        lines.append(f"- `{test}` ({status}): {reasons.get(test, 'not explained yet')}")
    if not run["differences"]:
        lines.append("Nothing.")
    return [*lines, ""]
