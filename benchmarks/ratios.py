"""Ratios between peers: taken within each round, then summed up by median and extremes."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Spread", "ratio", "spread"]


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of some numbers."""

    median: float
    low: float
    high: float


def spread(numbers: Sequence[float]) -> Spread | None:
    """Sum up the numbers; `None` when there are none."""
    if not numbers:
        return None
    return Spread(statistics.median(numbers), min(numbers), max(numbers))


def ratio(costs: Mapping[int, float], reference: Mapping[int, float]) -> Spread | None:
    """Compare two peers round by round.

    The machine's speed drifts from round to round, and drifts for both: the ratio within a
    round holds still where the quotient of two medians does not.

    Args:
        costs: round number -> cost.
        reference: the same of the peer to divide by.

    Returns:
        The spread of the per-round ratios; `None` when no round has both.
    """
    both = costs.keys() & reference.keys()
    return spread([costs[number] / reference[number] for number in sorted(both)])
