"""What counts as a problem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.autobahn.report import CASES, Run, judge, read_index


def run_of(behavior: str = "OK", close: str = "OK", count: int = CASES["3"]) -> Run:
    case = {"behavior": behavior, "behaviorClose": close, "remoteCloseCode": 1006}
    return Run("server", {f"3.{i}": case for i in range(1, count + 1)})


def test_a_good_run_has_no_problems() -> None:
    assert list(judge(run_of(), ["3"])) == []
    assert list(judge(run_of("INFORMATIONAL", "INFORMATIONAL"), ["3"])) == []


@pytest.mark.parametrize("behavior", ["FAILED", "NON-STRICT", "UNIMPLEMENTED", "anything else"])
def test_a_behavior_that_is_not_right(behavior: str) -> None:
    assert next(judge(run_of(behavior), ["3"])) == f"server 3.1: {behavior}"


@pytest.mark.parametrize("close", ["FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT"])
def test_an_end_that_is_not_right(close: str) -> None:
    assert next(judge(run_of(close=close), ["3"])) == (
        f"server 3.1: closes {close}, with code 1006"
    )


def test_cases_that_were_not_run() -> None:
    assert list(judge(run_of(count=5), ["3", "4"])) == [
        "server 3.*: 5 of 7 cases were run",
        "server 4.*: 0 of 10 cases were run",
    ]


def test_a_report_that_was_never_written_has_no_cases(tmp_path: Path) -> None:
    assert read_index(tmp_path) == {}
    written: Any = {"eventlet": {"1.1.1": {"behavior": "OK"}}}
    (tmp_path / "index.json").write_text(json.dumps(written))
    assert read_index(tmp_path) == written["eventlet"]
