"""A worker that lets nothing else run is noticed, shown and replaced; one that waits is not."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eventlet._serve.child import NEVER, Child, Watchdog
from eventlet._serve.link import Inbox
from eventlet._serve.pulse import Pulse

from tests.unit.serve.served import Served, wait_until, write


@pytest.fixture
def child() -> Iterator[Child]:
    ours, theirs = socket.socketpair()
    with theirs:
        made = Child(1, 0, 1, Inbox(ours), Pulse(), NEVER, ready_at=0.0)
        yield made
        made.let_go()


def stuck(watchdog: Watchdog, child: Child, *moments: float) -> list[bool]:
    return [bool(list(watchdog.find_stuck([child], moment))) for moment in moments]


def test_one_without_a_sign_of_life_is_stuck_once(child: Child) -> None:
    assert stuck(Watchdog(4.0), child, 0.0, 1.0, 2.0, 3.0, 3.9, 4.0, 5.0, 6.0) == (
        [False] * 5 + [True, False, False]
    )


def test_a_sign_of_life_counts_from_the_look_that_finds_it(child: Child) -> None:
    watchdog = Watchdog(4.0)
    assert stuck(watchdog, child, 0.0, 1.0, 2.0) == [False] * 3
    child.pulse.beat()
    assert stuck(watchdog, child, 3.0, 4.0, 5.0, 6.0, 7.0) == [False] * 4 + [True]


def test_a_master_that_was_stopped_itself_blames_nobody(child: Child) -> None:
    assert stuck(Watchdog(4.0), child, 0.0, 1.0, 100.0, 101.0, 102.0, 103.0, 104.0) == (
        [False] * 6 + [True]
    )


def test_who_does_not_serve_yet_or_leaves_is_not_looked_at(child: Child) -> None:
    watchdog = Watchdog(4.0)
    child.ready_at = None
    assert stuck(watchdog, child, 0.0, 1.0, 10.0) == [False] * 3
    assert watchdog.next_look == NEVER
    child.ready_at, child.is_leaving = 0.0, True
    assert stuck(watchdog, child, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0) == [False] * 6


def test_a_watchdog_that_is_off_never_looks(child: Child) -> None:
    watchdog = Watchdog(None)
    assert stuck(watchdog, child, 0.0, 1000.0) == [False, False]
    assert watchdog.next_look == NEVER


MIXED = """\
    import os, time
    def compute():
        while True:
            pass
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/compute":
            compute()
        if environ["PATH_INFO"] == "/wait":
            time.sleep(float(environ["QUERY_STRING"]))
        if environ["PATH_INFO"] == "/crash":
            os.abort()
        start_response("200 OK", [])
        return [b"%d" % os.getpid()]
"""


@pytest.mark.slow
def test_a_worker_that_computes_for_ever_is_shown_and_replaced(tmp_path: Path) -> None:
    write(tmp_path, site_app=MIXED)
    with Served(tmp_path, "--worker-timeout=0.4") as served:

        def shown() -> re.Match[str] | None:
            """Have one compute; a machine that is busy may let one time out that does not."""
            before = served.said.count("let nothing else run")
            with pytest.raises(OSError):
                served.fetch("/compute")
            served.wait_for("let nothing else run", times=before + 1)
            return re.search(
                r"error: worker (\d+) let nothing else run for longer than --worker-timeout"
                r'(?:(?!error: worker)[\s\S])*site_app.py", line \d+ in compute\n.*line \d+ in app',
                served.said,
            )

        def replaced() -> bool:
            with suppress(OSError):
                return served.fetch() != computing
            return False

        computing = str(wait_until(shown)[1])
        wait_until(replaced)
        assert served.end() == 0


@pytest.mark.slow
@pytest.mark.parametrize("limit, seconds", [("3", "3.5"), ("0", "0.2")])
def test_a_worker_that_waits_may_take_its_time(tmp_path: Path, limit: str, seconds: str) -> None:
    write(tmp_path, site_app=MIXED)
    with Served(tmp_path, f"--worker-timeout={limit}") as served:
        assert served.fetch(f"/wait?{seconds}") == str(served.pids[0])
        assert "let nothing else" not in served.said


@pytest.mark.slow
def test_a_worker_that_was_stopped_is_killed(tmp_path: Path) -> None:
    with Served(tmp_path, "--worker-timeout=0.4") as served:
        (old,) = served.pids
        with suppress(ProcessLookupError):  # on a busy machine it was taken for stuck before
            os.kill(old, signal.SIGSTOP)
        served.wait_for("let nothing else run")
        wait_until(lambda: served.fetch() != str(old))


@pytest.mark.slow
def test_where_a_worker_crashed_is_shown(tmp_path: Path) -> None:
    write(tmp_path, site_app=MIXED)
    with Served(tmp_path) as served:
        with pytest.raises(OSError):
            served.fetch("/crash")
        served.wait_for("was killed by SIGABRT; it was here:")
        assert re.search(r'site_app.py", line \d+ in app', served.said)


@pytest.mark.slow
def test_a_heartbeat_costs_next_to_nothing(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        served.fetch()
        pids = [served.process.pid, *served.pids]
        before = [(ticks(pid), waits(pid)) for pid in pids]
        time.sleep(1.0)
        costs = [
            (ticks(pid) - was_ticks, waits(pid) - was_waits)
            for pid, (was_ticks, was_waits) in zip(pids, before, strict=True)
        ]

        assert max(computed for computed, _ in costs) <= 20
        assert max(waited for _, waited in costs) <= 20


def ticks(pid: int) -> int:
    """Give the processor time of a process in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def waits(pid: int) -> int:
    """Tell how often a process has gone to sleep, and so woken up, whatever that cost."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)
    assert found is not None
    return int(found[1])
