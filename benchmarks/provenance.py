"""What a run was made on: the machine, the commit, the versions."""

import datetime as dt
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import Environment
from benchmarks.places import ROOT
from benchmarks.process import Cores

__all__ = ["describe", "file_stem", "headline"]


def describe(
    environments: Mapping[str, Environment], cores: Cores, options: Mapping[str, object]
) -> dict[str, Any]:
    """Collect the facts that go with the numbers, ready for JSON."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed_since_commit": _git("status", "--porcelain", "--", "src").splitlines(),
        "machine": {
            "cpu": _cpu_model(),
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "load_average_before": os.getloadavg(),
            "measured_core": cores.measured,
            "load_core": cores.load,
        },
        "options": dict(options),
        "environments": {
            name: {"python": environment.python_version, "packages": dict(environment.packages)}
            for name, environment in environments.items()
        },
    }


def file_stem(about: Mapping[str, Any]) -> str:
    """Return the name of the result files, without an ending: date and commit."""
    return f"{about['date'][:10]}-{about['commit'][:9]}"


def headline(about: Mapping[str, Any], libraries: Sequence[str]) -> str:
    """Say in one line what the numbers were made on."""
    versions = sorted({place["python"] for place in about["environments"].values()})
    found = {
        name.lower(): version
        for place in about["environments"].values()
        for name, version in place["packages"].items()
    }
    named = [f"{name} {found[name]}" for name in libraries if name in found]
    changed = " with local changes" if about["changed_since_commit"] else ""
    return ", ".join(
        [
            about["date"][:10],
            f"commit {about['commit'][:9]}{changed}",
            f"Python {' '.join(versions)}",
            *named,
            about["machine"]["cpu"],
        ]
    )


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return finished.stdout.strip() if finished.returncode == 0 else "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
