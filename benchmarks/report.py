"""What a run says: the table for people, and the record for programs."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.ratios import Spread
from benchmarks.rounds import Outcomes
from benchmarks.summary import CaseSummary, Row, Verdict

__all__ = ["matrix", "record", "table", "verdict_lines"]

HEADINGS = ("peer", "cost", "min-max", "ops/s", "x us", "min-max", "x gevent", "min-max")
NOTHING = "-"


def table(summaries: Sequence[CaseSummary]) -> str:
    """Lay out every case as a table: cost of one operation, rate, ratios."""
    return "\n\n".join(_case_table(summary) for summary in summaries)


def matrix(note: str, summaries: Sequence[CaseSummary]) -> str:
    """Lay out the medians of all cases as one Markdown table, a column for each peer."""
    peers = list(dict.fromkeys(row.peer for summary in summaries for row in summary.rows))
    peers.sort(key=list(PEERS).index)
    lines = [
        f"Median cost of one operation: CPU microseconds, or KiB of memory. {note}",
        "",
        f"| case | {' | '.join(peers)} |",
        f"| --- |{' ---: |' * len(peers)}",
    ]
    for summary in summaries:
        costs = {row.peer: row.cost for row in summary.rows}
        cells = [f"{cost.median:.2f}" if (cost := costs.get(peer)) else "" for peer in peers]
        unit = ", KiB" if summary.case.unit == "KiB" else ""
        lines.append(f"| {summary.case.title}{unit} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Say of each target whether it is met."""
    lines = []
    for verdict in verdicts:
        target = verdict.target
        word = "met" if verdict.is_met else "missed"
        found = f"{verdict.found.median:.2f}" if verdict.found else "nothing"
        lines.append(
            f"{word}: {target.case} at most {target.limit:.2f} of {target.peer}, found {found}"
        )
    return lines


def record(
    about: Mapping[str, Any],
    summaries: Sequence[CaseSummary],
    verdicts: Sequence[Verdict],
    outcomes: Outcomes,
) -> str:
    """Return the whole run as JSON: what it ran on, every sample and what they sum up to."""
    cases = []
    for summary in summaries:
        rows = []
        for row in summary.rows:
            outcome = outcomes[summary.case.name, row.peer]
            samples = {
                str(number): dataclasses.asdict(sample)
                for number, sample in outcome.samples.items()
            }
            rows.append({**dataclasses.asdict(row), "samples": samples})
        cases.append({**_case_facts(summary), "peers": rows})
    targets = [
        {
            **dataclasses.asdict(verdict.target),
            "found": dataclasses.asdict(verdict.found) if verdict.found else None,
            "met": verdict.is_met,
        }
        for verdict in verdicts
    ]
    return json.dumps({"about": about, "targets": targets, "cases": cases}, indent=1) + "\n"


def _case_facts(summary: CaseSummary) -> dict[str, Any]:
    case = summary.case
    return {
        "name": case.name,
        "title": case.title,
        "operation": case.operation,
        "unit": case.unit,
        "parameters": dict(case.parameters),
    }


def _case_table(summary: CaseSummary) -> str:
    case = summary.case
    lines = [HEADINGS, *(_cells(row) for row in summary.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = [f"{case.title}  [{case.name}: {case.unit} for one {case.operation}]"]
    for line in lines:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        text.append("  ".join([line[0].ljust(len(first)), *others]))
    for row in summary.rows:
        text.extend(
            f"  {row.peer} failed in {count} of the rounds: {what}"
            for what, count in Counter(map(_outline, row.failures)).items()
        )
    return "\n".join(text)


def _outline(failure: str) -> str:
    """Shorten a message to what happened and the last words; the record has all of it."""
    lines = failure.splitlines()
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.peer,
        *_spread_cells(row.cost, 2),
        f"{row.rate.median:,.0f}" if row.rate else NOTHING,
        *_spread_cells(row.to_us, 2),
        *_spread_cells(row.to_gevent, 2),
    )


def _spread_cells(value: Spread | None, digits: int) -> tuple[str, str]:
    if value is None:
        return NOTHING, NOTHING
    return f"{value.median:.{digits}f}", f"{value.low:.{digits}f}-{value.high:.{digits}f}"
