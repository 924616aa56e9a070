"""`tests/isolated_runner.py`: fresh interpreters that fail loudly."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.isolated_runner import run_isolated


def test_code_runs_with_arguments_and_its_output_comes_back() -> None:
    done = run_isolated("import sys; print(*sys.argv[1:])", "a", "b")

    assert done.stdout == "a b\n"


def test_a_warning_is_an_error_there() -> None:
    with pytest.raises(AssertionError, match="exit status 1, expected 0"):
        run_isolated("import warnings; warnings.warn('look out')")


def test_a_failure_shows_what_was_printed() -> None:
    with pytest.raises(AssertionError, match="last words"):
        run_isolated("print('last words'); raise SystemExit(3)")


def test_an_expected_status_is_success() -> None:
    assert run_isolated("raise SystemExit(3)", expect_status=3).returncode == 3


def test_a_script_that_hangs_is_ended_and_shows_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        import sys, time
        def stuck_here():
            open(sys.argv[1], "w").close()
            time.sleep(60)
        stuck_here()
    """
    told = tmp_path / "stuck"
    os.mkfifo(told)
    communicate = subprocess.Popen.communicate

    def wait_until_stuck(process: Any, *args: Any, **options: Any) -> Any:
        """Have its time begin when it is where it will be found."""
        monkeypatch.undo()
        told.read_bytes()
        return communicate(process, *args, **options)

    monkeypatch.setattr(subprocess.Popen, "communicate", wait_until_stuck)
    with pytest.raises(AssertionError, match="stuck_here"):
        run_isolated(code, str(told), timeout=0.5)


def test_the_package_and_the_tests_can_be_imported_there() -> None:
    run_isolated(
        "import tests.isolated_runner, importlib.util as u; assert u.find_spec('eventlet')"
    )
