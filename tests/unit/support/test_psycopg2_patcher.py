"""psycopg2 over green threads, with a real PostgreSQL server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from eventlet.greenthread import sleep, spawn
from eventlet.hubs import trampoline
from eventlet.support.psycopg2_patcher import eventlet_wait_callback, make_psycopg_green
from eventlet.timeout import Timeout

from tests.unit.postgres_server import PostgresMissing, postgres_server

psycopg2 = pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
extensions = psycopg2.extensions


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    try:
        context = postgres_server()
        dsn = context.__enter__()
    except PostgresMissing as exc:
        pytest.skip(str(exc))
    yield dsn
    context.__exit__(None, None, None)


@pytest.fixture
def green() -> Iterator[None]:
    make_psycopg_green()
    yield
    extensions.set_wait_callback(None)


@pytest.fixture
def conn(server: dict[str, Any], green: None) -> Iterator[Any]:
    opened = psycopg2.connect(**server)
    yield opened
    opened.close()


def ask(conn: Any, statement: str) -> Any:
    with conn.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


class StuckConnection:
    """A connection that always says the same of itself."""

    def __init__(self, state: int, fd: int = -1) -> None:
        self.state = state
        self.fd = fd

    def poll(self) -> int:
        return self.state

    def fileno(self) -> int:
        return self.fd


@pytest.mark.slow
@pytest.mark.usefixtures("green")
def test_queries_run_side_by_side_and_others_go_on(server: dict[str, Any]) -> None:
    ticks = []
    connected: list[int] = []
    inside: list[int] = []
    most: list[int] = []

    def ticker() -> None:
        while True:
            sleep(0.01)
            ticks.append(time.monotonic())

    def query(number: int) -> int:
        conn = psycopg2.connect(**server)
        try:
            connected.append(number)
            while len(connected) < 5:
                sleep(0.005)
            inside.append(number)
            ask(conn, "select pg_sleep(0.2)")
            most.append(len(inside))
            inside.remove(number)
            return int(ask(conn, f"select {number} * 2"))
        finally:
            conn.close()

    ticking = spawn(ticker)
    threads = [spawn(query, number) for number in range(5)]
    results = [thread.wait() for thread in threads]
    ticking.kill()

    assert results == [0, 2, 4, 6, 8]
    assert max(most) == 5
    assert ticks


@pytest.mark.slow
def test_a_large_result_and_a_large_query(conn: Any) -> None:
    assert len(ask(conn, "select repeat('x', 5000000)")) == 5_000_000
    assert ask(conn, f"select length('{'y' * 3_000_000}')") == 3_000_000


@pytest.mark.slow
def test_a_timeout_ends_the_query_and_the_connection(conn: Any) -> None:
    began = time.monotonic()
    with pytest.raises(Timeout), Timeout(0.1):
        ask(conn, "select pg_sleep(60)")

    assert time.monotonic() - began < 20
    assert conn.closed


@pytest.mark.slow
def test_a_killed_query_frees_its_thread(conn: Any) -> None:
    thread = spawn(ask, conn, "select pg_sleep(60)")
    sleep(0.05)
    thread.kill()

    assert thread.dead
    assert conn.closed


@pytest.mark.slow
def test_another_green_thread_can_cancel_the_query(conn: Any) -> None:
    def cancel_soon() -> None:
        sleep(0.1)
        conn.cancel()

    canceller = spawn(cancel_soon)
    with pytest.raises(extensions.QueryCanceledError):
        ask(conn, "select pg_sleep(60)")
    canceller.wait()
    conn.rollback()

    assert ask(conn, "select 1") == 1


@pytest.mark.slow
def test_errors_of_the_server_arrive(conn: Any) -> None:
    with pytest.raises(psycopg2.errors.DivisionByZero):
        ask(conn, "select 1 / 0")


@pytest.mark.slow
def test_notifications_can_be_waited_for(server: dict[str, Any], conn: Any) -> None:
    other = psycopg2.connect(**server)
    for each in (conn, other):
        each.set_isolation_level(extensions.ISOLATION_LEVEL_AUTOCOMMIT)
    with conn.cursor() as cursor:
        cursor.execute("listen news")

    def notify() -> None:
        with other.cursor() as cursor:
            cursor.execute("notify news, 'hello'")

    notifier = spawn(notify)
    trampoline(conn, read=True, timeout=30)
    notifier.wait()
    conn.poll()
    other.close()

    assert [notice.payload for notice in conn.notifies] == ["hello"]


@pytest.mark.parametrize("state", ["POLL_READ", "POLL_WRITE"])
def test_the_time_limit_holds_for_the_whole(state: str) -> None:
    left, right = socket.socketpair()
    right.send(b"always readable")
    conn = StuckConnection(getattr(extensions, state), left.fileno())
    with pytest.raises(Timeout):
        eventlet_wait_callback(conn, timeout=0.05)
    left.close()
    right.close()


def test_an_unknown_state_is_an_error() -> None:
    with pytest.raises(psycopg2.OperationalError, match="returned 17"):
        eventlet_wait_callback(StuckConnection(17))


def test_a_psycopg2_that_cannot_call_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(extensions, "set_wait_callback")

    with pytest.raises(ImportError, match="set_wait_callback"):
        make_psycopg_green()
