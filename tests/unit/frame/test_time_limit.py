"""`tests/time_limit.py`: a test that hangs ends the run, and is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.isolated_runner import run_isolated

HANGING = """
import time, pytest

@pytest.mark.time_limit(0.3)
def test_hangs():
    while True:
        time.sleep(0.01)
"""


@pytest.fixture
def hanging_project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = time_limit(s)\n    slow\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_configure\n")
    (tmp_path / "test_hanging.py").write_text(HANGING)
    return tmp_path


@pytest.mark.slow
def test_a_hanging_test_ends_the_run_and_is_named(hanging_project: Path) -> None:
    run = "import sys, pytest; sys.exit(pytest.main(['-q', sys.argv[1]]))"

    done = run_isolated(run, str(hanging_project), expect_status=1)

    assert "Timeout" in done.stderr
    assert "test_hangs" in done.stderr
    running = hanging_project / ".pytest_cache" / "running-test"
    assert running.read_text() == "test_hanging.py::test_hangs\n"
