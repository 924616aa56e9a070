"""The runner of the standard library's tests: what it counts, cuts, repeats and judges."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stdlib.driver import Interpreter, _ModuleRun, run_module
from tests.stdlib.expected import Expectation, judge, load
from tests.stdlib.outcome import ModuleOutcome, TestOutcome, compare
from tests.stdlib.report import ROOT, counts, page, percentage, write_results

SAMPLE = """
import os, sys, time, unittest

patched = "eventlet" in sys.modules

class Steady(unittest.TestCase):
    def test_passes(self): pass
    def test_fails(self): self.fail("as ever")
    def test_skips(self): self.skipTest("because")
    def test_differs(self): self.assertFalse(patched)
    @unittest.expectedFailure
    def test_expected(self): self.fail("known")
    def test_parts(self):
        for part in range(3):
            with self.subTest(part):
                self.assertNotEqual(part, 1)

class Unsteady(unittest.TestCase):
    mark = os.path.join(os.path.dirname(__file__), f"mark-{patched}")
    def test_passes_the_second_time(self):
        if not os.path.exists(self.mark):
            open(self.mark, "w").close()
            self.fail("the first time")

class Broken(unittest.TestCase):
    def test_a_hangs(self):
        if patched: os.kill(os.getpid(), 19)
    def test_b_dies(self):
        if patched: os._exit(7)
    def test_c_passes(self): pass
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    package = tmp_path / "sampled"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "test_sample.py").write_text(SAMPLE)
    return tmp_path


def statuses(outcome: ModuleOutcome) -> dict[str, str]:
    return {test.rpartition(".")[2]: entry.status for test, entry in outcome.tests.items()}


@pytest.mark.slow
@pytest.mark.time_limit(60)
def test_each_test_gets_one_status_whatever_it_does(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("sampled", (str(sample), *sys.path))
    control = run_module(
        "test_sample", Interpreter(sys.executable, False, *place), {}, sample / "control.log"
    )
    assert statuses(control) == {
        "test_passes": "pass",
        "test_fails": "fail",
        "test_skips": "skip",
        "test_differs": "pass",
        "test_expected": "expected failure",
        "test_parts": "fail",
        "test_passes_the_second_time": "pass",
        "test_a_hangs": "pass",
        "test_b_dies": "pass",
        "test_c_passes": "pass",
    }
    # Only the one that is known to hang is not waited for: a busy machine is no hang.
    patience = _ModuleRun.patience
    monkeypatch.setattr(
        _ModuleRun,
        "patience",
        lambda run, test: 1.5 if test.endswith("test_a_hangs") else patience(run, test),
    )
    patched = run_module(
        "test_sample", Interpreter(sys.executable, True, *place), {}, sample / "patched.log"
    )
    total, found = compare("test_sample", control, patched)
    assert total == 6
    assert {(entry.test.rpartition(".")[2], entry.status) for entry in found} == {
        ("test_differs", "fail"),
        ("test_a_hangs", "hang"),
        ("test_b_dies", "crash"),
    }
    assert patched.ends


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    outcome = run_module(
        "test_no_such", Interpreter(sys.executable, False), {}, tmp_path / "missing.log"
    )
    assert outcome.missing == "this interpreter has no test.test_no_such"


def test_time_spent_on_a_hang_of_the_control_does_not_count(tmp_path: Path) -> None:
    usual = {"slow": TestOutcome("pass", 2.0), "stuck": TestOutcome("hang", 30.0)}
    run = _ModuleRun("test_sample", Interpreter(sys.executable, False), usual, tmp_path / "log")
    assert run.patience("slow") == 46.0
    assert run.patience("stuck") == run.patience("unknown") == 30.0


@pytest.mark.slow
def test_ctrl_c_reaches_workers_also_of_a_runner_in_the_background(tmp_path: Path) -> None:
    code = "from tests.stdlib.__main__ import main; import signal, sys; main(sys.argv[1:])"
    check = "; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run(
        [
            *("sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", code + check),
            *("--work", str(tmp_path), "test_no_such"),
        ],
        cwd=ROOT,
        check=True,
        timeout=100,
    )


def outcome_of(**tests: str) -> ModuleOutcome:
    return ModuleOutcome({name: TestOutcome(status) for name, status in tests.items()})


def test_what_the_patched_run_never_reports_is_lost() -> None:
    total, found = compare("m", outcome_of(a="pass", b="skip"), outcome_of())
    assert total == 1
    assert [(entry.test, entry.status) for entry in found] == [("a", "error")]


def test_an_interpreter_that_does_not_end_is_a_difference() -> None:
    stuck = outcome_of(a="pass")
    stuck.ends = False
    table, found = counts({"m": outcome_of(a="pass")}, {"m": stuck})
    assert table == {"m": (1, 1)}
    assert [entry.status for entry in found] == ["hang"]


def test_listed_differences_are_expected_hangs_are_not_and_passes_are_outdated() -> None:
    _, found = compare(
        "m",
        outcome_of(a="pass", b="pass", c="pass", d="pass"),
        outcome_of(a="fail", b="hang", c="pass", d="error"),
    )
    known = [Expectation(("a", "b", "c", "elsewhere"), "reason")]
    surprises, outdated = judge(found, known, ["a", "b", "c", "d"])
    assert {entry.test for entry in surprises} == {"b", "d"}
    assert outdated == ["c"]


def test_an_expectation_needs_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "expected.toml"
    file.write_text('[[difference]]\ntests = ["a"]\n')
    with pytest.raises(ValueError, match="reason"):
        load("3.11", file)
    file.write_text('[[difference]]\ntests = ["a"]\nreason = "r"\npythons = ["3.12"]\n')
    assert load("3.11", file) == []
    assert load("3.12", file) == [Expectation(("a",), "r", ("3.12",))]


def test_the_list_in_use_can_be_read_and_names_each_test_once() -> None:
    for python in ("3.11", "3.12", "3.13", "3.14"):
        tests = [test for entry in load(python) for test in entry.tests]
        assert len(tests) == len(set(tests))


def test_percentages_are_not_rounded_up() -> None:
    assert percentage(9999, 10000) == "99.99 %"
    assert percentage(99999, 100000) == "99.99 %"
    assert percentage(3, 3) == "100.00 %"


def test_page_has_a_column_for_each_python(tmp_path: Path) -> None:
    for python, passed in (("3.13.0", 9), ("3.11.7", 10)):
        version = python.rpartition(".")[0]
        _, found = compare(
            "m", outcome_of(a="pass"), outcome_of(a="pass" if passed == 10 else "fail")
        )
        write_results(tmp_path / f"{version}.json", python, "abc1234", {"m": (passed, 10)}, found)
    text = page(tmp_path)
    assert "|  | Python 3.11.7 | Python 3.13.0 |" in text
    assert "| `m` | 10 of 10 | 9 of 10 |" in text
    assert "**9 of 10: 90.00 %**" in text
    assert "- `a` (fail): not explained yet" in text
