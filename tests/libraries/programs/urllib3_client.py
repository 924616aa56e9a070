"""urllib3 over TLS: a pool of connections, time limits, retries."""

from __future__ import annotations

from typing import Any

import urllib3

from tests.libraries.crew import Failure, together

MAJOR = "2."


def work(site: Any) -> str:
    assert urllib3.__version__.startswith(MAJOR), urllib3.__version__
    base = f"https://localhost:{site['https']['port']}"
    pool = urllib3.PoolManager(maxsize=5, block=True, ca_certs=site["https"]["ca"])

    def slow(number: int) -> bool:
        return bool(pool.request("GET", f"{base}/slow").data == b"slow")

    assert all(together(10, slow))
    data = bytes(2_000_000)
    assert pool.request("POST", base, body=data).data == data
    response = pool.request("GET", f"{base}/big?size=3000000", preload_content=False)
    assert sum(len(piece) for piece in response.stream(65536)) == 3_000_000
    response.release_conn()
    with Failure(urllib3.exceptions.ReadTimeoutError):
        pool.request("GET", f"{base}/never", timeout=0.2, retries=False)
    with Failure(urllib3.exceptions.SSLError):
        urllib3.PoolManager().request("GET", base, retries=False)
    pool.clear()
    return "10 slow GETs over 5 connections, 2 MB echoed, 3 MB streamed, a time-out"
