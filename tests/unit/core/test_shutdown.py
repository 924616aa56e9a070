"""The program ends at once, silently and with the right status, whoever still waits."""

from __future__ import annotations

import signal
import time

import pytest

from tests.isolated_runner import run_isolated

# The 400 sockets are open at the end, which warnings tell, as with plain ones.
FLAGS = ("-W", "error", "-W", "ignore::ResourceWarning")
STATUSES = {"end": 0, "exit": 3, "green exit": 3, "error": 1, "ctrl-c": -signal.SIGINT}
ERRORS = {"error": "ValueError: main failed", "ctrl-c": "KeyboardInterrupt"}


def end_program(mode: str, end: str, others: str) -> list[str]:
    """Run the script and check status, silence and haste; return what it printed last."""
    status = STATUSES[end]
    done = run_isolated(
        "exit_with_thousands.py", mode, end, others, expect_status=status, flags=FLAGS, timeout=90
    )
    began, *rest = done.stdout.splitlines()
    assert time.time() - float(began) < 30  # seconds, on a busy machine; 0.5 on a quiet one
    if end in ERRORS:
        assert done.stderr.rstrip().endswith(ERRORS[end])
        assert done.stderr.count("Traceback") == 1
    else:
        assert done.stderr == ""
    return rest


@pytest.mark.parametrize("end", STATUSES)
def test_ten_thousand_green_threads_do_not_hinder_the_end(end: str) -> None:
    end_program("plain", end, "none")


@pytest.mark.parametrize("end", ["end", "green exit"])
def test_ten_thousand_green_threads_do_not_hinder_a_patched_program(end: str) -> None:
    end_program("patched", end, "none")


@pytest.mark.parametrize("mode", ["plain", "patched"])
@pytest.mark.parametrize("end", ["exit", "error"])
def test_daemon_os_threads_with_hubs_are_stopped(mode: str, end: str) -> None:
    # In the middle of their work: up to Python 3.13 unwinding their stacks was a crash.
    end_program(mode, end, "daemon")


@pytest.mark.parametrize("end", ["end", "exit"])
def test_other_os_threads_with_hubs_are_awaited(end: str) -> None:
    assert end_program("plain", end, "awaited") == ["8 finished"]


def test_exit_handlers_may_use_green_threads() -> None:
    done = run_isolated(
        """
        import atexit, threading
        import eventlet

        def last_words():
            eventlet.sleep(0.01)
            print(eventlet.spawn(lambda: "said").wait())

        def other():
            while True:
                eventlet.sleep(0.001)

        threading.Thread(target=other, daemon=True).start()
        eventlet.sleep(0.01)
        atexit.register(last_words)
        """
    )
    assert (done.stdout, done.stderr) == ("said\n", "")


def test_a_green_thread_that_computes_in_a_daemon_holds_up_the_end_for_a_moment_only() -> None:
    done = run_isolated(
        """
        import sys, threading, time
        import eventlet

        def spin():
            while True:
                pass

        def other():
            eventlet.spawn(spin)
            eventlet.sleep(1)

        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        eventlet.sleep(0.05)
        print(time.time())
        sys.exit(3)
        """,
        expect_status=3,
    )
    assert done.stderr == ""
    assert time.time() - float(done.stdout) < 30
