"""requests over TLS: sessions, a pool of connections, time limits, errors."""

from __future__ import annotations

from typing import Any

import requests

from tests.libraries.crew import Failure, together


def work(site: Any) -> str:
    base = f"https://localhost:{site['https']['port']}"
    session = requests.Session()
    session.verify = site["https"]["ca"]
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=10))

    def slow(number: int) -> bool:
        return bool(session.get(f"{base}/slow", timeout=10).text == "slow")

    assert all(together(20, slow))
    assert all(together(10, slow))
    data = bytes(2_000_000)
    assert session.post(base, data=data, timeout=10).content == data
    with session.get(f"{base}/big?size=3000000", stream=True, timeout=10) as response:
        assert sum(len(piece) for piece in response.iter_content(65536)) == 3_000_000
    with Failure(requests.exceptions.ReadTimeout):
        session.get(f"{base}/never", timeout=0.2)
    with Failure(requests.exceptions.SSLError):
        requests.get(base, timeout=5)
    session.close()
    return "30 slow GETs in parallel, 2 MB echoed, 3 MB streamed, a time-out, a bad certificate"
