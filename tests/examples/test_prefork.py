from __future__ import annotations

import os
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.examples.programs import EXAMPLES, Running, example

pytestmark = pytest.mark.slow

ALLOW_FORK = "-W", "error", "-W", "ignore:This process:DeprecationWarning"
PATCHED = (
    "import runpy, sys\n"
    "import eventlet\n"
    "eventlet.monkey_patch()\n"
    f"sys.argv[0] = {str(EXAMPLES / 'prefork.py')!r}\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def ask(server: Running) -> int:
    """Return the number of the process that answered."""
    host, port = server.address
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=60) as response:
        return int(response.read())


def ask_until(server: Running, wanted: int) -> set[int]:
    """Ask, many at a time, until so many processes have answered."""
    answered: set[int] = set()
    with ThreadPoolExecutor(10) as executor:
        give_up = time.monotonic() + 60
        while len(answered) < wanted and time.monotonic() < give_up:
            answered |= set(executor.map(ask, [server] * 20))
    return answered


@pytest.mark.parametrize("mode", ["plain", "patched"])
def test_all_workers_serve_and_one_that_dies_is_replaced(mode: str) -> None:
    target = EXAMPLES / "prefork.py" if mode == "plain" else PATCHED
    with Running(target, "--port", "0", "--workers", "3", flags=ALLOW_FORK) as server:
        before = ask_until(server, 3)
        assert len(before) == 3
        assert server.process.pid not in before

        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        server.wait_for(f"worker {victim} ended with -9")
        after = ask_until(server, 3)
        assert len(after) == 3
        assert len(after - before) == 1

        assert server.stop(signal.SIGTERM) == 0
        assert server.stdout.count("ended with 0") == 3
        assert server.stderr == ""
    for pid in after:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_ctrl_c_ends_them_all() -> None:
    with example("prefork", "--workers", "2") as server:
        assert len(ask_until(server, 2)) == 2
        assert server.stop() == 0
        assert server.stdout.count("ended with 0") == 2
        assert server.stderr == ""
