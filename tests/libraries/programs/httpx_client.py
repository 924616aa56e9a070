"""httpx over TLS: its blocking client in threads, then its asynchronous one in a loop."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import httpx

from tests.libraries.crew import DELAY, Failure, together


def work(site: Any) -> str:
    base = f"https://localhost:{site['https']['port']}"
    context = ssl.create_default_context(cafile=site["https"]["ca"])
    data = bytes(1_000_000)
    with httpx.Client(verify=context, base_url=base) as client:
        assert all(together(20, lambda number: client.get("/slow").text == "slow"))
        assert client.post("/", content=data).content == data
        with client.stream("GET", "/big?size=3000000") as response:
            assert sum(len(piece) for piece in response.iter_bytes()) == 3_000_000
        with Failure(httpx.ReadTimeout):
            client.get("/never", timeout=0.2)

    async def several() -> list[str]:
        async with httpx.AsyncClient(verify=context, base_url=base) as client:
            answers = await asyncio.gather(*(client.get("/slow") for _ in range(20)))
            return [answer.text for answer in answers]

    began = time.monotonic()
    assert asyncio.run(several()) == ["slow"] * 20
    assert time.monotonic() - began < DELAY * 20
    return "20 slow GETs in threads, 20 in a loop, 1 MB echoed, 3 MB streamed, a time-out"
