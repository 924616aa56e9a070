"""Run one test module in fresh interpreters: watch it, cut what hangs, retry what fails.

A worker that reports nothing for the time its current test may take is killed with all its
descendants; the test counts as `hang`, and another worker takes the tests that are left. After
a few hangs in one class the rest of that class is cut, and after more of them the module.
Where the machine allows it, a worker has a network and process namespace of its own, with
nothing but loopback in it.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import monotonic

from tests.stdlib.outcome import PASSED, ModuleOutcome, TestOutcome

__all__ = ["Interpreter", "run_module"]

WORKER = Path(__file__).with_name("worker.py")
START_SECONDS = 60.0
EXIT_SECONDS = 20.0
HANGS_OF_A_CLASS = 3
HANGS_OF_A_MODULE = 12
RETRIED_ENDS = 6


@dataclass(frozen=True)
class Interpreter:
    """Which Python runs the tests, and how.

    Attributes:
        executable: the Python; the library must be importable in it for a patched run.
        patch: whether `monkey_patch` comes before everything else.
        package: where the test modules are.
        path: where else modules are looked for.
        stall_seconds: how long any test may take.
    """

    executable: str
    patch: bool
    package: str = "test"
    path: tuple[str, ...] = ()
    stall_seconds: float = 30.0


@cache
def _isolation() -> tuple[str, ...]:
    """Return the command that puts a worker into namespaces of its own; empty if it cannot."""
    command = ("unshare", "-n", "-p", "-f", "--kill-child", "--mount-proc")
    inside = ("sh", "-c", 'ip link set lo up && "$@"; exit $?', "sh")
    try:
        subprocess.run(
            (*command, *inside, "true"), check=True, capture_output=True, timeout=START_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return (*command, *inside)


def run_module(
    module: str, interpreter: Interpreter, usual: Mapping[str, TestOutcome], log: Path
) -> ModuleOutcome:
    """Run a module of `test` to its end, whatever its tests do.

    Args:
        module: the name below `test`.
        interpreter: who runs it.
        usual: outcomes of an earlier run; their durations say what is slow here.
        log: where the output of the workers goes.
    """
    began = monotonic()
    run = _ModuleRun(module, interpreter, usual, log)
    run.first_pass()
    run.retry()
    run.outcome.seconds = round(monotonic() - began, 1)
    return run.outcome


class _ModuleRun:
    def __init__(
        self, module: str, interpreter: Interpreter, usual: Mapping[str, TestOutcome], log: Path
    ) -> None:
        self.module = module
        self.interpreter = interpreter
        self.usual = usual
        self.log = log
        self.outcome = ModuleOutcome()
        self.plan: list[str] = []

    def first_pass(self) -> None:
        """Run everything; start again after each hang or crash with what is left."""
        results = self.outcome.tests
        hangs: dict[str, int] = {}
        while True:
            worker = _Worker(self, only=None, skip=results)
            worker.run(results)
            if worker.ended or self.outcome.missing or self.outcome.refused:
                break
            if worker.current is None:
                if not self.plan:
                    self.outcome.refused = "the interpreter died before it listed its tests"
                break
            owner = worker.current.rpartition(".")[0]
            hangs[owner] = hangs.get(owner, 0) + 1
            if hangs[owner] >= HANGS_OF_A_CLASS:
                self._cut(owner + ".")
            if sum(hangs.values()) >= HANGS_OF_A_MODULE:
                self._cut("")
            if all(test in results for test in self.plan):
                break
        for test in self.plan:
            results.setdefault(test, TestOutcome("error", detail="set-up failed, or not reached"))

    def _cut(self, prefix: str) -> None:
        for test in self.plan:
            if test.startswith(prefix):
                self.outcome.tests.setdefault(test, TestOutcome("cut"))

    def retry(self) -> None:
        """Run what failed once more, in a fresh interpreter that runs nothing else.

        A test that hung or crashed gets an interpreter of its own, as far as that is affordable.
        """
        results = self.outcome.tests
        failed = [t for t, o in results.items() if o.status in ("fail", "error")]
        ended = [t for t, o in results.items() if o.status in ("hang", "crash")]
        for group in (failed, *([test] for test in ended[:RETRIED_ENDS])):
            again: dict[str, TestOutcome] = {}
            if group:
                _Worker(self, only=group, skip=again).run(again)
            for test, outcome in again.items():
                if outcome.status == PASSED:
                    results[test] = replace(outcome, retried=True)

    def patience(self, test: str) -> float:
        """Return how many seconds a test may take."""
        known = self.usual.get(test)
        is_slow = known is not None and known.status == PASSED
        return self.interpreter.stall_seconds + (8 * known.seconds if known and is_slow else 0.0)


class _Worker:
    """One interpreter that runs some tests of the module."""

    def __init__(
        self, run: _ModuleRun, only: list[str] | None, skip: Mapping[str, TestOutcome]
    ) -> None:
        self.run_of = run
        self.order = {
            "module": f"{run.interpreter.package}.{run.module}",
            "path": run.interpreter.path,
            "patch": run.interpreter.patch,
            "only": only,
            "skip": list(skip),
        }
        self.current: str | None = None
        self.ended = False
        self._began = 0.0

    def run(self, results: dict[str, TestOutcome]) -> None:
        """Start the interpreter and take its reports into `results` until it is gone."""
        place = Path(tempfile.mkdtemp(prefix="stdlib-tests-"))
        reading, writing = os.pipe()
        try:
            with self.run_of.log.open("ab") as log:
                process = self._start(place, writing, log.fileno())
            os.close(writing)
            writing = -1
            self._follow(reading, process, results)
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
            shutil.rmtree(place, ignore_errors=True)

    def _start(self, place: Path, writing: int, log: int) -> subprocess.Popen[bytes]:
        order = place / "order.json"
        order.write_text(json.dumps({**self.order, "events": writing}), encoding="utf-8")
        home = place / "home"
        home.mkdir()
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("PYTHON")
        }
        environment |= {
            "HOME": str(home),
            "TMPDIR": str(place),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
        }
        return subprocess.Popen(
            [*_isolation(), self.run_of.interpreter.executable, "-P", str(WORKER), str(order)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=environment,
            pass_fds=(writing,),
            start_new_session=True,
        )

    def _follow(
        self, reading: int, process: subprocess.Popen[bytes], results: dict[str, TestOutcome]
    ) -> None:
        buffer = b""
        heard = monotonic()
        while True:
            gone = process.poll() is not None
            readable = select.select([reading], [], [], 0.0 if gone else 0.2)[0]
            data = os.read(reading, 1 << 16) if readable else b""
            if data:
                heard = monotonic()
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line), results)
            elif gone:
                self._lost("crash", f"exit status {process.returncode}", results)
                break
            elif monotonic() - heard > self._limit():
                _kill(process)
                self._lost("hang", "no sign of life", results)
                break
        _kill(process)

    def _limit(self) -> float:
        if self.ended:
            return EXIT_SECONDS
        return START_SECONDS if self.current is None else self.run_of.patience(self.current)

    def _take(self, event: list[object], results: dict[str, TestOutcome]) -> None:
        match event:
            case ["plan", [*tests]]:
                self.run_of.plan = [str(test) for test in tests]
            case ["start", str(test)]:
                self.current = test
                self._began = monotonic()
            case ["result", str(test), str(status), float(seconds) | int(seconds), str(detail)]:
                results[test] = TestOutcome(status, float(seconds), detail)
                self.current = None
            case ["missing", str(why)]:
                self.run_of.outcome.missing = why
                self.ended = True
            case ["refused", str(why)]:
                self.run_of.outcome.refused = why
                self.ended = True
            case ["end"]:
                self.ended = True
            case _:
                raise AssertionError(f"a worker reported {event!r}")

    def _lost(self, status: str, detail: str, results: dict[str, TestOutcome]) -> None:
        """Note what the end of the interpreter means for the test it was in, if any."""
        if self.current is not None:
            seconds = round(monotonic() - self._began, 3)
            results[self.current] = TestOutcome(status, seconds, detail)
        elif status == "hang" and self.ended:
            self.run_of.outcome.ends = False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker and everything in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
