"""What every test has: a time limit, a leak check, fresh interpreters on demand."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.depth import DEPTH
from tests.isolated_runner import run_isolated as _run_isolated
from tests.leaks import end_leaked_threads, find_leaks, take_snapshot
from tests.time_limit import TimeLimit

RunIsolated = Callable[..., CompletedProcess[str]]

_failed = pytest.StashKey[bool]()

assert DEPTH  # the profile of all property tests is loaded there


def pytest_configure(config: pytest.Config) -> None:
    breadcrumb = Path(config.rootpath) / ".pytest_cache" / "running-test"
    config.pluginmanager.register(TimeLimit(breadcrumb), "time-limit")
    # A shell's background job is started with this one ignored, and so are the programs that tests
    # start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(autouse=True)
def leak_check(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves descriptors, green threads, timers or hubs behind.

    A test that failed already is not asked: its traceback keeps things alive.
    """
    before = take_snapshot()
    yield
    failed = request.node.stash.get(_failed, False)
    leaks = [] if failed else find_leaks(before)
    end_leaked_threads(before)
    if leaks:
        pytest.fail("the test leaked\n" + "\n".join(leaks), pytrace=False)


@pytest.fixture
def run_isolated() -> RunIsolated:
    """Hand out `run_isolated(script_or_code, *args, timeout=...)`."""
    return _run_isolated
