"""db_pool over a module made for the purpose, and over sqlite."""

from __future__ import annotations

import gc
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlet import db_pool, tpool
from eventlet._core.current import get_hub
from eventlet._core.scope import move_on_after
from eventlet.db_pool import (
    BaseConnectionPool,
    ConnectionPool,
    ConnectTimeout,
    DatabaseConnector,
    GenericConnectionWrapper,
    PooledConnectionWrapper,
    RawConnectionPool,
    TpooledConnectionPool,
)
from eventlet.greenpool import GreenPool
from eventlet.greenthread import kill, sleep, spawn
from eventlet.timeout import Timeout

from tests.unit.actors import settle


class Connection:
    """What `Database` opens; it keeps a diary."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.query: Callable[[], object] = int
        self.diary: list[str] = []
        self.autocommit = False
        self.on_rollback: Callable[[], object] = int
        self.on_close: Callable[[], object] = int

    def rollback(self) -> None:
        self.diary.append("rollback")
        self.on_rollback()

    def close(self) -> None:
        self.diary.append("close")
        self.on_close()

    def cursor(self) -> list[int]:
        return [self.number]

    @property
    def is_closed(self) -> bool:
        return "close" in self.diary

    def __repr__(self) -> str:
        return f"<connection {self.number}>"


class Database:
    """A module with `connect`, which does what it is told before it succeeds."""

    def __init__(self) -> None:
        self.threadsafety = 2
        self.opened: list[Connection] = []
        self.arguments: list[tuple[Any, Any]] = []
        self.before: Callable[[], object] = int

    def connect(self, *args: Any, **kwargs: Any) -> Connection:
        self.arguments.append((args, kwargs))
        self.before()
        self.opened.append(Connection(len(self.opened) + 1))
        return self.opened[-1]

    @property
    def still_open(self) -> int:
        return sum(not connection.is_closed for connection in self.opened)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def raw(database: Database) -> Iterator[Callable[..., RawConnectionPool]]:
    pools = []

    def make(**options: Any) -> RawConnectionPool:
        pools.append(RawConnectionPool(database, **options))
        return pools[-1]

    yield make
    sleep(0)
    sleep(0)  # dropped wrappers come back
    for pool in pools:
        pool.clear()


@pytest.fixture
def skip_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Have time stand still for pools and for the hub's timers, but for what is skipped."""
    now = get_hub().clock()

    def skip(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(get_hub(), "clock", lambda: now)
    monkeypatch.setattr(db_pool, "monotonic", lambda: now)
    return skip


def fail(exc: BaseException) -> Callable[[], object]:
    def raise_it() -> None:
        raise exc

    return raise_it


Make = Callable[..., RawConnectionPool]


def test_arguments_go_to_connect(database: Database, raw: Make) -> None:
    pool = RawConnectionPool(database, 0, 4, 10, 30, 5, None, "dsn", user="me")
    pool.get()
    assert database.arguments == [(("dsn",), {"user": "me"})]


def test_connection_given_back_is_rolled_back_and_used_again(raw: Make) -> None:
    pool = raw()
    conn = pool.get()
    base = conn._base
    conn.close()
    assert base.diary == ["rollback"]
    assert (pool.current_size, len(pool.free_items), pool.free()) == (1, 1, 4)
    again = pool.get()
    assert again._base is base
    again.close()


def test_the_last_one_given_back_is_given_first(raw: Make) -> None:
    pool = raw()
    first, second = pool.get(), pool.get()
    pool.put(second)
    pool.put(first)
    assert pool.get().number == 1


def test_wrapper_is_the_connection(raw: Make) -> None:
    with raw().item() as conn:
        assert isinstance(conn, PooledConnectionWrapper)
        assert isinstance(conn, GenericConnectionWrapper)
        assert conn
        assert conn.cursor() == [1]
        conn.autocommit = True
        assert conn._base.autocommit is True
        assert repr(conn) == "<connection 1>"


def test_wrapper_is_detached_when_given_back(raw: Make) -> None:
    pool = raw()
    conn = pool.get()
    conn.close()
    assert not conn
    with pytest.raises(AttributeError, match="given back"):
        conn.cursor()
    with pytest.raises(AttributeError, match="given back"):
        conn.autocommit = True
    assert not hasattr(conn, "_base")


def test_second_close_and_second_put_change_nothing(raw: Make) -> None:
    pool = raw(max_size=2)
    with pool.item() as conn:
        conn.close()
        conn.close()
    pool.put(conn)
    assert (pool.current_size, len(pool.free_items), pool.free()) == (1, 1, 2)


@pytest.mark.parametrize("junk", [None, "junk", Connection(9)])
def test_junk_stands_for_a_lost_connection(raw: Make, junk: Any) -> None:
    pool = raw(max_size=1)
    lost = pool.get()
    waiter = spawn(pool.get)
    sleep(0)
    assert pool.waiting() == 1
    pool.put(junk)
    assert waiter.wait().number == 2
    lost._destroy()
    assert pool.current_size == 1


def test_connection_of_another_pool_is_refused(raw: Make) -> None:
    mine, other = raw(), raw()
    conn = other.get()
    with pytest.raises(ValueError, match="another pool"):
        mine.put(conn)
    conn.close()
    assert (mine.free(), other.free()) == (4, 4)


def test_cleanup_of_the_call_replaces_the_pools(raw: Make) -> None:
    pool = raw()
    seen: list[Any] = []
    with pool.item(cleanup=seen.append) as conn:
        base = conn._base
    assert seen == [base]
    with pool.item(cleanup=None):
        pass
    assert base.diary == []


def test_failing_cleanup_is_printed_and_the_connection_dropped(
    raw: Make, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = raw(max_size=1)
    conn = pool.get()
    conn._base.on_rollback = fail(ValueError("gone away"))
    conn.close()
    assert "gone away" in capsys.readouterr().err
    assert database.opened[0].is_closed
    assert (pool.current_size, pool.free()) == (0, 1)
    assert pool.get().number == 2


@pytest.mark.parametrize("exc", [SystemExit(), KeyboardInterrupt(), Timeout(None)])
def test_exit_in_cleanup_drops_the_connection_and_goes_on(
    raw: Make, database: Database, exc: BaseException
) -> None:
    pool = raw(max_size=1)
    conn = pool.get()
    conn._base.on_rollback = fail(exc)
    with pytest.raises(type(exc)):
        conn.close()
    assert not conn
    assert database.opened[0].is_closed
    assert (pool.current_size, pool.free()) == (0, 1)


def test_kill_in_cleanup_loses_no_place(raw: Make, database: Database) -> None:
    pool = raw(max_size=1)
    conn = pool.get()
    conn._base.on_rollback = lambda: sleep(5)
    closer = spawn(conn.close)
    sleep(0)
    closer.kill()
    assert database.opened[0].is_closed
    assert pool.get().number == 2


def test_kill_is_not_lost_when_the_cleanup_times_out(raw: Make, database: Database) -> None:
    pool = raw(max_size=1)
    survived: list[bool] = []

    def use() -> None:
        with Timeout(0.02, False), pool.item(cleanup=lambda _conn: sleep(5)):
            sleep(60)
        survived.append(True)

    user = spawn(use)
    sleep(0)
    kill(user)
    assert not user.dead  # it cleans up
    with Timeout(20):
        while not user.dead:
            sleep(0.005)
    assert not survived
    assert database.opened[0].is_closed
    assert pool.free() == 1


def test_interrupted_closing_is_finished_by_another(raw: Make, database: Database) -> None:
    pool = raw(max_size=1, max_age=0)
    conn = pool.get()
    delays = iter([5, 0])
    conn._base.on_close = lambda: sleep(next(delays))
    closer = spawn(conn.close)
    sleep(0)
    closer.kill()
    assert pool.get().number == 2
    assert database.opened[0].diary == ["close", "close"]


def test_failing_close_is_printed_and_harmless(
    raw: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = raw(max_age=0)
    conn = pool.get()
    conn._base.on_close = fail(OSError("broken pipe"))
    conn.close()
    assert "broken pipe" in capsys.readouterr().err
    assert pool.current_size == 0
    pool._safe_close(Connection(1), quiet=True)


def test_quiet_close_prints_nothing(raw: Make, capsys: pytest.CaptureFixture[str]) -> None:
    connection = Connection(1)
    connection.on_close = fail(OSError("broken pipe"))
    raw()._safe_close(connection, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_failing_connect_loses_no_place(raw: Make, database: Database) -> None:
    pool = raw(max_size=2)
    database.before = fail(OSError("refused"))
    for _ in range(5):
        with pytest.raises(OSError, match="refused"):
            pool.get()
    assert (pool.current_size, pool.free()) == (0, 2)
    database.before = int
    assert [pool.get().number, pool.get().number] == [1, 2]


def test_failing_connect_lets_the_next_waiter_try(raw: Make, database: Database) -> None:
    pool = raw(max_size=1)
    taken = pool.get()
    waiters = [spawn(_number_or_error, pool) for _ in range(2)]
    sleep(0)
    outcomes = iter([OSError("refused"), None])
    database.before = lambda: _raise_if(next(outcomes))
    taken._base.on_rollback = fail(ValueError())
    taken.close()
    assert [waiter.wait() for waiter in waiters] == ["refused", 2]


def _raise_if(exc: BaseException | None) -> None:
    if exc is not None:
        raise exc


def _number_or_error(pool: Any) -> Any:
    try:
        return pool.get().number
    except OSError as exc:
        return str(exc)


def test_connecting_that_takes_too_long_is_ended(raw: Make, database: Database) -> None:
    database.before = lambda: sleep(5)
    pool = raw(max_size=1, connect_timeout=0.01)
    with pytest.raises(ConnectTimeout, match=r"0\.01 seconds"):
        pool.get()
    with pytest.raises(TimeoutError):
        pool.get()
    assert pool.free() == 1


def test_killed_connecting_and_waiting_lose_no_place(raw: Make, database: Database) -> None:
    pool = raw(max_size=1)
    database.before = lambda: sleep(5)
    connecting, waiting = spawn(pool.get), spawn(pool.get)
    sleep(0)
    waiting.kill()
    connecting.kill()
    assert (pool.current_size, pool.free(), pool.waiting()) == (0, 1, 0)


def test_min_size_connections_are_there_and_wrapped(raw: Make, database: Database) -> None:
    pool = raw(min_size=2)
    assert (len(database.opened), pool.current_size, pool.free()) == (2, 2, 4)
    conn = pool.get()
    assert isinstance(conn, PooledConnectionWrapper)
    assert isinstance(conn._base, Connection)
    conn.close()
    pool.clear()
    assert (database.still_open, pool.current_size, pool.free()) == (0, 0, 4)


def test_clear_closes_free_connections_only(raw: Make, database: Database) -> None:
    pool = raw()
    kept, given_back = pool.get(), pool.get()
    given_back.close()
    pool.clear()
    assert [connection.is_closed for connection in database.opened] == [False, True]
    assert (pool.current_size, pool.free()) == (1, 3)
    kept.close()


def test_smaller_pool_closes_what_is_too_much(raw: Make, database: Database) -> None:
    pool = raw(max_size=2)
    conns = [pool.get(), pool.get()]
    pool.resize(1)
    for conn in conns:
        conn.close()
    assert (database.still_open, pool.current_size, pool.free()) == (1, 1, 1)


@pytest.mark.parametrize(
    "limits", [{"max_age": 0}, {"max_idle": 0}, {"max_age": -1}, {"max_idle": -1}]
)
def test_limits_of_zero_keep_no_connection(raw: Make, database: Database, limits: Any) -> None:
    pool = raw(max_size=1, **limits)
    for _ in range(3):
        pool.get().close()
    assert [c.diary for c in database.opened] == [["close"]] * 3
    assert pool.free() == 1


def test_old_connection_is_closed_when_given_back(raw: Make, database: Database) -> None:
    pool = raw(max_age=0.01)
    conn = pool.get()
    sleep(0.02)
    conn.close()
    assert database.opened[0].diary == ["close"]


@pytest.mark.parametrize("limits", [{"max_age": 5}, {"max_idle": 5}])
def test_free_connections_expire_by_themselves(
    raw: Make,
    database: Database,
    limits: dict[str, float],
    skip_time: Callable[[float], None],
) -> None:
    pool = raw(**limits)
    conns = [pool.get(), pool.get()]
    for conn in conns:
        conn.close()
    skip_time(4)
    settle()
    assert database.still_open == 2
    skip_time(2)
    settle()
    assert database.still_open == 0
    assert (pool.current_size, len(pool.free_items)) == (0, 0)


def test_expiry_starts_again_with_each_use(
    raw: Make, database: Database, skip_time: Callable[[float], None]
) -> None:
    pool = raw(max_idle=5, max_age=None)
    for _ in range(10):
        pool.get().close()
        skip_time(4)
        settle()
    assert len(database.opened) == 1
    assert database.still_open == 1


def test_expired_connection_is_never_handed_out(raw: Make, database: Database) -> None:
    pool = raw(max_idle=5)
    pool.get().close()
    pool.max_idle = 0  # as if the hub had not come round to it
    assert pool.get().number == 2
    assert database.opened[0].is_closed


def test_without_limits_connections_stay_and_no_timer_runs(raw: Make) -> None:
    pool = raw(max_idle=None, max_age=None)
    pool.get().close()
    assert pool._expiry is None
    assert pool.get().number == 1


def test_dropped_pool_leaves_no_timer(database: Database) -> None:
    pool = RawConnectionPool(database)
    pool.get().close()
    del pool
    gc.collect()  # the leak check sees the rest


def test_dropped_wrapper_comes_back(raw: Make, database: Database) -> None:
    pool = raw(max_size=1)
    conn = pool.get()
    del conn
    gc.collect()
    assert pool.get().number == 1
    assert database.opened[0].diary == ["rollback"]


def test_hundred_green_threads_share_four_connections(raw: Make, database: Database) -> None:
    pool = raw(max_size=4)
    in_use: list[int] = []
    most = []

    def work() -> None:
        with pool.item() as conn:
            in_use.append(conn.number)
            most.append(len(in_use))
            assert len(set(in_use)) == len(in_use)
            sleep(0.001)
            in_use.remove(conn.number)

    workers = GreenPool()
    for _ in range(100):
        workers.spawn(work)
    workers.waitall()
    assert (len(most), max(most), len(database.opened)) == (100, 4, 4)


def test_killed_users_give_their_connections_back(raw: Make, database: Database) -> None:
    pool = raw(max_size=2)

    def hold() -> None:
        with pool.item():
            sleep(60)

    holders = [spawn(hold) for _ in range(10)]
    sleep(0)
    for holder in holders:
        kill(holder)
    assert (pool.free(), pool.waiting()) == (2, 0)
    assert len(database.opened) <= 2


def test_cancelled_user_gives_its_connection_back_rolled_back(
    raw: Make, database: Database
) -> None:
    pool = raw(max_size=1)
    with move_on_after(0.01) as scope, pool.item() as conn:
        conn.on_rollback = lambda: sleep(0.01)
        sleep(5)

    assert scope.cancelled_caught
    assert database.opened[0].diary == ["rollback"]
    assert len(pool.free_items) == 1


def test_base_pool_cannot_connect() -> None:
    with pytest.raises(NotImplementedError, match="TpooledConnectionPool"):
        BaseConnectionPool(sqlite3).get()


# --- in OS threads ------------------------------------------------------------------------


@pytest.fixture
def tpooled(database: Database) -> Iterator[Callable[..., TpooledConnectionPool]]:
    pools = []

    def make(module: Any = database, **options: Any) -> TpooledConnectionPool:
        pools.append(TpooledConnectionPool(module, **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.clear()
    tpool.killall()


def test_connection_pool_is_the_one_with_os_threads() -> None:
    assert ConnectionPool is TpooledConnectionPool


def test_connection_and_cursors_are_proxies(tpooled: Any) -> None:
    with tpooled().item() as conn:
        assert type(conn._base) is tpool.Proxy
        assert type(conn.cursor()) is tpool.Proxy


def test_cursors_keep_to_the_turns_of_their_connection(tpooled: Any, database: Database) -> None:
    database.threadsafety = 1
    with tpooled().item() as conn:
        cursor = conn.cursor()
        assert cursor._turn is conn._base._turn
        assert cursor[0] == 1
        assert list(cursor) == [1]


def test_connection_that_comes_too_late_is_closed(
    tpooled: Any, database: Database, skip_time: Callable[[float], None]
) -> None:
    gate = threading.Event()
    database.before = lambda: gate.wait(60)
    pool = tpooled(connect_timeout=5, max_size=1)
    getter = spawn(pool.get)
    while not database.arguments:
        sleep(0)
    skip_time(6)
    with pytest.raises(ConnectTimeout):
        getter.wait()
    assert pool.free() == 1
    gate.set()
    tpool.killall()
    assert [connection.diary for connection in database.opened] == [["close"]]


def test_killed_while_connecting_in_an_os_thread(tpooled: Any, database: Database) -> None:
    gate = threading.Event()
    database.before = lambda: gate.wait(60)
    pool = tpooled(max_size=1)
    getter = spawn(pool.get)
    while not database.arguments:
        sleep(0.001)
    getter.kill()
    gate.set()
    tpool.killall()
    assert database.still_open == 0
    assert pool.free() == 1


@pytest.mark.parametrize("threadsafety", [0, 1])
def test_calls_of_a_connection_that_threads_must_not_share_wait_for_each_other(
    tpooled: Any, database: Database, threadsafety: int
) -> None:
    database.threadsafety = threadsafety
    gate, begun = threading.Event(), threading.Event()
    diary: list[str] = []

    def query() -> None:
        begun.set()
        gate.wait(60)
        diary.append("query ended")

    pool = tpooled(max_size=1)
    conn = pool.get()
    conn._base._obj.on_rollback = lambda: diary.append("rolled back")
    conn._base._obj.query = query

    user = spawn(conn.query)
    while not begun.is_set():
        sleep(0.001)
    kill(user)
    closer = spawn(conn.close)
    sleep(0.02)
    assert diary == []
    gate.set()
    closer.wait()
    assert diary == ["query ended", "rolled back"]


def test_sqlite_in_os_threads(tpooled: Any, tmp_path: Path) -> None:
    pool = tpooled(
        sqlite3, max_size=4, database=str(tmp_path / "file"), check_same_thread=False, timeout=20
    )
    with pool.item() as conn:
        conn.execute("create table counter (value integer)")
        conn.execute("insert into counter values (0)")
        conn.commit()

    def count() -> None:
        with pool.item() as conn:
            cursor = conn.cursor()
            cursor.execute("update counter set value = value + 1")
            conn.commit()

    workers = GreenPool()
    for _ in range(100):
        workers.spawn(count)
    workers.waitall()
    assert pool.current_size == 4
    with pool.item() as conn:
        assert list(conn.cursor().execute("select value from counter")) == [(100,)]


def test_sqlite_transaction_of_the_last_user_is_rolled_back(tpooled: Any, tmp_path: Path) -> None:
    pool = tpooled(sqlite3, max_size=1, database=str(tmp_path / "file"), check_same_thread=False)
    with pool.item() as conn, conn:
        conn.execute("create table names (name text)")
        conn.execute("insert into names values ('kept')")
    conn = pool.get()
    conn.execute("insert into names values ('lost')")
    conn.close()
    with pool.item() as conn:
        assert conn.cursor().execute("select name from names").fetchall() == [("kept",)]


# --- many databases -----------------------------------------------------------------------


def test_connector_keeps_a_pool_for_each_database(database: Database) -> None:
    credentials = {"here": {"user": "me"}, "default": {"user": "anybody"}}
    connector = DatabaseConnector(database, credentials, RawConnectionPool, 0, 2, charset="utf8")
    pool = connector.get("here", "one")
    assert pool is connector.get("here", "one")
    assert pool is not connector.get("here", "two")
    assert pool.max_size == 2
    pool.get()
    connector.get("there", "one").get()
    assert [kwargs for _, kwargs in database.arguments] == [
        {"charset": "utf8", "db": "one", "host": "here", "user": "me"},
        {"charset": "utf8", "db": "one", "host": "there", "user": "anybody"},
    ]


def test_connector_without_credentials_for_a_host(database: Database) -> None:
    connector = DatabaseConnector(database, {"here": {}})
    assert type(connector.get("here", "one")) is ConnectionPool
    assert connector.credentials_for("there") is None
    with pytest.raises(KeyError, match="no credentials for host 'there'"):
        connector.get("there", "one")


# --- processes ----------------------------------------------------------------------------


def test_forked_child_leaves_the_parents_connections_alone(
    run_isolated: Any, tmp_path: Path
) -> None:
    run_isolated(
        """
        import gc, os
        from eventlet.db_pool import RawConnectionPool
        class Module:
            class connect:
                def __init__(self):
                    self.opened_in = os.getpid()
                def rollback(self):
                    assert self.opened_in == os.getpid()
                def close(self):
                    assert self.opened_in == os.getpid()
                def __del__(self):
                    if self.opened_in != os.getpid():
                        os._exit(9)
        pool = RawConnectionPool(Module, max_size=2)
        free, used, dropped = pool.get(), pool.get(), None
        free.close()
        child = os.fork()
        if not child:
            used.close()
            with pool.item() as conn:
                assert conn.opened_in == os.getpid()
            assert (pool.current_size, pool.free()) == (1, 2)
            pool.clear()
            gc.collect()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        used.close()
        assert (pool.current_size, len(pool.free_items)) == (2, 2)
        """
    )
