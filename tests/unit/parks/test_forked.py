"""A process that forks while every kind of call is being waited in; see the isolated script."""

from __future__ import annotations

import pytest

from tests.conftest import RunIsolated
from tests.unit.parks.catalogue import PARKS

FLAGS = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")


@pytest.mark.parametrize("who", ["main", "green"])
def test_a_forked_child_runs_no_waiting_call_and_the_parent_finishes_all(
    who: str, run_isolated: RunIsolated
) -> None:
    result = run_isolated("parks_in_fork.py", who, "all", flags=FLAGS, timeout=100)

    together = [park for park in PARKS.values() if not (park.alone or park.slow or park.yields)]
    assert result.stdout.split()[-1] == str(len(together))
    assert result.stderr == ""


@pytest.mark.parametrize("name", [name for name, park in PARKS.items() if park.alone])
def test_a_fork_beside_a_call_that_concerns_the_whole_process(
    name: str, run_isolated: RunIsolated
) -> None:
    result = run_isolated("parks_in_fork.py", "main", name, flags=FLAGS, timeout=100)

    assert result.stdout == "1\n"
    assert result.stderr == ""
