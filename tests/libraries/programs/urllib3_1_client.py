"""urllib3 1.26, with the same program as 2."""

from __future__ import annotations

from typing import Any

from tests.libraries.programs import urllib3_client


def work(site: Any) -> str:
    urllib3_client.MAJOR = "1.26."
    return urllib3_client.work(site)
