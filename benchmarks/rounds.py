"""Run every peer in turn, round after round, so that a slow minute is slow for all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import Case
from benchmarks.measurement import Sample
from benchmarks.peers import Peer
from benchmarks.process import ProgramFailed

__all__ = ["Measure", "Outcome", "Outcomes", "Progress", "run_rounds", "turns"]

Measure = Callable[[Case, Peer], Sample]
Progress = Callable[[int, Case, Peer, Sample | ProgramFailed], None]


@dataclass
class Outcome:
    """What the rounds gave for one case and one peer.

    Args:
        samples: round number -> sample; a failed round is missing.
        failures: round number -> what went wrong.
    """

    samples: dict[int, Sample] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def costs(self) -> dict[int, float]:
        """Return round number -> cost of one operation."""
        return {number: sample.cost for number, sample in self.samples.items()}

    def rates(self) -> list[float]:
        """Return operations a second, in round order."""
        return [sample.rate for sample in self.samples.values()]


Outcomes = dict[tuple[str, str], Outcome]


def turns(peers: Sequence[Peer], round_number: int) -> Iterator[Peer]:
    """Yield the peers in turn, each round beginning with another one.

    Nobody always follows the same neighbour's warm caches or always comes first.
    """
    start = round_number % len(peers) if peers else 0
    yield from peers[start:]
    yield from peers[:start]


def run_rounds(
    cases: Sequence[Case],
    peers: Sequence[Peer],
    rounds: int,
    measure: Measure,
    progress: Progress,
) -> Outcomes:
    """Measure each case with each peer that has a like of it, interleaved.

    A measurement that fails is kept as a failure of that round; the others go on.

    Returns:
        (case name, peer name) -> outcome.
    """
    outcomes: Outcomes = {}
    for number in range(rounds):
        for case in cases:
            for peer in turns([peer for peer in peers if peer.runs(case)], number):
                outcome = outcomes.setdefault((case.name, peer.name), Outcome())
                try:
                    sample = measure(case, peer)
                except ProgramFailed as exc:
                    outcome.failures[number] = str(exc)
                    progress(number, case, peer, exc)
                else:
                    outcome.samples[number] = sample
                    progress(number, case, peer, sample)
    return outcomes
