"""Workers are started, repaired, replaced and looked after."""

from __future__ import annotations

import os
import re
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest

from eventlet._serve.master import FIRST_DELAY

from tests.unit.serve.served import Served, connect, run_serve, wait_until, write

pytestmark = pytest.mark.slow  # each starts processes


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, be it reaped or not."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def test_every_worker_serves(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers=3") as served:
        pids = {int(wait_until(served.fetch)) for _ in range(60)}

        assert len(served.pids) == 3
        assert pids <= set(served.pids)
        assert sorted(served.children) == sorted(served.pids)
        assert served.end() == 0
        assert all(is_gone(pid) for pid in served.pids)


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers=2") as served:
        killed, other = served.pids
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(served.children) == 2 and killed not in served.children)

        assert (
            f"error: worker {killed} was killed by SIGKILL (by the kernel, if memory" in served.said
        )
        assert {int(served.fetch()) for _ in range(20)} <= set(served.children)
        assert other in served.children
        assert served.end() == 0


def test_workers_end_when_their_master_is_gone(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers=2") as served:
        pids = served.pids
        os.kill(served.process.pid, signal.SIGKILL)
        served.wait()

        wait_until(lambda: all(is_gone(pid) for pid in pids))
        assert served.said.count("the master is gone: ending") == 2


def test_more_and_fewer_workers(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        served.send(signal.SIGTTIN)
        served.wait_for("serving with 2 workers")
        served.send(signal.SIGTTOU)
        served.wait_for("serving with 1 worker:", times=2)
        wait_until(lambda: len(served.children) == 1)
        served.send(signal.SIGTTOU)
        served.wait_for("workers wanted: 1", times=2)

        assert served.fetch() == str(served.children[0])


def test_a_worker_that_dies_at_its_start_ends_the_attempt(tmp_path: Path) -> None:
    write(tmp_path, site_app="import os; print('born', flush=True); os._exit(9)")

    began = time.monotonic()
    done = run_serve(tmp_path, "site_app:app", "--bind=127.0.0.1:0", "--workers=4")

    assert done.returncode == 1
    assert done.stdout.count("born") == 5
    assert done.stderr.count("ended with status 9") == 5
    assert "5 workers in a row ended before they served" in done.stderr
    assert time.monotonic() - began > 0.1 + 0.2 + 0.4 + 0.8  # it did not spin


def test_a_worker_that_begins_to_die_is_started_again_and_again_but_ever_more_slowly(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        site_app="""\
            import os, pathlib, time
            from site_common import app
            mark = pathlib.Path("broken")
            print(time.monotonic(), flush=True)
            if mark.exists():
                os._exit(7)
        """,
        site_common="def app(e, s): s('200 OK', []); return [b'x']",
    )
    with Served(tmp_path, "--access-log=none") as served:
        (tmp_path / "broken").touch()
        os.kill(served.pids[0], signal.SIGKILL)
        served.wait_for("ended with status 7", times=3)
        assert served.process.poll() is None
        (tmp_path / "broken").unlink()
        served.wait_for("serving with 1 worker", times=2)

        births = [float(line) for line in served.printed.splitlines()][1:]
        pauses = [late - early for early, late in pairwise(births)]
        assert len(pauses) >= 3
        assert all(pause >= FIRST_DELAY * 2**n for n, pause in enumerate(pauses))
        assert served.fetch() == "x"


def test_a_worker_that_never_gets_ready_is_killed(tmp_path: Path) -> None:
    write(tmp_path, site_app="import time; time.sleep(60)")

    with Served(tmp_path, "--ready-timeout=0.2", workers_wait=False) as served:
        served.wait_for("did not get ready in time: killed")
        assert served.end() == 0


def test_a_worker_that_ignores_the_word_is_killed(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            import pathlib
            def app(environ, start_response):
                pathlib.Path("begun").touch()
                while True:
                    pass
        """,
    )
    with Served(tmp_path, "--grace=0.1") as served, connect(("127.0.0.1", served.port)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until((tmp_path / "begun").exists)
        assert served.end() == 0
        assert re.search(r"worker \d+ did not leave in time: killed", served.said)
        assert re.search(r"by SIGABRT while it was leaving; it was here:\n", served.said)
        assert re.search(r'site_app.py", line \d+ in app\n', served.said)


def test_what_the_application_registered_for_the_end_is_done(tmp_path: Path) -> None:
    write(
        tmp_path,
        site_app="""\
            import atexit, signal, os
            atexit.register(print, "good-bye")
            signal.signal(signal.SIGTERM, lambda *_: print("mine"))
            def app(environ, start_response):
                start_response("200 OK", [])
                return [b"x"]
        """,
    )
    with Served(tmp_path, "--workers=2", "--access-log=none") as served:
        assert served.fetch() == "x"
        assert served.end() == 0
        assert served.printed == "good-bye\ngood-bye\n"


def test_ctrl_c_of_a_terminal_reaches_the_workers_too(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers=2") as served:
        os.killpg(served.process.pid, signal.SIGINT)

        assert served.wait() == 0
        assert "error" not in served.said
        assert "Traceback" not in served.said


def test_a_worker_is_replaced_after_so_many_requests(tmp_path: Path) -> None:
    with Served(tmp_path, "--max-requests=5", "--max-requests-jitter=3") as served:
        answers = []
        while served.said.count("serving with 1 worker") < 4:
            answers.append(int(served.fetch()))
        pids = re.findall(r"worker (\d+) is replaced after (\d+) requests", served.said)
        wait_until(lambda: len(served.children) == 1)

        assert len(pids) >= 3
        assert [int(pid) for pid, _ in pids] == list(dict.fromkeys(answers))[: len(pids)]
        assert {int(limit) for _, limit in pids} <= {5, 6, 7, 8}
        assert "error" not in served.said
