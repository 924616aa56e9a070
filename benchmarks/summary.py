"""Turn the outcomes of all rounds into rows, and judge the targets."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cases import Case, Target
from benchmarks.peers import GEVENT, US, Peer
from benchmarks.ratios import Spread, ratio, spread
from benchmarks.rounds import Outcome, Outcomes

__all__ = ["CaseSummary", "Row", "Verdict", "judge", "summarise"]


@dataclass(frozen=True)
class Row:
    """One peer in one case.

    Args:
        peer: its name.
        cost: of one operation, in the case's unit; `None` when every round failed.
        rate: operations a second.
        to_us: cost divided by ours, round by round.
        to_gevent: cost divided by gevent's, round by round.
        failures: what went wrong, one message for each round that failed.
    """

    peer: str
    cost: Spread | None
    rate: Spread | None
    to_us: Spread | None
    to_gevent: Spread | None
    failures: tuple[str, ...]


@dataclass(frozen=True)
class CaseSummary:
    """One case and its rows, cheapest first; peers that always failed come last."""

    case: Case
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Verdict:
    """A target and the ratio found; `found` is `None` where it was not measured."""

    target: Target
    found: Spread | None

    @property
    def is_met(self) -> bool:
        """Say whether the median ratio keeps the promise."""
        return self.found is not None and self.found.median <= self.target.limit


def summarise(
    cases: Sequence[Case], peers: Sequence[Peer], outcomes: Outcomes
) -> tuple[CaseSummary, ...]:
    """Sum up every case that any peer ran, in the order of the table of cases."""
    summaries = []
    for case in cases:
        measured = [peer for peer in peers if (case.name, peer.name) in outcomes]
        rows = [_row(case, peer, outcomes) for peer in measured]
        rows.sort(key=lambda row: row.cost.median if row.cost else float("inf"))
        if rows:
            summaries.append(CaseSummary(case, tuple(rows)))
    return tuple(summaries)


def judge(targets: Sequence[Target], outcomes: Outcomes) -> tuple[Verdict, ...]:
    """Compare our costs with the promised ratios, for the targets that were measured."""
    verdicts = []
    for target in targets:
        ours = outcomes.get((target.case, US))
        theirs = outcomes.get((target.case, target.peer))
        if ours and theirs:
            verdicts.append(Verdict(target, ratio(ours.costs(), theirs.costs())))
    return tuple(verdicts)


def _row(case: Case, peer: Peer, outcomes: Outcomes) -> Row:
    outcome = outcomes[case.name, peer.name]
    nothing = Outcome()
    costs = outcome.costs()
    return Row(
        peer=peer.name,
        cost=spread(list(costs.values())),
        rate=spread(outcome.rates()),
        to_us=ratio(costs, outcomes.get((case.name, US), nothing).costs()),
        to_gevent=ratio(costs, outcomes.get((case.name, GEVENT), nothing).costs()),
        failures=tuple(outcome.failures.values()),
    )
