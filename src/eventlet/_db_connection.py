"""One database connection: opened in an OS thread, used in turn, given back once.

`db_pool` is the public home of the wrappers.
"""

import sys
from collections.abc import Callable, Container
from typing import Any

from eventlet._core.current import get_hub
from eventlet._unpatched import Mutex, getpid, monotonic
from eventlet.greenthread import spawn_n
from eventlet.tpool import Proxy, execute

__all__ = [
    "Attempt",
    "GenericConnectionWrapper",
    "InTurn",
    "PooledConnectionWrapper",
    "inherited",
]

inherited: list[Any] = []
"""In a forked child: the parent's connections, never collected."""


class GenericConnectionWrapper:
    """Stands for a connection: all its attributes are the connection's.

    Args:
        baseconn: the connection; `_base` afterwards.
    """

    def __init__(self, baseconn: Any) -> None:
        vars(self)["_base"] = baseconn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self):
            vars(self)[name] = value
        else:
            setattr(self._connection(), name, value)

    def _connection(self) -> Any:
        try:
            return vars(self)["_base"]
        except KeyError:
            raise AttributeError("the connection was given back to its pool") from None

    def __enter__(self) -> Any:
        self._connection().__enter__()
        return self

    def __exit__(self, *exc_info: object) -> Any:
        return self._connection().__exit__(*exc_info)

    def __repr__(self) -> str:
        return repr(vars(self).get("_base", f"<{type(self).__name__} without connection>"))

    def __bool__(self) -> bool:
        return "_base" in vars(self)


class PooledConnectionWrapper(GenericConnectionWrapper):
    """A connection of a pool. False once it was given back; its attributes are gone then."""

    def __init__(self, baseconn: Any, pool: Any, opened_at: float | None = None) -> None:
        super().__init__(baseconn)
        vars(self).update(
            _pool=pool,
            _hub=get_hub(),
            _db_pool_created_at=monotonic() if opened_at is None else opened_at,
            _db_pool_pid=getpid(),
        )

    def close(self) -> None:
        """Give the connection back to its pool; harmless when that was done before."""
        if self._pool is not None:
            self._pool.put(self)

    def _destroy(self) -> None:
        """Let go of the connection and the pool."""
        vars(self).update(_pool=None)
        vars(self).pop("_base", None)

    def _is_detached(self) -> bool:
        return self._pool is None

    def __del__(self) -> None:
        pool = vars(self).get("_pool")
        if pool is None or sys.is_finalizing():
            return
        if self._db_pool_pid != getpid():
            inherited.append(self._base)
            return
        if self._hub.closed:
            pool._give_up_place()
            return
        # Whoever drops the last reference, or the garbage collector, must not be made to wait.
        successor = PooledConnectionWrapper.__new__(PooledConnectionWrapper)
        vars(successor).update(vars(self))
        self._hub.call_soon(spawn_n, pool.put, successor)


class InTurn(Proxy):
    """A proxy whose calls, and those of what it returned, are made one after the other."""

    __slots__ = ("_turn",)

    _turn: Mutex

    def __init__(
        self,
        obj: Any,
        autowrap: tuple[type, ...] = (),
        autowrap_names: Container[str] = (),
        turn: Mutex | None = None,
    ) -> None:
        super().__init__(obj, autowrap, autowrap_names)
        object.__setattr__(self, "_turn", turn or Mutex())

    def _tpool_run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return execute(_call_in_turn, self._turn, func, args, kwargs)

    def _tpool_like(self, value: Any, autowrap: tuple[type, ...]) -> Proxy:
        return InTurn(value, autowrap, (), self._turn)


def _call_in_turn(
    turn: Mutex, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with turn:
        return func(*args, **kwargs)


class Attempt:
    """Opening a connection that its caller may give up waiting for."""

    def __init__(self) -> None:
        self._made: list[Any] = []  # whoever takes it out closes it
        self._is_abandoned = False

    def make(
        self, connect: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Open the connection, in an OS thread."""
        connection = connect(*args, **kwargs)
        self._made.append(connection)
        if self._is_abandoned:
            self._close()
        return connection

    def abandon(self) -> None:
        """Have the connection closed as soon as it is there."""
        self._is_abandoned = True
        if self._made:
            spawn_n(execute, self._close)

    def _close(self) -> None:
        try:
            connection = self._made.pop()
        except IndexError:
            return  # the other one came first
        connection.close()
