"""The harness's command line: `python -m benchmarks`."""

import argparse
import fnmatch
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import chart, provenance, report, summary
from benchmarks.cases import CASES, TARGETS, Case, Family
from benchmarks.environments import Environment, EnvironmentFailed, prepare
from benchmarks.http_load import WrkMissing, find_wrk
from benchmarks.measurement import Bench, Sample
from benchmarks.native import CompilerFailed, build
from benchmarks.peers import PEERS, Peer
from benchmarks.places import RESULTS, ROOT
from benchmarks.process import ProgramFailed, choose_cores
from benchmarks.rounds import run_rounds

ROUNDS, SECONDS = 5, 1.0
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.3
LIBRARIES = (
    *("greenlet", "eventlet", "gevent", "uvloop", "trio"),
    *("gunicorn", "waitress", "cheroot", "granian", "bjoern", "uvicorn"),
)

Named = TypeVar("Named")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the harness; return the exit status: 0 when every measurement worked."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        _print_tables()
        return 0
    try:
        cases = _select(CASES, options.cases, "case")
        peers = _select(PEERS, options.peers, "peer")
    except LookupError as exc:
        parser.error(str(exc))
    wrk = _find_load(cases)
    if wrk is None:
        cases = [case for case in cases if case.family is not Family.HTTP]
    peers = [peer for peer in peers if any(peer.runs(case) for case in cases)]
    if not peers:
        print("benchmarks: none of these peers has a like of these cases", file=sys.stderr)
        return 2
    cores = choose_cores(sorted(os.sched_getaffinity(0)))
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    try:
        bench = Bench(cores, seconds, build("echo_load"), build("echo_server"), wrk)
        environments = _prepare_all(peers, options.python)
    except (CompilerFailed, EnvironmentFailed) as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 2
    peers = [
        peer for peer in peers if peer.environment is None or peer.environment.name in environments
    ]

    def measure(case: Case, peer: Peer) -> Sample:
        environment = environments[peer.environment.name] if peer.environment else None
        return bench.measure(case, peer, environment)

    about = provenance.describe(environments, cores, {"rounds": rounds, "seconds": seconds})
    outcomes = run_rounds(cases, peers, rounds, measure, _show_progress)
    summaries = summary.summarise(cases, peers, outcomes)
    verdicts = summary.judge(TARGETS, outcomes)
    note = provenance.headline(about, LIBRARIES)
    print(f"\n{note}\n")
    print(report.table(summaries))
    print("\n" + "\n".join(report.verdict_lines(verdicts)))
    if not options.quick or options.output:
        folder = options.output or RESULTS
        _write(
            folder,
            provenance.file_stem(about),
            {
                "md": report.matrix(note, summaries),
                "json": report.record(about, summaries, verdicts, outcomes),
                "svg": chart.draw("Green threads: cost of one operation", note, summaries),
            },
        )
    return 1 if any(outcome.failures for outcome in outcomes.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this library beside its peers, interleaved in one run.",
    )
    add = parser.add_argument
    add("--cases", metavar="NAMES", help="comma-separated; a name may end in * (default: all)")
    add("--peers", metavar="NAMES", help="comma-separated; a name may end in * (default: all)")
    add("--rounds", type=_positive_int, help=f"default {ROUNDS}, quick {QUICK_ROUNDS}")
    add(
        "--seconds",
        type=_positive_float,
        help=f"length of one measurement (default {SECONDS}, quick {QUICK_SECONDS})",
    )
    add("--quick", action="store_true", help="few short rounds; writes files only with --output")
    add("--python", default=sys.executable, help="interpreter to make the environments with")
    add(
        "--output",
        type=Path,
        help=f"folder for JSON, SVG and Markdown (default {RESULTS.relative_to(ROOT)})",
    )
    add("--list", action="store_true", help="list cases and peers, and stop")
    return parser


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _positive_float(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _select(table: Mapping[str, Named], names: str | None, kind: str) -> list[Named]:
    """Pick entries by comma-separated names, in the table's order."""
    if names is None:
        return list(table.values())
    chosen: set[str] = set()
    for pattern in names.split(","):
        found = fnmatch.filter(table, pattern.strip())
        if not found:
            raise LookupError(f"no {kind} is called {pattern!r}; there are: {', '.join(table)}")
        chosen.update(found)
    return [entry for name, entry in table.items() if name in chosen]


def _find_load(cases: Sequence[Case]) -> Path | None:
    """Find what the HTTP cases need; say so when they have to be left out."""
    if all(case.family is not Family.HTTP for case in cases):
        return None
    try:
        return find_wrk()
    except WrkMissing as exc:
        print(f"the HTTP cases are left out: {exc}", file=sys.stderr)
        return None


def _prepare_all(peers: Sequence[Peer], python: str) -> dict[str, Environment]:
    """Make the environments; one that may fail and does is left out, and the reason printed."""
    environments: dict[str, Environment] = {}
    for peer in peers:
        spec = peer.environment
        if spec is not None and spec.name not in environments:
            print(f"environment of {spec.name}", file=sys.stderr)
            try:
                environments[spec.name] = prepare(spec, python)
            except EnvironmentFailed as exc:
                if not spec.may_fail:
                    raise
                print(f"{peer.name} is left out: {exc}", file=sys.stderr)
    return environments


def _show_progress(number: int, case: Case, peer: Peer, result: Sample | ProgramFailed) -> None:
    if isinstance(result, Sample):
        words = f"{result.cost:.2f} {case.unit}, {result.rate:,.0f} {case.operation}s/s"
    else:
        words = f"FAILED: {result.what}"
    print(f"round {number + 1}  {case.name:15} {peer.name:17} {words}", file=sys.stderr)


def _print_tables() -> None:
    for case in CASES.values():
        print(f"case {case.name:16} {case.title}")
    for peer in PEERS.values():
        print(f"peer {peer.name:16} {', '.join(sorted(peer.programs))}")


def _write(folder: Path, stem: str, texts: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for ending, text in texts.items():
        path = folder / f"{stem}.{ending}"
        path.write_text(text)
        print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
