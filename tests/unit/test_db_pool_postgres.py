"""db_pool over psycopg2 and a real PostgreSQL server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventlet import tpool
from eventlet.db_pool import ConnectTimeout, DatabaseConnector, TpooledConnectionPool
from eventlet.event import Event
from eventlet.greenpool import GreenPool
from eventlet.greenthread import kill, sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.postgres_server import PostgresMissing, postgres_server

psycopg2 = pytest.importorskip("psycopg2", reason="psycopg2 is not installed")

pytestmark = pytest.mark.slow

MakePool = Callable[..., TpooledConnectionPool]


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
def make(server: dict[str, Any]) -> Iterator[MakePool]:
    pools: list[TpooledConnectionPool] = []

    def make_pool(**options: Any) -> TpooledConnectionPool:
        pools.append(TpooledConnectionPool(psycopg2, **{**server, **options}))
        return pools[-1]

    yield make_pool
    sleep(0)
    sleep(0)  # dropped wrappers come back
    for pool in pools:
        pool.clear()
    tpool.killall()


def ask(conn: Any, statement: str, *arguments: Any) -> Any:
    """Run a statement; return the first column of the first row, if there is one."""
    cursor = conn.cursor()
    cursor.execute(statement, arguments)
    return cursor.fetchone()[0] if cursor.description else None


def own_sessions(conn: Any, application: str) -> int:
    statement = "select count(*) from pg_stat_activity where application_name = %s"
    return int(ask(conn, statement, application))


def table(pool: TpooledConnectionPool, definition: str) -> None:
    with pool.item() as conn:
        ask(conn, f"drop table if exists {definition.split(maxsplit=1)[0]}")
        ask(conn, f"create table {definition}")
        conn.commit()


def test_hundred_green_threads_over_four_connections(make: MakePool) -> None:
    pool = make(max_size=4, application_name="hundred")
    table(pool, "counter as select 0 as value")
    sessions: set[int] = set()

    def count() -> None:
        with pool.item() as conn:
            ask(conn, "update counter set value = value + 1")
            sessions.add(ask(conn, "select pg_backend_pid()"))
            conn.commit()

    workers = GreenPool()
    for _ in range(100):
        workers.spawn(count)
    workers.waitall()
    with pool.item() as conn:
        assert ask(conn, "select value from counter") == 100
        assert own_sessions(conn, "hundred") == 4
    assert len(sessions) <= 4
    assert (pool.current_size, pool.free(), pool.waiting()) == (4, 4, 0)


def test_green_threads_run_while_the_server_works(make: MakePool) -> None:
    pool = make()
    with pool.item() as holder, pool.item() as conn:
        ask(holder, "select pg_advisory_lock(1)")
        ask(conn, "set statement_timeout = '20s'")
        query = spawn(ask, conn, "select pg_advisory_lock(1)")
        while not ask(holder, "select count(*) from pg_locks where not granted"):
            sleep(0.01)
        assert not query.dead
        ask(holder, "select pg_advisory_unlock(1)")
        query.wait()


def test_uncommitted_work_is_rolled_back(make: MakePool) -> None:
    pool = make(max_size=1)
    table(pool, "names (name text)")
    with pool.item() as conn:
        ask(conn, "insert into names values ('lost')")
    with pool.item() as conn:
        assert ask(conn, "select count(*) from names") == 0


def test_failed_transaction_does_not_reach_the_next_user(make: MakePool) -> None:
    pool = make(max_size=1)
    conn = pool.get()
    with pytest.raises(psycopg2.errors.UndefinedTable):
        ask(conn, "select * from nowhere")
    conn.close()
    with pool.item() as conn:
        assert ask(conn, "select 1") == 1
    assert pool.current_size == 1


def test_session_killed_by_the_server_is_replaced(
    make: MakePool, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = make(max_size=1)
    with pool.item() as conn:
        victim = ask(conn, "select pg_backend_pid()")
    with make().item() as other:
        ask(other, "select pg_terminate_backend(%s, 5000)", victim)
    conn = pool.get()
    with pytest.raises(psycopg2.OperationalError):
        ask(conn, "select 1")
    conn.close()
    assert "is closed" in capsys.readouterr().err
    assert (pool.current_size, pool.free()) == (0, 1)
    with pool.item() as conn:
        assert ask(conn, "select pg_backend_pid()") != victim


def test_timed_out_query_leaves_a_usable_connection(make: MakePool) -> None:
    pool = make(max_size=1)
    its_time_is_up = Event()

    def use() -> None:
        with pool.item() as conn:
            try:
                with Timeout(0.05):
                    ask(conn, "select pg_advisory_lock(2)")
            finally:
                its_time_is_up.send()

    with make().item() as holder:
        ask(holder, "select pg_advisory_lock(2)")
        user = spawn(use)
        its_time_is_up.wait()
        ask(holder, "select pg_advisory_unlock(2)")
        with pytest.raises(Timeout):
            user.wait()
    with pool.item() as conn:
        assert ask(conn, "select 1") == 1
    assert (pool.current_size, pool.free()) == (1, 1)


def test_killed_users_lose_no_place_and_no_consistency(make: MakePool) -> None:
    pool = make(max_size=4)
    table(pool, "marks (mark integer)")

    def work(number: int) -> None:
        with pool.item() as conn:
            ask(conn, "insert into marks values (%s)", number)
            ask(conn, "select pg_sleep(0.02)")
            conn.commit()

    workers = [spawn(work, number) for number in range(30)]
    for number, worker in enumerate(workers):
        if number % 2:
            sleep(0.005)
            kill(worker)
    for number, worker in enumerate(workers):
        if not number % 2:
            worker.wait()
    with Timeout(60):
        while pool.free() < 4:
            sleep(0.01)
    assert pool.waiting() == 0
    conns = [pool.get() for _ in range(4)]
    marks = conns[0].cursor()
    marks.execute("select mark from marks")
    assert set(range(0, 30, 2)) <= {row[0] for row in marks.fetchall()}
    for conn in conns:
        conn.close()


def test_failing_connects_lose_no_place(make: MakePool) -> None:
    pool = make(max_size=2, dbname="to_be_made")
    for _ in range(5):
        with pytest.raises(psycopg2.OperationalError, match="to_be_made"):
            pool.get()
    assert (pool.current_size, pool.free()) == (0, 2)
    with make().item() as conn:
        conn.autocommit = True
        ask(conn, "create database to_be_made")
    with pool.item() as first, pool.item() as second:
        assert ask(first, "select 1") + ask(second, "select 2") == 3


def test_old_connections_are_replaced_and_closed(make: MakePool) -> None:
    pool = make(max_size=1, max_age=0)
    pids = []
    for _ in range(2):
        with pool.item() as conn:
            pids.append(ask(conn, "select pg_backend_pid()"))
    assert pids[0] != pids[1]


def test_idle_connections_are_closed_by_themselves(make: MakePool) -> None:
    pool = make(max_size=3, max_idle=0.1, application_name="idle")
    conns = [pool.get() for _ in range(3)]
    for conn in conns:
        conn.close()
    with make().item() as watch, Timeout(60):
        watch.autocommit = True
        while own_sessions(watch, "idle"):
            sleep(0.02)
    assert pool.current_size == 0


def test_server_that_does_not_answer(make: MakePool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        pool = make(max_size=1, connect_timeout=0.05, host=host, port=port, sslmode="disable")
        with pytest.raises(ConnectTimeout):
            pool.get()
        assert (pool.current_size, pool.free()) == (0, 1)


def test_connector(server: dict[str, Any]) -> None:
    class Module:
        @staticmethod
        def connect(db: str, **arguments: Any) -> Any:
            return psycopg2.connect(dbname=db, **arguments)

    connector = DatabaseConnector(Module, {"default": {"user": server["user"]}})
    pool = connector.get(server["host"], "postgres")
    with pool.item() as conn:
        assert ask(conn, "select current_database()") == "postgres"
    pool.clear()
    tpool.killall()
