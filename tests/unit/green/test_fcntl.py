"""Green `fcntl`: who waits for a lock on a file parks."""

from __future__ import annotations

import fcntl as real
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlet.green import fcntl
from eventlet.greenthread import kill, sleep, spawn

from tests.isolated_runner import run_isolated


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "locked"
    path.write_bytes(b"0123456789")
    return path


def descriptors() -> int:
    sleep(0)  # the hub has its own from now on
    return len(os.listdir("/proc/self/fd"))


def test_flock_parks_until_the_other_unlocks(file: Path) -> None:
    order: list[str] = []
    with file.open("r+") as one, file.open("r+") as two:
        fcntl.flock(one, real.LOCK_EX)

        def wait() -> None:
            fcntl.flock(two.fileno(), real.LOCK_EX)
            order.append("second")

        waiting = spawn(wait)
        sleep(0.02)
        order.append("first")
        fcntl.flock(one, real.LOCK_UN)
        waiting.wait()

    assert order == ["first", "second"]


def test_flock_shares_and_refuses_like_the_plain_call(file: Path) -> None:
    with file.open() as one, file.open() as two:
        fcntl.flock(one, real.LOCK_SH)
        fcntl.flock(two, real.LOCK_SH)
        with pytest.raises(BlockingIOError):
            fcntl.flock(two, real.LOCK_EX | real.LOCK_NB)
    with pytest.raises(ValueError, match="closed file"):
        fcntl.flock(one, real.LOCK_SH)
    with pytest.raises(TypeError):
        fcntl.flock("x", real.LOCK_SH)  # type: ignore[arg-type]  # wrong on purpose


def test_a_killed_waiter_holds_no_lock_and_no_descriptor(file: Path) -> None:
    before = descriptors()
    with file.open() as one:
        fcntl.flock(one, real.LOCK_EX)
        with file.open() as two:
            waiting = spawn(fcntl.flock, two, real.LOCK_EX)
            sleep(0.02)
            kill(waiting)
        fcntl.flock(one, real.LOCK_UN)
        wait_until(lambda: descriptors() == before + 1)
        with file.open() as three:
            fcntl.flock(three, real.LOCK_EX | real.LOCK_NB)

    assert descriptors() == before


def test_a_waiter_killed_before_it_began_leaves_no_descriptor(file: Path) -> None:
    before = descriptors()
    with file.open() as one, file.open() as two:
        fcntl.flock(one, real.LOCK_EX)
        waiting = spawn(fcntl.flock, two, real.LOCK_EX)
        sleep(0)
        kill(waiting)
        fcntl.flock(one, real.LOCK_UN)
        wait_until(lambda: descriptors() == before + 2)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(5000):
        if is_so():
            return
        sleep(0.005)
    raise AssertionError("it never came")


OTHER_PROCESS = """
import fcntl, os, sys, time
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX, 5, 0)
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other_process(file: Path) -> Any:
    """A process that has the first five bytes, and a way to end it."""
    import subprocess
    import sys

    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    with process:
        yield process


def test_lockf_parks_until_another_process_unlocks(file: Path, other_process: Any) -> None:
    with file.open("r+") as mine:
        fcntl.lockf(mine, real.LOCK_EX, 5, 5)
        waiting = spawn(fcntl.lockf, mine, real.LOCK_EX, 5, 0)
        sleep(0.02)
        assert not waiting.dead
        with pytest.raises((BlockingIOError, PermissionError)):
            fcntl.lockf(mine, real.LOCK_EX | real.LOCK_NB)
        other_process.stdin.close()
        waiting.wait()
        fcntl.lockf(mine, real.LOCK_UN)


def test_a_killed_waiter_of_lockf_gives_the_part_back(file: Path, other_process: Any) -> None:
    with file.open("r+") as mine:
        waiting = spawn(fcntl.lockf, mine, real.LOCK_EX, 5, 0)
        sleep(0.02)
        kill(waiting)
        other_process.stdin.close()
        other_process.wait()
        check = (
            "import fcntl, sys\n"
            "fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        )

        def is_free() -> bool:
            return run_isolated(check, str(file), expect_status=None).returncode == 0

        wait_until(is_free)


def test_patched_programs_get_it() -> None:
    done = run_isolated(
        """
        import fcntl, tempfile
        from fcntl import flock
        import eventlet; eventlet.monkey_patch()
        assert fcntl.flock is not flock
        with tempfile.NamedTemporaryFile() as one, open(one.name) as two:
            fcntl.flock(one, fcntl.LOCK_EX)
            eventlet.spawn_after(0.01, fcntl.flock, one, fcntl.LOCK_UN)
            fcntl.flock(two, fcntl.LOCK_EX)
        print("passed")
        """
    )

    assert done.stdout == "passed\n"
