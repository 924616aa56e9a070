"""A hard time limit for each test.

A test that parks for ever must not hold up the run, and nothing written in Python can be
trusted to end it: the thread that would have to run the code is the one that is stuck. So the
limit is kept by `faulthandler`'s watchdog, which is no Python thread (a hub that looks for
other threads does not see it), writes the stacks and ends the process.

The name of the running test is left in `.pytest_cache/running-test`, because the stack of a
parked green thread does not show it.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.depth import DEPTH

# What hangs hangs for ever; what does not may be held up by a busy machine.
LIMIT_SECONDS = 120.0
SLOW_LIMIT_SECONDS = 360.0


class TimeLimit:
    """Arm the watchdog around every test of one run."""

    def __init__(self, breadcrumb: Path) -> None:
        breadcrumb.parent.mkdir(parents=True, exist_ok=True)
        # Taken before any capturing of output, so that the stacks reach the terminal.
        self._stderr = os.dup(2)
        self._breadcrumb = os.open(breadcrumb, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        name = item.nodeid.encode() + b"\n"
        os.ftruncate(self._breadcrumb, 0)
        os.pwrite(self._breadcrumb, name, 0)
        faulthandler.dump_traceback_later(limit_of(item), exit=True, file=self._stderr)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def pytest_unconfigure(self) -> None:
        os.ftruncate(self._breadcrumb, 0)
        os.close(self._breadcrumb)
        os.close(self._stderr)


def limit_of(item: pytest.Item) -> float:
    """Say how many seconds a test may take."""
    marker = item.get_closest_marker("time_limit")
    if marker is not None:
        return float(marker.args[0]) * DEPTH
    return (SLOW_LIMIT_SECONDS if item.get_closest_marker("slow") else LIMIT_SECONDS) * DEPTH
