"""Run a script of `tests/isolated/`, or a piece of code, in a fresh interpreter.

Whatever touches the process as a whole (patching, fork, signals, exit) is tested there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tests" / "isolated"


def run_isolated(
    script_or_code: str | os.PathLike[str],
    *args: str,
    timeout: float = 60.0,
    expect_status: int | None = 0,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
    flags: tuple[str, ...] = ("-W", "error"),
) -> subprocess.CompletedProcess[str]:
    """Run a script or code in a fresh interpreter where warnings are errors.

    Args:
        script_or_code: a file name of `tests/isolated/` (ends with `.py`), a path, or code.
            Code is dedented.
        args: what the script finds in `sys.argv[1:]`.
        timeout: seconds until the interpreter is told to show its stacks and is killed.
        expect_status: the exit status that means success, negative for a signal as in
            `subprocess`; `None` takes any.
        env: variables on top of the environment of the caller.
        stdin: text for the standard input, which is empty otherwise.
        flags: options of the interpreter.

    Returns:
        The finished process, with `stdout` and `stderr` as text.

    Raises:
        AssertionError: another status came back, or the time was up; it shows the output.
    """
    __tracebackhide__ = True
    command = [sys.executable, "-X", "faulthandler", *flags, *_target(script_or_code), *args]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=_environment(env or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        out, err = _end(process)
        raise AssertionError(
            _report(command, f"not finished after {timeout} s", out, err)
        ) from None
    except BaseException:
        _end(process)
        raise
    if expect_status is not None and process.returncode != expect_status:
        what = f"exit status {process.returncode}, expected {expect_status}"
        raise AssertionError(_report(command, what, out, err))
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _target(script_or_code: str | os.PathLike[str]) -> list[str]:
    if isinstance(script_or_code, os.PathLike):
        return [os.fspath(script_or_code)]
    if script_or_code.endswith(".py") and "\n" not in script_or_code:
        return [str(SCRIPTS / script_or_code)]
    return ["-c", textwrap.dedent(script_or_code)]


def _environment(extra: dict[str, str]) -> dict[str, str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVENTLET_", "PYTEST_", "PYTHON"))
    }
    env["PYTHONPATH"] = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONIOENCODING"] = "utf-8"
    return env | extra


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Kill the process and all that it started; return what it had written."""
    import signal

    try:
        os.killpg(process.pid, signal.SIGABRT)  # faulthandler writes the stacks
        return process.communicate(timeout=10.0)
    except subprocess.TimeoutExpired:
        pass
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return process.communicate()


def _report(command: list[str], what: str, out: str, err: str) -> str:
    shown = " ".join(part if "\n" not in part else "<code>" for part in command)
    return f"{what}: {shown}\n--- stdout ---\n{out}\n--- stderr ---\n{err}"
