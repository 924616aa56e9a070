"""`import_patched` on real packages, which do real work in a fresh interpreter."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.conftest import RunIsolated


@pytest.mark.slow
@pytest.mark.parametrize("package", ["urllib", "httpx", "dns", "requests"])
def test_a_whole_package_becomes_green(package: str, run_isolated: RunIsolated) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} comes with the extra `libraries`")

    assert run_isolated("patched_packages.py", package).stdout == "passed\n"
