"""Clients written for asyncio, each behind the same four calls, for tests of all of them.

Each has a pool of two connections. `double` is a round trip to the server; `linger` is one
whose answer never comes in time: it has to be cancelled.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import Any, Protocol, Self

from eventlet.event import Event
from eventlet.greenthread import sleep, spawn

__all__ = ["CLIENTS", "POOL_SIZE", "Client", "Heartbeat", "Site"]

POOL_SIZE = 2
LONG = 600  # seconds
LONG_IN_POSTGRES = 20
"""A server that gets the cancellation before the query, as on a busy machine, forgets it."""


class Client(Protocol):
    """What the tests ask of a client."""

    async def open(self) -> None: ...

    async def double(self, n: int) -> int: ...

    async def linger(self) -> None: ...

    async def close(self) -> None: ...


class Asyncpg:
    """asyncpg. The address is what `psycopg2.connect` takes."""

    module, server = "asyncpg", "postgres"

    def __init__(self, address: dict[str, str]) -> None:
        self.address = {**address, "database": address["dbname"]}
        del self.address["dbname"]
        self.pool: Any = None

    async def open(self) -> None:
        driver = importlib.import_module("asyncpg")
        self.pool = await driver.create_pool(**self.address, min_size=1, max_size=POOL_SIZE)

    async def double(self, n: int) -> int:
        return int(await self.pool.fetchval("select $1::int * 2", n))

    async def linger(self) -> None:
        await self.pool.execute("select pg_sleep($1)", LONG_IN_POSTGRES)

    async def close(self) -> None:
        await self.pool.close()


class Psycopg:
    """psycopg's asynchronous side. The address is what `psycopg2.connect` takes."""

    module, server = "psycopg_pool", "postgres"

    def __init__(self, address: dict[str, str]) -> None:
        self.address = address
        self.pool: Any = None

    async def open(self) -> None:
        driver = importlib.import_module("psycopg_pool")
        # It warns when the server got a cancellation before the query: on a busy machine it may.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        self.pool = driver.AsyncConnectionPool(
            kwargs=self.address, min_size=1, max_size=POOL_SIZE, open=False
        )
        await self.pool.open(wait=True)

    async def double(self, n: int) -> int:
        async with self.pool.connection() as connection:
            cursor = await connection.execute("select %s::int * 2", [n])
            [answer] = await cursor.fetchone()
            return int(answer)

    async def linger(self) -> None:
        async with self.pool.connection() as connection:
            await connection.execute("select pg_sleep(%s)", [LONG_IN_POSTGRES])

    async def close(self) -> None:
        await self.pool.close()


class Redis:
    """redis.asyncio. The address is the path of a unix socket."""

    module, server = "redis.asyncio", "redis"

    def __init__(self, address: str) -> None:
        self.address = address
        self.redis: Any = None

    async def open(self) -> None:
        driver: Any = importlib.import_module("redis.asyncio")
        pool = driver.BlockingConnectionPool(
            connection_class=driver.UnixDomainSocketConnection,
            path=self.address,
            max_connections=POOL_SIZE,
        )
        self.redis = driver.Redis.from_pool(pool)

    async def double(self, n: int) -> int:
        return int(await self.redis.eval("return ARGV[1] * 2", 0, n))

    async def linger(self) -> None:
        await self.redis.blpop("a key that nobody pushes to", timeout=LONG)

    async def close(self) -> None:
        await self.redis.aclose()


class Aiohttp:
    """aiohttp's client. The address is the URL of `Site`."""

    module, server = "aiohttp", "site"

    def __init__(self, address: str) -> None:
        self.address = address
        self.session: Any = None

    async def open(self) -> None:
        driver = importlib.import_module("aiohttp")
        connector = driver.TCPConnector(limit=POOL_SIZE)
        self.session = driver.ClientSession(connector=connector)

    async def double(self, n: int) -> int:
        async with self.session.get(f"{self.address}/{n}") as response:
            return int(await response.text())

    async def linger(self) -> None:
        async with self.session.get(f"{self.address}/linger") as response:
            await response.read()

    async def close(self) -> None:
        await self.session.close()
        await asyncio.sleep(0.01)  # its connections close in the next turns of the loop


class Subprocess:
    """`asyncio.subprocess`, two processes at once. It needs no server."""

    module, server = "asyncio.subprocess", None

    def __init__(self, _address: None = None) -> None:
        self.pool: Any = None

    async def open(self) -> None:
        self.pool = asyncio.Semaphore(POOL_SIZE)

    async def double(self, n: int) -> int:
        async with self.pool:
            process = await asyncio.create_subprocess_exec(
                "sh",
                "-c",
                "read n; echo $((n * 2))",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate(b"%d\n" % n)
            return int(out)

    async def linger(self) -> None:
        async with self.pool:
            process = await asyncio.create_subprocess_exec("sleep", str(LONG))
            try:
                await process.wait()
            finally:
                process.kill()
                await process.wait()

    async def close(self) -> None:
        """Nothing is open."""


CLIENTS: dict[str, Any] = {
    "asyncpg": Asyncpg,
    "psycopg": Psycopg,
    "redis": Redis,
    "aiohttp": Aiohttp,
    "subprocess": Subprocess,
}


class Site:
    """A WSGI application that answers what `Aiohttp` asks; `close` ends what lingers."""

    def __init__(self) -> None:
        self._end = Event()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        asked = environ["PATH_INFO"].removeprefix("/")
        if asked == "linger":
            self._end.wait()
            asked = "0"
        sleep(0.002)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"%d" % (int(asked) * 2)]

    def close(self) -> None:
        self._end.send()


class Heartbeat:
    """A green thread that beats every 5 ms inside a `with` block, and counts.

    Attributes:
        beats: how many there were.
    """

    def __enter__(self) -> Self:
        self.beats = 0
        self._thread = spawn(self._beat)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._thread.kill()

    def _beat(self) -> None:
        while True:
            sleep(0.005)
            self.beats += 1
