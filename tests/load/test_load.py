"""The load runs in small, and what judges them: it must find what it is there for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from eventlet.wsgi import Limits

from tests.isolated_runner import run_isolated
from tests.load import fuzz
from tests.load.__main__ import whole
from tests.load.mutations import KINDS
from tests.load.report import Part, percentile, render
from tests.load.running import left_behind
from tests.unit.server.http1_messages import NEXT
from tests.unit.server.http1_telling import tell
from tests.unit.server.site import Site

RUN = """
import sys
from tests.load.__main__ import main
sys.exit(main(["--small"]))
"""
FIRST = {"descriptors": 9, "green threads": 3}
LAST: dict[str, Any] = {
    "connections": 0,
    "descriptors": 6,
    "green threads": 0,
    "tracebacks": [],
}


@pytest.mark.slow
@pytest.mark.time_limit(120)
def test_a_small_load_loses_nothing_and_leaves_nothing() -> None:
    done = run_isolated(RUN, timeout=100)  # it shows the seed

    assert done.stderr == ""
    assert len(re.findall("^==> ", done.stdout, re.MULTILINE)) == 5
    assert done.stdout.endswith("\n0 faults\n")


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ({"connections": 1}, "1 connections after the end, not 0"),
        ({"descriptors": 7}, "7 descriptors after the end, not 6"),
        ({"green threads": 2}, "2 green threads after the end, not 0"),
        ({"tracebacks": ["Traceback: oh"]}, "in its log: Traceback: oh"),
    ],
)
def test_the_books_find_what_is_left(damage: dict[str, Any], fault: str) -> None:
    assert left_behind(FIRST, LAST) == []
    assert left_behind(FIRST, LAST | damage) == [fault]


def fails(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    raise RuntimeError("on purpose")


def test_a_fuzzer_finds_a_server_that_fails() -> None:
    with Site(tell, limits=Limits(idle_timeout=0.05)) as site:
        for ending in set(fuzz.ENDINGS):
            assert fuzz.send(site.connect, NEXT, ending, 0.5) == (ending, None)
    with Site(fails) as site:
        _, wrong = fuzz.send(site.connect, NEXT, "half-close", 0.5)
        assert wrong is not None
        assert wrong.startswith("served [], not ")
        _, wrong = fuzz.send(site.connect, NEXT, "stay", 0.5)
        assert wrong is not None
        assert wrong.startswith("answered b'HTTP/1.1 500 ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_what_was_sent(kind: str) -> None:
    make = KINDS[kind]()
    first, second = ([make(chance) for _ in range(50)] for chance in (Random(5), Random(5)))

    assert first == second
    assert len(set(first)) > 40


def test_a_part_that_breaks_off_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> Part:
        raise OSError("no more")

    assert whole("noise", run).faults == ["it broke off: OSError('no more')"]
    assert "Traceback" in capsys.readouterr().err


def test_a_percentile_is_the_value_that_so_many_do_not_exceed() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(range(1000), 0.99) == 990
    assert percentile([1.0], 0.99) == 1.0


def test_the_results_name_their_commit_and_all_faults() -> None:
    part = Part("noise")
    part.tell("connections", 5)
    part.check(True, "never seen")
    part.check(False, "it hangs")

    text = render([part], "abcdef123", "2 cores", "python -m tests.load")

    assert "at commit abcdef123, on CPython" in text
    assert "## noise\n\n| | |\n|---|--:|\n| connections | 5 |\n" in text
    assert text.endswith("## Problems\n\n- noise: it hangs\n")
