from __future__ import annotations

import sys
from pathlib import Path

import pytest

from examples.demo import children
from examples.demo.children import Child, ChildFailed, memory_bytes

pytestmark = pytest.mark.slow


PATIENT = "print('listening on somewhere', flush=True); import time; time.sleep(60)"


def child(code: str) -> Child:
    """Return a child that runs code in place of a module."""
    made = Child("helper", "none")
    made.command = [sys.executable, "-c", code]
    return made


def test_announcement_is_its_address() -> None:
    with child(PATIENT) as helper:
        assert helper.address == "somewhere"
        helper.check()
        memory = helper.memory_bytes()
        assert memory is None or memory > 1_000_000
        pid = helper.process.pid

    assert helper.process.returncode is not None
    assert memory_bytes(pid) is None


def test_child_that_ends_early_shows_its_last_words() -> None:
    with (
        pytest.raises(ChildFailed, match="ended with status 3") as caught,
        child("import sys; print('no such luck', file=sys.stderr); sys.exit(3)"),
    ):
        raise AssertionError("the child was taken for ready")

    assert caught.value.stderr == "no such luck"


def test_child_that_says_something_else_is_refused() -> None:
    with pytest.raises(ChildFailed, match="said 'hello"), child("print('hello', flush=True)"):
        raise AssertionError("the child was taken for ready")


def test_child_that_is_not_ready_in_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "START_SECONDS", 0.2)
    helper = child("import time; time.sleep(60)")
    with pytest.raises(ChildFailed, match="was not ready within"), helper:
        raise AssertionError("the child was taken for ready")

    assert helper.process.returncode is not None


def test_child_that_ends_too_soon_is_noticed() -> None:
    with child("print('listening on somewhere', flush=True)") as helper:
        helper.process.wait(60)

        with pytest.raises(ChildFailed, match="ended with status 0"):
            helper.check()


def test_child_that_ignores_signals_is_killed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "STOP_SECONDS", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('listening on nothing', flush=True); time.sleep(60)"
    )
    with child(deaf) as helper:
        pid = helper.process.pid

    assert helper.process.returncode == -9
    assert not Path(f"/proc/{pid}").exists()
    assert "did not stop in time and was killed" in capsys.readouterr().err


def test_child_is_reaped_when_the_block_is_left_by_an_interrupt() -> None:
    helper = child(PATIENT)
    with pytest.raises(KeyboardInterrupt), helper:
        raise KeyboardInterrupt

    assert helper.process.returncode is not None
