"""aiohttp over TLS, in a loop of the standard library."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import aiohttp

from tests.libraries.crew import DELAY, Failure


def work(site: Any) -> str:
    base = f"https://localhost:{site['https']['port']}"
    context = ssl.create_default_context(cafile=site["https"]["ca"])

    async def talk() -> None:
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(base, connector=connector) as session:

            async def slow() -> str:
                async with session.get("/slow") as response:
                    return await response.text()

            began = time.monotonic()
            assert await asyncio.gather(*(slow() for _ in range(20))) == ["slow"] * 20
            assert time.monotonic() - began < DELAY * 20
            async with session.post("/", data=bytes(1_000_000)) as response:
                assert len(await response.read()) == 1_000_000
            with Failure(TimeoutError):
                await session.get("/never", timeout=aiohttp.ClientTimeout(total=0.2))
        await asyncio.to_thread(time.sleep, 0.05)

    asyncio.run(talk())
    return "20 slow GETs in a loop, 1 MB echoed, a time-out"
