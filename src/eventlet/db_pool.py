"""Pools of database connections, for any module with the DB-API's `connect`.

Theory of operation
-------------------
A pool has places. A connection in use, a free one and one that is being opened or closed holds
a place; whatever happens to it, its place is given up exactly once, by the one who closes it or
fails to open it. Closing may be interrupted (kill, time-out): then a green thread of its own
finishes it, and gives the place up.

A user gets a wrapper, which stands for the place. Giving it back detaches it, so that it can
neither be given back twice nor used together with the next user. One that is dropped instead
is given back by the hub, soon.

In a forked child a pool is empty: the connections are the parent's, and are kept unused, since
closing them there would end the parent's sessions.
"""

import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple
from weakref import WeakMethod

from greenlet import GreenletExit

from eventlet._core.current import get_hub
from eventlet._core.scope import shielded
from eventlet._core.timers import Timer
from eventlet._core.wait_queue import WaitQueue
from eventlet._db_connection import (
    Attempt,
    GenericConnectionWrapper,
    InTurn,
    PooledConnectionWrapper,
    inherited,
)
from eventlet._errors import EventletError
from eventlet._unpatched import Mutex, getpid, monotonic
from eventlet.greenthread import spawn_n
from eventlet.pools import Pool
from eventlet.timeout import Timeout
from eventlet.tpool import Proxy, execute

__all__ = [
    "BaseConnectionPool",
    "ConnectTimeout",
    "ConnectionPool",
    "DatabaseConnector",
    "GenericConnectionWrapper",
    "PooledConnectionWrapper",
    "RawConnectionPool",
    "TpooledConnectionPool",
    "cleanup_rollback",
]

Cleanup = Callable[[Any], object]

_POOL_DECIDES: Final[Any] = object()


class ConnectTimeout(EventletError, TimeoutError):
    """A connection was not opened within the pool's `connect_timeout`."""


def cleanup_rollback(conn: Any) -> None:
    """End the transaction of a connection that is given back."""
    conn.rollback()


class FreeConnection(NamedTuple):
    """A connection nobody uses, with moments on the monotonic clock in seconds."""

    free_since: float
    opened_at: float
    connection: Any
    is_new: bool = False  # opened for the one who gets it, however short its life may be


