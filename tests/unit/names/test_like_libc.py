"""The same tuples, order and errors as the C library, which asks the same server as we do."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.isolated_runner import ROOT, SCRIPTS

SCENARIOS = {
    "everything": 2000,
    "searches": 700,
    "orders": 400,
    "no files": 70,
    "servers": 35,
    "single lines": 15,
    "ipv4 first": 9,
    "a label": 9,
    "a scope": 9,
}
SEPARATE = ["unshare", "--net", "--mount", "--uts"]


def why_not() -> str | None:
    """Say why the comparison cannot be made here, None when it can."""
    if platform.libc_ver()[0] != "glibc":
        return "what is compared is the GNU C library"
    if os.geteuid() != 0:
        return "only root can make namespaces with networks of their own"
    for program in ("unshare", "ip", "mount", "dnsmasq"):
        if shutil.which(program) is None:
            return f"no {program} on PATH"
    made = subprocess.run([*SEPARATE, "true"], check=False, capture_output=True, text=True)
    return f"no namespaces here: {made.stderr.strip()}" if made.returncode else None


REASON = why_not()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_names_are_looked_up_as_the_c_library_does(scenario: str, tmp_path: Path) -> None:
    command = [*SEPARATE, sys.executable, "-W", "error", str(SCRIPTS / "names_like_libc.py")]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [*command, scenario, str(tmp_path)],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])

    assert told["differences"] == []
    assert told["made"] >= SCENARIOS[scenario]
