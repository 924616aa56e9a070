"""`tests/leaks.py`: each kind of leak is found and named; what is given back is not."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from eventlet._core.current import get_hub
from eventlet._core.thread import GreenThread
from eventlet._core.wait_queue import EXPIRED

from tests import leaks
from tests.isolated_runner import run_isolated


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    get_hub()
    monkeypatch.setattr(leaks, "GRACE_SECONDS", 0.0)


def park_here() -> None:
    hub = get_hub()
    hub.park(hub.ticket())


def test_nothing_left_is_no_leak() -> None:
    before = leaks.take_snapshot()

    assert leaks.find_leaks(before) == []


def test_an_open_descriptor_is_named() -> None:
    before = leaks.take_snapshot()
    read_end, write_end = os.pipe()

    found = leaks.find_leaks(before)

    os.close(read_end)
    os.close(write_end)
    assert [line.partition(": pipe:")[0] for line in found] == [
        f"descriptor {read_end} is open",
        f"descriptor {write_end} is open",
    ]


def test_a_number_that_means_another_file_now_is_found() -> None:
    left, right = os.pipe()
    before = leaks.take_snapshot()
    with open(os.devnull) as other:
        os.dup2(other.fileno(), left)

    found = leaks.find_leaks(before)

    os.close(left)
    os.close(right)
    assert found == [f"descriptor {left} is open: /dev/null"]


def test_garbage_that_closes_itself_is_no_leak() -> None:
    class Closing:
        def __init__(self) -> None:
            self.fd = os.dup(0)
            self.myself = self

        def __del__(self) -> None:
            os.close(self.fd)

    before = leaks.take_snapshot()
    Closing()

    assert leaks.find_leaks(before) == []


def test_a_parked_green_thread_is_shown_with_its_stack() -> None:
    before = leaks.take_snapshot()
    hub = get_hub()
    hub.start(GreenThread(hub, park_here))

    found = leaks.find_leaks(before)

    leaks.end_leaked_threads(before)
    assert len(found) == 1
    assert "green thread is alive: <GreenThread-" in found[0]
    assert "in park_here" in found[0]


def test_a_thread_that_ends_in_the_next_passes_is_no_leak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leaks, "GRACE_SECONDS", 30.0)
    before = leaks.take_snapshot()
    hub = get_hub()
    hub.start(GreenThread(hub, hub.yield_))

    assert leaks.find_leaks(before) == []


def test_leaked_threads_are_ended() -> None:
    before = leaks.take_snapshot()
    hub = get_hub()
    thread = GreenThread(hub, park_here)
    hub.start(thread)
    hub.yield_()

    leaks.end_leaked_threads(before)

    assert thread.dead


def test_a_pending_timer_is_named() -> None:
    before = leaks.take_snapshot()
    timer = get_hub().call_later(60, park_here)

    found = leaks.find_leaks(before)

    timer.cancel()
    assert len(found) == 1
    assert "timer is pending: the call of <function park_here" in found[0]


def test_a_cancelled_timer_and_a_past_time_out_are_no_leaks() -> None:
    before = leaks.take_snapshot()
    hub = get_hub()
    hub.call_later(60, park_here).cancel()

    assert hub.park(hub.ticket(), 0) is EXPIRED
    assert leaks.find_leaks(before) == []


def test_a_hub_left_open_by_an_os_thread_is_found() -> None:
    before = leaks.take_snapshot()
    made, go_on = threading.Event(), threading.Event()

    def use_a_hub() -> None:
        get_hub()
        made.set()
        go_on.wait()

    other = threading.Thread(target=use_a_hub)
    other.start()
    made.wait()

    found = leaks.find_leaks(before)

    go_on.set()
    other.join()
    assert any(line.startswith("hub of another OS thread is open") for line in found)


LEAKING = """
import os
from tests import leaks
leaks.GRACE_SECONDS = 0.0
def test_leaks(): os.dup(0)
def test_fails_itself(): os.dup(0); assert False
def test_is_clean(): os.close(os.dup(0))
"""


def test_a_test_that_leaks_is_failed_by_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = time_limit(s)\n    slow\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    run = "import sys, pytest; sys.exit(pytest.main(['-rfE', sys.argv[1]]))"

    done = run_isolated(run, str(tmp_path), expect_status=1)

    assert "the test leaked\ndescriptor" in done.stdout
    assert "ERROR at teardown of test_leaks" in done.stdout
    assert "1 failed, 2 passed, 1 error" in done.stdout