class BaseConnectionPool(Pool[Any]):
    """At most `max_size` connections, opened when they are needed and used again.

    The connection that came back last is given first, so that the rest can grow old and be
    closed. Subclasses say how to `connect`.

    Args:
        db_module: its `connect` is called with the rest of the arguments.
        min_size: connections to open at once.
        max_size: connections to have at most.
        max_idle: seconds after which a free connection is closed; 0 keeps none, None forgets
            about idleness.
        max_age: seconds after which a connection is closed, once it is free; 0 keeps none,
            None lets them grow old.
        connect_timeout: seconds to wait for a new connection.
        cleanup: called with each connection that is given back; None does nothing.

    Attributes:
        free_items: `FreeConnection` records, the next to be given first.
    """

    def __init__(
        self,
        db_module: Any,
        min_size: int = 0,
        max_size: int = 4,
        max_idle: float | None = 10,
        max_age: float | None = 30,
        connect_timeout: float | None = 5,
        cleanup: Cleanup | None = cleanup_rollback,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._db_module = db_module
        self._args = args
        self._kwargs = kwargs
        self.max_idle = max_idle
        self.max_age = max_age
        self.connect_timeout = connect_timeout
        self.cleanup = cleanup
        self._expiry: Timer | None = None
        self._expires_at = 0.0
        self._pid = getpid()
        super().__init__(min_size, max_size, order_as_stack=True)
        if self.free_items:
            self.free_items = deque(free._replace(is_new=False) for free in self.free_items)
            self._schedule_expiry()

    @classmethod
    def connect(cls, db_module: Any, connect_timeout: float | None, *args: Any, **kw: Any) -> Any:
        """Open a connection within `connect_timeout` seconds.

        Raises:
            ConnectTimeout: it took longer.
        """
        raise NotImplementedError(
            f"{cls.__name__} cannot connect; use TpooledConnectionPool or RawConnectionPool"
        )

    def create(self) -> FreeConnection:
        """Open a connection."""
        connection = self.connect(
            self._db_module, self.connect_timeout, *self._args, **self._kwargs
        )
        now = monotonic()
        return FreeConnection(now, now, connection, is_new=True)

    # -- taking and giving back ------------------------------------------------------------

    def get(self) -> "PooledConnectionWrapper":
        """Take a free connection, open one, or wait for one.

        Raises:
            ConnectTimeout: opening took too long.
            BaseException: what the module's `connect` raised. No place is lost.
        """
        self._notice_fork()
        try:
            free: FreeConnection = super().get()
        except BaseException:
            self._schedule_expiry()  # a waiter that had been served may have put it back
            raise
        if not free.is_new and self._is_expired(free, monotonic()):
            self._close_keeping_place(free.connection)
            free = self._fill_place()
        return PooledConnectionWrapper(free.connection, self, free.opened_at)

    def put(self, conn: Any, cleanup: Cleanup | None = _POOL_DECIDES) -> None:
        """Give a connection back. What is not a wrapper stands for one that is lost.

        An expired connection is closed. Otherwise `cleanup` is called with it: when that
        fails, the connection is closed; an `Exception` is printed, another one goes on.
        Both may wait, also in a cancelled scope.

        Args:
            conn: what `get` returned; harmless when it was given back before.
            cleanup: instead of the pool's; None does nothing.

        Raises:
            ValueError: it belongs to another pool.
        """
        if isinstance(conn, PooledConnectionWrapper):
            if conn._is_detached():
                return
            if conn._pool is not self:
                raise ValueError(f"{conn!r} belongs to another pool; give it back there")
        facts = dict(vars(conn)) if isinstance(conn, GenericConnectionWrapper) else {}
        opened_at: float = facts.get("_db_pool_created_at", monotonic())
        connection = self._unwrap_connection(conn)
        if facts.get("_db_pool_pid", getpid()) != getpid():
            inherited.append(connection)
        elif connection is None:
            self._give_up_place()
        else:
            with shielded():
                self._take_back(connection, opened_at, cleanup)

    @contextmanager
    def item(self, cleanup: Cleanup | None = _POOL_DECIDES) -> Iterator["PooledConnectionWrapper"]:
        """Take a connection for a `with` block, and give it back at the end."""
        conn = self.get()
        try:
            yield conn
        except (GreenletExit, KeyboardInterrupt, SystemExit):
            # What ends the thread leaves every time-limited block as well: a time-out of the
            # clean-up must not take its place, or a kill would be lost.
            with suppress(Timeout):
                self.put(conn, cleanup)
            raise
        except BaseException:
            self.put(conn, cleanup)
            raise
        self.put(conn, cleanup)

    def clear(self) -> None:
        """Close the free connections."""
        self._notice_fork()
        while (free := self._take_free(lambda _free: True)) is not None:
            self._drop(free.connection)
        self._schedule_expiry()

    def _take_back(self, connection: Any, opened_at: float, cleanup: Cleanup | None) -> None:
        if self._is_expired(FreeConnection(monotonic(), opened_at, connection), monotonic()):
            self._drop(connection)
            return
        cleanup = self.cleanup if cleanup is _POOL_DECIDES else cleanup
        try:
            if cleanup is not None:
                cleanup(connection)
        except BaseException as exc:
            if isinstance(exc, Exception):
                _print(f"the clean-up {cleanup!r} of {connection!r} failed; it is closed")
            self._drop(connection)
            if not isinstance(exc, Exception):
                raise
            return
        free = FreeConnection(monotonic(), opened_at, connection)
        with self._mutex:  # against a resize in between
            is_wanted = self.current_size <= self.max_size
            if is_wanted:
                super().put(free)
        if is_wanted:
            self._schedule_expiry()
        else:
            self._drop(connection)

    def _unwrap_connection(self, conn: Any) -> Any:
        """Detach a wrapper; return its connection, None when it has none or is no wrapper."""
        if not isinstance(conn, GenericConnectionWrapper):
            return None
        connection = vars(conn).get("_base")
        if isinstance(conn, PooledConnectionWrapper):
            conn._destroy()
        return connection

    # -- closing ---------------------------------------------------------------------------

    def _safe_close(self, conn: Any, quiet: bool = False) -> None:
        """Close a connection; an `Exception` is printed, unless `quiet`."""
        try:
            conn.close()
        except Exception:
            if not quiet:
                _print(f"closing {conn!r} failed")

    def _drop(self, connection: Any) -> None:
        """Close a connection and give its place up."""
        self._close_keeping_place(connection)
        self._give_up_place()

    def _close_keeping_place(self, connection: Any) -> None:
        try:
            self._safe_close(connection)
        except BaseException:
            if get_hub().closed:
                self._give_up_place()  # its OS thread ends: nothing runs any more
            else:
                spawn_n(self._finish_drop, connection)
            raise

    def _finish_drop(self, connection: Any) -> None:
        try:
            self._safe_close(connection, quiet=True)
        finally:
            self._give_up_place()

    def _give_up_place(self) -> None:
        with self._mutex:
            self._leave_place()

    # -- growing old -----------------------------------------------------------------------

    def _is_expired(self, free: FreeConnection, now: float) -> bool:
        return now >= self._expiry_of(free)

    def _expiry_of(self, free: FreeConnection) -> float:
        """Return the moment from which a free connection is to be closed."""
        limits = ((free.free_since, self.max_idle), (free.opened_at, self.max_age))
        moments = [begin + limit for begin, limit in limits if limit is not None]
        return min(moments, default=float("inf"))

    def _take_free(self, accept: Callable[[FreeConnection], bool]) -> FreeConnection | None:
        """Take a free connection that is acceptable; it keeps its place."""
        with self._mutex:
            for free in self.free_items:
                if accept(free):
                    self.free_items.remove(free)
                    return free  # type: ignore[no-any-return]  # Pool[Any] holds these alone
        return None

    def _schedule_expiry(self) -> None:
        """See to it that the hub looks when the first free connection expires."""
        with self._mutex:
            first = min(map(self._expiry_of, self.free_items), default=float("inf"))
            timer = self._expiry
            if timer is not None:
                is_alive = timer.pending and not timer.hub.closed
                if is_alive and self._expires_at <= first < float("inf"):
                    return  # if it is early, it will look again
                timer.cancel()
                self._expiry = None
            if first != float("inf"):
                self._expires_at = first
                expire = WeakMethod(self._expire)  # the pool may be collected meanwhile
                self._expiry = get_hub().call_later(
                    max(first - monotonic(), 0), _call_if_alive, expire
                )

    def _expire(self) -> None:
        """Close what has expired; in the hub's greenlet, so somewhere else."""
        now = monotonic()
        while True:
            free = self._take_free(lambda free: self._is_expired(free, now))
            if free is None:
                break
            spawn_n(self._finish_drop, free.connection)
        self._schedule_expiry()

    def __del__(self) -> None:
        timer = vars(self).get("_expiry")
        if timer is not None:
            timer.cancel()

    # -- fork ------------------------------------------------------------------------------

    def _notice_fork(self) -> None:
        if self._pid == getpid():
            return
        inherited.append((list(self.free_items), self._waiters, self._expiry))
        self._pid = getpid()
        self._mutex = Mutex()  # another OS thread may have held it
        self._waiters = WaitQueue()
        self._expiry = None
        self.free_items.clear()
        self.current_size = 0


class TpooledConnectionPool(BaseConnectionPool):
    """A pool for modules that block in C: connections work in the OS threads of `tpool`.

    A connection is a `tpool.Proxy`, and so are its cursors. If the module says that its
    connections must not be shared by threads (`threadsafety` below 2), then the calls of one
    connection wait for each other: a call that was abandoned by a kill or a time-out may still
    be going on when the connection is rolled back or closed.

    Source: PEP 249, `threadsafety`.
    """

    @classmethod
    def connect(cls, db_module: Any, connect_timeout: float | None, *args: Any, **kw: Any) -> Any:
        """Open a connection in an OS thread; one that comes too late is closed there.

        Raises:
            ConnectTimeout: it took more than `connect_timeout` seconds.
        """
        attempt = Attempt()
        try:
            with Timeout(connect_timeout, _too_slow(connect_timeout)):
                connection = execute(attempt.make, db_module.connect, args, kw)
        except BaseException:
            attempt.abandon()
            raise
        may_be_shared = getattr(db_module, "threadsafety", 2) >= 2
        return (Proxy if may_be_shared else InTurn)(connection, autowrap_names=("cursor",))


class RawConnectionPool(BaseConnectionPool):
    """A pool for modules that are green by themselves, or made so by patching."""

    @classmethod
    def connect(cls, db_module: Any, connect_timeout: float | None, *args: Any, **kw: Any) -> Any:
        """Open a connection in the calling green thread.

        Raises:
            ConnectTimeout: it took more than `connect_timeout` seconds.
        """
        with Timeout(connect_timeout, _too_slow(connect_timeout)):
            return db_module.connect(*args, **kw)


ConnectionPool = TpooledConnectionPool


class DatabaseConnector:
    """A pool for each host and database, with the credentials of the host.

    Args:
        module: the database's module.
        credentials: arguments for `connect` by host; "default" is for hosts that are not there.
        conn_pool: class of the pools; `ConnectionPool` when left out.
        args: for the pools, as `kwargs`.
    """

    def __init__(
        self,
        module: Any,
        credentials: dict[str, dict[str, Any]],
        conn_pool: Callable[..., Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._conn_pool_class = ConnectionPool if conn_pool is None else conn_pool
        self._module = module
        self._args = args
        self._kwargs = kwargs
        self._credentials = credentials
        self._databases: dict[tuple[str, str], Any] = {}

    def credentials_for(self, host: str) -> dict[str, Any] | None:
        """Return the arguments for a host, else the default ones; None without either."""
        return self._credentials.get(host, self._credentials.get("default"))

    def get(self, host: str, dbname: str) -> Any:
        """Return the pool of a database, made at the first call.

        Raises:
            KeyError: there are no credentials for the host.
        """
        key = (host, dbname)
        if key not in self._databases:
            credentials = self.credentials_for(host)
            if credentials is None:
                raise KeyError(f"there are no credentials for host {host!r}, and no 'default'")
            arguments = {**self._kwargs, "db": dbname, "host": host, **credentials}
            pool = self._conn_pool_class(self._module, *self._args, **arguments)
            return self._databases.setdefault(key, pool)
        return self._databases[key]


def _too_slow(seconds: float | None) -> ConnectTimeout:
    return ConnectTimeout(f"no database connection within {seconds} seconds")


def _call_if_alive(method: "WeakMethod[Callable[[], None]]") -> None:
    function = method()
    if function is not None:
        function()


def _print(what: str) -> None:
    """Write to the present standard error what failed, and how."""
    if sys.stderr is not None:
        sys.stderr.write(f"{what}\n{traceback.format_exc()}")
