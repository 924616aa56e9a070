"""Inside a cancelled scope, patched threading code ends at its parks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.isolated_runner import run_isolated

pytestmark = pytest.mark.slow

WAITINGS = (
    *("thread_join", "event_wait", "condition_wait", "condition_wait_for", "lock_acquire"),
    *("rlock_acquire", "semaphore_acquire", "barrier_wait", "queue_get", "simple_queue_get"),
    *("queue_put", "queue_join", "time_sleep", "future_result", "futures_wait"),
    *("futures_as_completed", "executor_map", "executor_shutdown", "task_group"),
)


@pytest.fixture(scope="module")
def finished() -> Callable[[], Any]:
    """Run them all in one interpreter."""

    @cache
    def run() -> Any:
        return run_isolated("patched_scopes.py", timeout=110)

    return run


@pytest.mark.parametrize("waiting", WAITINGS)
def test_a_scope_cancels_it_and_leaves_no_trace(waiting: str, finished: Callable[[], Any]) -> None:
    assert waiting in finished().stdout.splitlines(), finished().stderr


def test_nothing_is_complained_about(finished: Callable[[], Any]) -> None:
    assert finished().stderr == ""
