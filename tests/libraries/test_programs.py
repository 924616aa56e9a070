"""The programs whose libraries every developer has: in both orders, in fresh interpreters.

`make test-libraries` runs the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.libraries import __main__ as runner
from tests.libraries.__main__ import ORDERS, run_program
from tests.libraries.catalogue import PROGRAMS, Program
from tests.libraries.servers import SERVERS, Authority

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def site(authority: Authority) -> Iterator[dict[str, Any]]:
    with SERVERS["https"](authority) as https, SERVERS["dns"](authority) as dns:
        yield {"https": https, "dns": dns}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["aiohttp_client", "dns_client"])
def test_a_library_works_and_lets_others_run(
    name: str, order: str, site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long others are held up is measured by the long run, on a quiet machine.
    monkeypatch.setattr(runner, "LIMIT_MS", 20_000)
    outcome = run_program(name, order, site)

    assert outcome.problem == ""
    assert outcome.gap_ms > 0


def test_a_library_that_keeps_others_from_running_is_found_out(
    site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROGRAMS, "dns_client", Program("dnspython", ("dns",), {"os": True}))

    assert "no beat for" in run_program("dns_client", "after", site).problem


def test_every_program_is_in_the_catalogue() -> None:
    files = Path(__file__).with_name("programs").glob("*_client.py")

    assert {file.stem for file in files} == set(PROGRAMS)
