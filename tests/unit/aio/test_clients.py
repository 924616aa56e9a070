"""Real clients written for asyncio, in green threads, beside a green thread that beats on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from greenlet import GreenletExit

from eventlet import wsgi
from eventlet.asyncio import run, spawn_for_awaitable, wait_for_awaitable
from eventlet.convenience import listen
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.aio.clients import CLIENTS, POOL_SIZE, Client, Heartbeat, Site
from tests.unit.postgres_server import PostgresMissing, postgres_server
from tests.unit.redis_server import RedisMissing, redis_server

pytestmark = [pytest.mark.slow, pytest.mark.time_limit(150)]

IN_THE_MIDDLE = 0.05  # seconds after which a query is on the server


@pytest.fixture(scope="module", autouse=True)
def first_imports() -> None:
    """Import the drivers first: with ctypes, libffi opens a file for as long as we live."""
    for kind in CLIENTS.values():
        try:
            importlib.import_module(kind.module)
        except ImportError:
            continue  # the tests with it say that they are skipped


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    try:
        context = postgres_server()
        address = context.__enter__()
    except PostgresMissing as exc:
        pytest.skip(str(exc))
    yield address
    context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    try:
        context = redis_server()
        address = context.__enter__()
    except RedisMissing as exc:
        pytest.skip(str(exc))
    yield address
    context.__exit__(None, None, None)


@pytest.fixture
def site() -> Iterator[str]:
    listener, app = listen(("127.0.0.1", 0)), Site()
    server = spawn(wsgi.server, listener, app, log_output=False)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    app.close()
    server.kill()
    listener.close()
    sleep(0.01)


@pytest.fixture(params=list(CLIENTS))
def make_client(request: pytest.FixtureRequest) -> Callable[[], Client]:
    """Hand out what makes a client that is not open yet."""
    kind = CLIENTS[request.param]
    pytest.importorskip(kind.module, reason=f"{kind.module} is not installed")
    address = None if kind.server is None else request.getfixturevalue(kind.server)
    return lambda: kind(address)


@pytest.fixture
def client(make_client: Callable[[], Client]) -> Iterator[Client]:
    """Hand out a client that is open in the loop of the green threads."""
    made = make_client()
    wait_for_awaitable(made.open(), timeout=60)
    yield made
    wait_for_awaitable(made.close(), timeout=60)


def test_green_threads_share_a_client(client: Client) -> None:
    def ask(n: int) -> int:
        return wait_for_awaitable(client.double(n), timeout=60)

    with Heartbeat() as heart:
        assert list(GreenPool(10).imap(ask, range(30))) == [2 * n for n in range(30)]
        assert heart.beats > 0


def cancel_by_timeout(client: Client) -> None:
    with pytest.raises(Timeout), Timeout(IN_THE_MIDDLE):
        wait_for_awaitable(client.linger())


def cancel_by_own_timeout(client: Client) -> None:
    with pytest.raises(TimeoutError):
        wait_for_awaitable(client.linger(), timeout=IN_THE_MIDDLE)


def cancel_by_kill(client: Client) -> None:
    thread = spawn_for_awaitable(client.linger())
    sleep(IN_THE_MIDDLE)
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()


def cancel_waiter_by_kill(client: Client) -> None:
    thread = spawn(wait_for_awaitable, client.linger())
    sleep(IN_THE_MIDDLE)
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()


@pytest.mark.parametrize(
    "cancel", [cancel_by_timeout, cancel_by_own_timeout, cancel_by_kill, cancel_waiter_by_kill]
)
def test_client_and_pool_live_on_after_a_cancelled_query(
    client: Client, cancel: Callable[[Client], None]
) -> None:
    with Heartbeat() as heart:
        for _ in range(POOL_SIZE + 1):
            cancel(client)
        assert heart.beats > POOL_SIZE  # one each time at least

    threads = [spawn_for_awaitable(client.double(n)) for n in range(4)]
    assert [thread.wait() for thread in threads] == [0, 2, 4, 6]


def test_loops_of_several_green_threads_at_once(make_client: Callable[[], Client]) -> None:
    async def main(n: int) -> int:
        mine = make_client()
        await mine.open()
        try:
            await (mine.linger() if n == 0 else mine.double(0))
            return await mine.double(n)
        finally:
            await mine.close()

    with Heartbeat() as heart:
        lingering = spawn(run, main(0))
        loops = [spawn(run, main(n)) for n in range(1, 4)]
        assert [thread.wait() for thread in loops] == [2, 4, 6]
        sleep(IN_THE_MIDDLE)
        lingering.kill()
        with pytest.raises(GreenletExit):
            lingering.wait()
        assert heart.beats > 0
    assert run(main(5)) == 10


@pytest.mark.parametrize(
    ("hub", "patch"),
    [
        ("epolls", "patched"),
        ("epolls", "unpatched"),
        ("poll", "unpatched"),
        ("selects", "patched"),
        ("asyncio", "unpatched"),
    ],
)
def test_all_clients_on_every_hub(
    hub: str, patch: str, request: pytest.FixtureRequest, run_isolated: Any
) -> None:
    servers: dict[str, Any] = {}
    for kind in CLIENTS.values():
        if kind.server in ("postgres", "redis"):
            servers[kind.server] = request.getfixturevalue(kind.server)
        pytest.importorskip(kind.module, reason=f"{kind.module} is not installed")

    finished = run_isolated(
        "asyncio_clients.py", patch, json.dumps(servers), env={"EVENTLET_HUB": hub}, timeout=120
    )

    assert (finished.stdout.splitlines(), finished.stderr) == ([*CLIENTS, "well"], "")
