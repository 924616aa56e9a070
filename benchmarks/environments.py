"""One virtual environment per peer, made once and kept in a cache folder."""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import EnvironmentSpec
from benchmarks.places import BUILD, ENVIRONMENTS, ROOT

__all__ = ["Environment", "EnvironmentFailed", "prepare"]

STAMP = "made-from.json"
INSTALL_SECONDS = 600

IDENTIFY = """
import platform, sys
print(platform.python_version(), sys.base_prefix, sep="\\n")
"""

DESCRIBE = """
import importlib.metadata, json, platform
versions = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
print(json.dumps({"python": platform.python_version(), "packages": versions}))
"""


class EnvironmentFailed(RuntimeError):
    """A peer's environment could not be made."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"the environment of {name} could not be made: {reason}")


@dataclass(frozen=True)
class Environment:
    """A virtual environment that is ready.

    Args:
        python: its interpreter.
        environ: variables its programs run with.
        python_version: the interpreter's version.
        packages: installed distribution -> version.
    """

    python: Path
    environ: Mapping[str, str]
    python_version: str
    packages: Mapping[str, str]


def prepare(spec: EnvironmentSpec, python: str, folder: Path = ENVIRONMENTS) -> Environment:
    """Make the environment, or take the one made earlier from the same list of packages.

    Raises:
        EnvironmentFailed: the interpreter or the installer refused.
    """
    packages = (*_checkout_dependencies(), *spec.packages) if spec.is_checkout else spec.packages
    version, base = _run(spec, [python, "-c", IDENTIFY]).split("\n")[:2]
    wanted = {"python": base, "packages": list(packages)}
    place = folder / f"{spec.name}-{version}"
    interpreter = place / "bin" / "python"
    stamp = place / STAMP
    if not stamp.exists() or json.loads(stamp.read_text()) != wanted:
        _run(spec, [python, "-m", "venv", "--clear", str(place)])
        if packages:
            _run(spec, [str(interpreter), "-m", "pip", "install", "--quiet", *packages])
        stamp.write_text(json.dumps(wanted))
    described = json.loads(_run(spec, [str(interpreter), "-c", DESCRIBE]))
    # The user's own PYTHONPATH would put somebody else's packages into every peer.
    path = str(_snapshot()) if spec.is_checkout else ""
    return Environment(
        python=interpreter,
        environ={"PYTHONPATH": path, "PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore"},
        python_version=described["python"],
        packages=dict(sorted(described["packages"].items())),
    )


def _checkout_dependencies() -> tuple[str, ...]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return tuple(project["dependencies"])


def _snapshot() -> Path:
    """Copy the checkout's `src`, so that edits during a run do not reach into it."""
    copy = BUILD / "checkout"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def _run(spec: EnvironmentSpec, command: Sequence[str]) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        finished = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env={**environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as exc:
        raise EnvironmentFailed(spec.name, (exc.stderr or exc.stdout).strip()) from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise EnvironmentFailed(spec.name, str(exc)) from exc
    return finished.stdout
