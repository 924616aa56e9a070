"""Run the standard library's tests with and without the patch and print the table.

python -m tests.stdlib --python .venv-3.13/bin/python test_socket test_ssl
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.stdlib.catalogue import MODULES
from tests.stdlib.driver import Interpreter, run_module
from tests.stdlib.expected import judge, load
from tests.stdlib.outcome import PASSED, ModuleOutcome
from tests.stdlib.report import (
    PAGE,
    RESULTS,
    ROOT,
    counts,
    page,
    percentage,
    write_results,
)


def main(arguments: list[str] | None = None) -> int:
    """Run, print and judge; the exit status is 0 when every difference is expected."""
    options = parse(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    if "/" in options.python:  # the workers have another working directory
        options.python = os.path.abspath(options.python)
    version = version_of(options.python)
    work: Path = options.work / version
    work.mkdir(parents=True, exist_ok=True)
    modules = options.modules or list(MODULES)
    control_file = work / "control.json"
    control = {} if options.fresh else read(control_file)
    missing = [name for name in modules if name not in control]
    if missing:
        print(f"control: Python {version}, unpatched", flush=True)
        control |= run_all(missing, options, work / "control", control, patch=False)
        write(control_file, control)
    usable = [name for name in modules if not control[name].missing]
    for name in set(modules).difference(usable):
        print(f"left out: {control[name].missing}")
    print(f"patched: Python {version}", flush=True)
    patched = run_all(usable, options, work / "patched", control, patch=True)
    write(work / "patched.json", read(work / "patched.json") | patched)

    table, differences = counts(control, patched)
    ran = [
        test
        for name in usable
        for test, outcome in control[name].tests.items()
        if outcome.status == PASSED
    ]
    short = version.rpartition(".")[0]
    surprises, outdated = judge(differences, load(short), ran)
    passed, total = (sum(pair[side] for pair in table.values()) for side in (0, 1))
    print(f"\nPython {version}: {passed} of {total} tests, {percentage(passed, total)}")
    print(f"{len(differences)} differences, {len(differences) - len(surprises)} of them expected")
    for entry in surprises:
        print(f"  not expected: {entry.status:7} {entry.test}")
    for test in outdated:
        print(f"  listed, but passes: {test}")
    if options.publish:
        write_results(RESULTS / f"{short}.json", version, commit(), table, differences)
        PAGE.write_text(page(), encoding="utf-8")
    return 1 if surprises or outdated else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.stdlib", description=__doc__)
    parser.add_argument("modules", nargs="*", help="names below `test`; all of them if none")
    parser.add_argument("--python", default=sys.executable, help="an environment that has us")
    parser.add_argument("--jobs", type=int, default=2, help="modules at once")
    parser.add_argument(
        "--work", type=Path, default=ROOT / ".stdlib-tests", help="where logs and controls are kept"
    )
    parser.add_argument("--fresh", action="store_true", help="run the control again")
    parser.add_argument(
        "--publish", action="store_true", help="write the results and the page of the documentation"
    )
    options = parser.parse_args(arguments)
    if options.publish and options.modules:
        parser.error("--publish is for a run of all modules")
    return options


def run_all(
    modules: list[str],
    options: argparse.Namespace,
    logs: Path,
    usual: dict[str, ModuleOutcome],
    *,
    patch: bool,
) -> dict[str, ModuleOutcome]:
    """Run the modules, some at once, each in interpreters of its own."""
    logs.mkdir(exist_ok=True)
    interpreter = Interpreter(options.python, patch)

    def run(name: str) -> tuple[str, ModuleOutcome]:
        log = logs / f"{name}.log"
        log.unlink(missing_ok=True)
        known = usual[name].tests if name in usual else {}
        outcome = run_module(name, interpreter, known, log)
        line = f"  {name:36} {summary(outcome):56} {outcome.seconds:6.0f} s"
        print(line + ("" if outcome.ends else "  did not end by itself"), flush=True)
        return name, outcome

    with ThreadPoolExecutor(options.jobs) as executor:
        return dict(executor.map(run, modules))


def summary(outcome: ModuleOutcome) -> str:
    """Return the statuses of a module, counted."""
    if outcome.missing or outcome.refused:
        return outcome.missing or outcome.refused.strip().splitlines()[-1]
    statuses = [entry.status for entry in outcome.tests.values()]
    return " ".join(f"{status}={statuses.count(status)}" for status in sorted(set(statuses)))


def version_of(python: str) -> str:
    """Return the version of an interpreter, such as 3.13.0."""
    code = "import platform; print(platform.python_version())"
    answer = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def commit() -> str:
    """Return the commit the tree is at, marked when the tree differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.strip()


def read(file: Path) -> dict[str, ModuleOutcome]:
    """Return outcomes by module, none if there is no such file."""
    if not file.exists():
        return {}
    data = json.loads(file.read_text(encoding="utf-8"))
    return {name: ModuleOutcome.from_json(entry) for name, entry in data.items()}


def write(file: Path, outcomes: dict[str, ModuleOutcome]) -> None:
    """Write outcomes by module."""
    data = {name: outcome.as_json() for name, outcome in outcomes.items()}
    file.write_text(json.dumps(data), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
