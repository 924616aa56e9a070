"""Green subprocess: waiting and talking park; text, errors and results are the standard ones."""

from __future__ import annotations

import importlib
import os
import subprocess as real_subprocess
import sys
import time
from typing import Any

import pytest

from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

subprocess: Any = importlib.import_module("eventlet.green.subprocess")

PYTHON = (sys.executable, "-S", "-c")


def test_others_run_while_a_process_is_awaited() -> None:
    reader, writer = os.pipe()

    def let_it_end() -> None:
        for _ in range(5):
            sleep(0.001)
        os.close(writer)

    spawn(let_it_end)
    status = subprocess.call(["cat"], stdin=reader)
    os.close(reader)

    assert status == 0


def test_run_gives_a_standard_result_with_text() -> None:
    code = "import sys; print('caf\u00e9'); print('bad', file=sys.stderr); sys.exit(3)"
    done: Any = subprocess.run(
        [*PYTHON, code],
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8"},
        check=False,
    )

    assert isinstance(done, real_subprocess.CompletedProcess)
    assert (done.returncode, done.stdout, done.stderr) == (3, "caf\u00e9\n", "bad\n")


def test_errors_are_the_standard_ones() -> None:
    with pytest.raises(real_subprocess.CalledProcessError) as caught:
        subprocess.check_output([*PYTHON, "print(1); raise SystemExit(2)"])
    with pytest.raises(real_subprocess.CalledProcessError):
        subprocess.check_call([*PYTHON, "raise SystemExit(2)"])

    assert (caught.value.returncode, caught.value.output) == (2, b"1\n")
    assert subprocess.TimeoutExpired is real_subprocess.TimeoutExpired


def test_a_lot_goes_through_a_process_and_back() -> None:
    data = bytes(range(256)) * 4000
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, err = process.communicate(data)
        process.stdin.close()

    assert (out, err, process.returncode) == (data, None, 0)


def test_pipes_can_be_used_in_turn() -> None:
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        answers = []
        for line in ("one\n", "two\n"):
            process.stdin.write(line)
            answers.append(process.stdout.readline())
        process.stdin.close()

    assert answers == ["one\n", "two\n"]


@pytest.mark.parametrize("options", [{"encoding": "latin-1"}, {"text": True, "errors": "replace"}])
def test_text_options_are_kept(options: Any) -> None:
    with subprocess.Popen(["true"], stdout=subprocess.PIPE, **options) as process:
        stream: Any = process.stdout

        assert {name: getattr(stream, name, True) for name in options} == options


def test_a_timeout_is_exact_and_the_process_goes_on() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        begin = time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1, check_interval=0.01)
        late = time.monotonic() - begin
        still_running = process.poll() is None
        process.kill()

    assert 0.1 <= late < 20
    assert still_running


def test_communicate_can_be_timed_out_both_ways() -> None:
    with subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=0.02)
        with pytest.raises(Timeout), Timeout(0.02):
            process.communicate()
        process.kill()

    assert process.returncode == -9


def test_line_buffering_of_bytes_is_warned_about() -> None:
    with (
        pytest.warns(RuntimeWarning, match="line buffering"),
        subprocess.Popen(["true"], stdout=subprocess.PIPE, bufsize=1),
    ):
        pass


def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.Popen(["/does/not/exist"])


def test_the_shortcuts_work() -> None:
    assert subprocess.getoutput("echo hi") == "hi"
    assert subprocess.getstatusoutput("exit 3") == (3, "")
    assert subprocess.mswindows is False
