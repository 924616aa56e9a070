from __future__ import annotations

import importlib
import re
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import eventlet

from examples.demo.children import ChildFailed
from examples.demo.plan import Outcome, make_plan
from examples.demo.summary import Report, print_summary
from tests.isolated_runner import ROOT, _environment

COMMAND = [sys.executable, "-W", "error", "-m", "examples.demo", "--quick"]


@pytest.mark.slow
def test_quick_demo_shows_all_three_patterns_without_a_terminal() -> None:
    finished = subprocess.run(
        COMMAND,
        cwd=ROOT,
        env=_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    out = finished.stdout
    assert finished.returncode == 0, out + finished.stderr
    assert finished.stderr == ""
    assert "\x1b" not in out
    for step in ("crawl (imap)", "echo server", "feed scraper"):
        assert step in out
    for outcome in set(Outcome) - {Outcome.FINE}:
        assert outcome.value in out
    assert "500 clients at once, 1000 answers" in flat(out)
    assert "client 1 got: " in out
    assert "0 unexpected" in out
    times_as_long = re.search(r"(\d+) times as long", flat(out))
    assert times_as_long is not None
    assert int(times_as_long[1]) >= 3
    most = re.search(r"at most (\d+) fetches at once; the limit of (\d+) held", flat(out))
    assert most is not None
    assert 1 < int(most[1]) <= int(most[2])
    assert "nothing failed unexpectedly" in out


def flat(table: str) -> str:
    """Join the lines of the table's second column: the sentences are wrapped in it."""
    cells = [line.split("│")[2].strip() for line in table.splitlines() if line.count("│") > 3]
    return " ".join(cells)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_no_process_behind(number: int) -> None:
    process = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env=_environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready, "the crawl did not begin"
        children = children_of(process.pid)
        assert children
        process.send_signal(number)
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 130, out + err
    assert b"every process of the demo has been stopped" in out
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_low_descriptor_limit_means_fewer_clients_and_a_sentence_why() -> None:
    few = ["--pages=5", "--feeds=2", "--posters=1", "--clients=2000"]
    finished = subprocess.run(
        COMMAND + few,
        cwd=ROOT,
        env=_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400)),
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    said = flat(finished.stdout)
    assert "272 clients at once, 544 answers" in said
    assert "fewer than the 2000 asked for: each client is a descriptor" in said


@pytest.fixture
def demo_main() -> Iterator[ModuleType]:
    before = signal.getsignal(signal.SIGTERM)
    yield importlib.import_module("examples.demo.__main__")
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("ends_by", "status", "said"),
    [
        (None, 0, "nothing failed unexpectedly"),
        (Report("echo", unexpected=["no answer"]), 1, "UNEXPECTED, echo: no answer"),
        (ChildFailed("site", "ended with status 9", "oh"), 1, "the site ended with status 9"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["all well", "surprise", "dead child", "Ctrl-C"],
)
def test_status_tells_whether_something_went_wrong(
    ends_by: Report | BaseException | None,
    status: int,
    said: str,
    demo_main: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_console: object, _seed: object, _sizes: object, reports: list[Report]) -> None:
        if isinstance(ends_by, BaseException):
            raise ends_by
        reports += [ends_by] if ends_by else []

    monkeypatch.setattr(demo_main, "run", run)

    assert demo_main.main([]) == status
    assert said in capsys.readouterr().out


def test_demo_that_takes_too_long_has_failed(
    demo_main: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_main, "run", lambda *_: eventlet.sleep(10))
    monkeypatch.setattr(demo_main, "TIME_LIMIT", 0.01)

    assert demo_main.main([]) == 1
    assert "not done after 0.01 s" in capsys.readouterr().out


def children_of(pid: int) -> list[int]:
    """Return the processes that one has started.

    Source: proc(5), /proc/pid/task/tid/children.
    """
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_same_seed_gives_the_same_site() -> None:
    assert make_plan(7, 50, 20) == make_plan(7, 50, 20)
    assert make_plan(7, 50, 20) != make_plan(8, 50, 20)


def test_site_has_every_kind_of_fault() -> None:
    plan = make_plan(1, 110, 30)

    assert {page.outcome for page in plan.pages} == set(Outcome)
    assert {feed.encoding for feed in plan.feeds} == {"utf-8", "iso-8859-1"}
    assert {feed.is_atom for feed in plan.feeds} == {True, False}
    assert any("café" in feed.title for feed in plan.feeds)
    assert len(plan.by_path()) == 140


def test_unexpected_failures_are_counted_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    reports = [
        Report("one", expected={"planned": 2}),
        Report("two", unexpected=["[surprise] first", *["more"] * 9]),
    ]

    assert print_summary(Console(width=100), reports) == 10
    out = capsys.readouterr().out
    assert "UNEXPECTED, two: [surprise] first" in out
    assert "and 5 more" in out
