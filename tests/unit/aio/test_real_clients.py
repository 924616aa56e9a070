"""Libraries written for asyncio, used by green threads, and servers that use green code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from eventlet import wsgi
from eventlet.asyncio import attach, run, spawn_for_awaitable, to_green, wait_for_awaitable
from eventlet.convenience import listen
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn
from eventlet.queue import Queue

aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


@pytest.fixture
def site() -> Iterator[str]:
    """Serve `wsgi_app` in green threads of this OS thread; hand out the address."""
    listener = listen(("127.0.0.1", 0))
    server = spawn(wsgi.server, listener, wsgi_app, log_output=False)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.kill()
    listener.close()
    sleep(0.01)


async def fetch(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        text: str = await response.text()
        return text


def test_aiohttp_from_green_threads(site: str) -> None:
    threads = [spawn_for_awaitable(fetch(f"{site}/{n}")) for n in range(10)]

    assert [thread.wait() for thread in threads] == [f"/{n}" for n in range(10)]


def test_one_aiohttp_session_shared_by_green_threads(site: str) -> None:
    async def open_session() -> Any:
        return aiohttp.ClientSession()

    session = wait_for_awaitable(open_session())

    def get(n: int) -> str:
        async def request() -> str:
            async with session.get(f"{site}/{n}") as response:
                text: str = await response.text()
                return text

        return wait_for_awaitable(request(), timeout=30)

    try:
        assert list(GreenPool(5).imap(get, range(20))) == [f"/{n}" for n in range(20)]
    finally:
        wait_for_awaitable(session.close())


def test_aiohttp_in_loops_of_green_threads(site: str) -> None:
    threads = [spawn(run, fetch(f"{site}/{n}")) for n in range(5)]

    assert [thread.wait() for thread in threads] == [f"/{n}" for n in range(5)]


def test_an_aiohttp_server_calls_green_code() -> None:
    jobs: Queue[Any] = Queue()

    def work() -> None:
        for answer in iter(jobs.get, None):
            sleep(0.001)
            answer.put("from a green worker")

    def ask() -> str:
        answer: Queue[str] = Queue()
        jobs.put(answer)
        return answer.get(timeout=30)

    async def handle(_request: Any) -> Any:
        return aiohttp.web.Response(text=await to_green(ask))

    async def main() -> list[str]:
        attach()
        worker = spawn(work)
        app = aiohttp.web.Application()
        app.router.add_get("/", handle)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            return await asyncio.gather(*(fetch(f"http://{host}:{port}/") for _ in range(10)))
        finally:
            await runner.cleanup()
            jobs.put(None)
            await worker

    import aiohttp.web

    assert asyncio.run(main()) == ["from a green worker"] * 10


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_starlette_app_on_uvicorn_calls_green_code(kind: str, run_isolated: Any) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="starlette is not installed")
    if kind == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed")
    finished = run_isolated(APP, kind, timeout=100, flags=())

    assert finished.stdout.splitlines() == ["green 0", "green 1", "green 2", "well"]
    assert finished.stderr == ""


APP = """
    import asyncio, contextlib, sys, threading, urllib.request
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    import eventlet
    from eventlet.asyncio import attach, to_green

    ticks = []

    def work(n):
        before = len(ticks)
        while len(ticks) < before + 4:  # the loop runs meanwhile
            eventlet.sleep(0.005)
        return f"green {n}"

    async def answer(request):
        return PlainTextResponse(await to_green(work, request.path_params["n"]))

    @contextlib.asynccontextmanager
    async def lifespan(app):
        attach()
        ticker = asyncio.create_task(tick())
        yield
        ticker.cancel()

    async def tick():
        while True:
            await asyncio.sleep(0.005)
            ticks.append(1)

    app = Starlette(routes=[Route("/{n}", answer)], lifespan=lifespan)
    config = uvicorn.Config(app, port=0, log_level="warning", loop=sys.argv[1])
    server = uvicorn.Server(config)

    def ask():
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        for n in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{n}") as response:
                print(response.read().decode())
        server.should_exit = True

    client = threading.Thread(target=ask)
    client.start()
    server.run()
    client.join()
    assert len(ticks) > 10, ticks
    eventlet.sleep(0.001)
    print("well")
"""
