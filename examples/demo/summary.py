"""What each step of the demo reports, and the table at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

MIB = 1024 * 1024


@dataclass
class Report:
    """One step: what ran, how long it took, what it used, and what failed.

    Attributes:
        name: the pattern that was shown.
        what: what ran, in one sentence.
        seconds: how long it took.
        memory: pairs (process, resident bytes or None where the system does not tell).
        findings: sentences worth reading.
        expected: how many failures there were for each reason, all of them planned.
        unexpected: what failed although nothing was planned to.
    """

    name: str
    what: str = ""
    seconds: float = 0.0
    memory: list[tuple[str, int | None]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    expected: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    def expect(self, reason: str) -> None:
        """Count one failure that was planned."""
        self.expected[reason] = self.expected.get(reason, 0) + 1


SHOWN_SURPRISES = 5
"""Unexpected failures printed in full for each step; the rest are counted."""


def print_summary(console: Console, reports: list[Report]) -> int:
    """Print what ran and what failed; return how many failures nobody planned."""
    ran = Table(title="Summary", title_justify="left", show_lines=True)
    ran.add_column("step", style="bold")
    ran.add_column("what ran")
    ran.add_column("took", justify="right")
    ran.add_column("memory (resident)", justify="right")
    ran.add_column("failed", justify="right")
    for report in reports:
        ran.add_row(
            report.name,
            "\n".join([report.what, *report.findings]),
            f"{report.seconds:.2f} s",
            "\n".join(f"{process} {megabytes(size)}" for process, size in report.memory),
            _failures(report),
        )
    console.print(ran)

    failed = Table(title="What failed, and why it was expected", title_justify="left")
    failed.add_column("step", style="bold")
    failed.add_column("times", justify="right")
    failed.add_column("reason")
    for report in reports:
        for reason, times in report.expected.items():
            failed.add_row(report.name, str(times), reason)
    if failed.row_count:
        console.print(failed)

    for report in reports:
        for surprise in report.unexpected[:SHOWN_SURPRISES]:
            console.print(f"UNEXPECTED, {report.name}: {surprise}", style="bold red", markup=False)
        hidden = len(report.unexpected) - SHOWN_SURPRISES
        if hidden > 0:
            console.print(f"UNEXPECTED, {report.name}: and {hidden} more", style="bold red")
    return sum(len(report.unexpected) for report in reports)


def megabytes(size: int | None) -> str:
    """Write a size in MiB."""
    return "unknown" if size is None else f"{size / MIB:.0f} MiB"


def _failures(report: Report) -> str:
    planned = sum(report.expected.values())
    return f"{planned} expected\n{len(report.unexpected)} unexpected"
