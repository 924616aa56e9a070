"""The differences that are known and why they stand."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.stdlib.outcome import Difference

__all__ = ["Expectation", "judge", "load"]

FILE = Path(__file__).with_name("expected.toml")


@dataclass(frozen=True)
class Expectation:
    """Tests that are known not to pass under the patch.

    Attributes:
        tests: identifiers, whole.
        reason: why this is right, or cannot be helped.
        pythons: versions such as "3.11" it holds for; empty for all.
    """

    tests: tuple[str, ...]
    reason: str
    pythons: tuple[str, ...] = ()


def load(python: str, file: Path = FILE) -> list[Expectation]:
    """Return what is expected of one version of Python.

    Raises:
        ValueError: an entry lacks its tests or its reason, or has something unknown.
    """
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("difference", [])
    found = []
    for entry in entries:
        unknown = set(entry) - {"tests", "reason", "pythons"}
        if unknown or not entry.get("tests") or not entry.get("reason"):
            raise ValueError(f"{file.name}: tests and reason are needed, no more: {entry!r}")
        expectation = Expectation(
            tuple(entry["tests"]), entry["reason"], tuple(entry.get("pythons", ()))
        )
        if not expectation.pythons or python in expectation.pythons:
            found.append(expectation)
    return found


def judge(
    differences: Iterable[Difference], expectations: Iterable[Expectation], ran: Iterable[str]
) -> tuple[list[Difference], list[str]]:
    """Return the differences nobody expected, and the expectations that are out of date.

    Args:
        differences: what the run found.
        expectations: what is known.
        ran: every test that the control passed in this run; an expectation about
            others says nothing now.
    """
    known = {test for expectation in expectations for test in expectation.tests}
    found = {entry.test: entry for entry in differences}
    surprises = [
        entry
        for entry in found.values()
        if entry.status in ("hang", "cut") or entry.test not in known
    ]
    return surprises, sorted(test for test in known.intersection(ran) if test not in found)
