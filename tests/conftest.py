"""What every test has: a time limit, a leak check, fresh interpreters on demand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.isolated_runner import run_isolated as _run_isolated
from tests.time_limit import TimeLimit

RunIsolated = Callable[..., CompletedProcess[str]]


def pytest_configure(config: pytest.Config) -> None:
    breadcrumb = Path(config.rootpath) / ".pytest_cache" / "running-test"
    config.pluginmanager.register(TimeLimit(breadcrumb), "time-limit")


@pytest.fixture
def run_isolated() -> RunIsolated:
    """Hand out `run_isolated(script_or_code, *args, timeout=...)`."""
    return _run_isolated
