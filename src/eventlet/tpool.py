"""Blocking calls in real OS threads, for code that cannot be made green.

`execute` makes one call there; a `Proxy` makes all calls of an object's methods there. The
threads start on demand, up to a number, and belong to this process: a forked child makes its
own. Every OS thread and its hub may use them.
"""

import atexit
import copy
import traceback
import warnings
from _imp import lock_held
from collections.abc import Callable, Container
from contextvars import Context, copy_context
from typing import Any, TypeVar

from eventlet._settings import THREADPOOL_SIZE
from eventlet._thread_pool import ThreadPool, in_pool_thread
from eventlet.timeout import Timeout

__all__ = ["Proxy", "execute", "killall", "proxy_call", "set_num_threads", "setup"]

T = TypeVar("T")

QUIET = True
"""False: what a call raises is also printed; see `debug.tpool_exceptions`."""

EXC_CLASSES = (Exception, Timeout)
"""What counts as a failed call when failures are printed."""

SYS_EXCS = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends a program or a generator: it reaches the caller too, and is never printed."""


def execute(meth: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call `meth` in an OS thread; only the calling green thread waits for it.

    The call sees a copy of the caller's `contextvars` context. It is made here, and blocks,
    when the caller is in a thread of the pool already, holds the import lock, or the pool has
    size 0. A caller that is killed or timed out abandons the result; a call that has begun
    goes on.

    Raises:
        BaseException: whatever `meth` raised, with the traceback from the OS thread.
        AssertionError: the pool has a negative size.
        RuntimeError: called in the hub's own greenlet, which must never wait.
    """
    pool = None if in_pool_thread() or lock_held() else _workers.start()
    if pool is None:
        return meth(*args, **kwargs)
    result: T = pool.run(_call, copy_context(), meth, args, kwargs)
    return result


def set_num_threads(nthreads: int) -> None:
    """Choose how many OS threads there may be, before the first use or after `killall`."""
    _workers.choose(nthreads)


def setup() -> None:
    """Get ready for `execute`, which does this by itself. OS threads start with the calls.

    Raises:
        AssertionError: the pool has a negative size.
    """
    _workers.start()


def killall() -> None:
    """Let the OS threads make the calls they have, then end them, and wait for that.

    Those who wait for results get them. The next `execute` starts anew. Without threads it
    does nothing. It also runs when the interpreter exits.

    Raises:
        RuntimeError: called in a thread of the pool.
    """
    _workers.end()


def proxy_call(autowrap: tuple[type, ...], f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `f` in an OS thread and wrap a result of one of the types `autowrap`.

    The keyword argument `nonblocking=True` is taken away and the call is made right here.
    """
    call_here = kwargs.pop("nonblocking", False)
    result = f(*args, **kwargs) if call_here else execute(f, *args, **kwargs)
    if isinstance(result, tuple(autowrap)) and not isinstance(result, Proxy):
        return Proxy(result, autowrap)
    return result


class Proxy:
    """An object whose methods run in OS threads.

    Attributes that cannot be called are handed out as they are. A method that returns the
    object itself returns this proxy. Comparing, hashing, printing, `len`, `bool` and `iter`
    happen right here; the items of an iterator are fetched in OS threads.

    Args:
        obj: the object.
        autowrap: types of results that become proxies themselves.
        autowrap_names: names of methods and attributes whose values become proxies.
    """

    __slots__ = ("__weakref__", "_autowrap", "_autowrap_names", "_obj")

    _obj: Any
    _autowrap: tuple[type, ...]
    _autowrap_names: Container[str]

    def __init__(
        self, obj: Any, autowrap: tuple[type, ...] = (), autowrap_names: Container[str] = ()
    ) -> None:
        for name, value in (
            ("_obj", obj),
            ("_autowrap", tuple(autowrap)),
            ("_autowrap_names", autowrap_names),
        ):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name in Proxy.__slots__:  # of a proxy that was never initialised
            raise AttributeError(name)
        value = getattr(self._obj, name)
        if not callable(value):
            return self._tpool_wrap(value, name)

        def call_in_thread(*args: Any, **kwargs: Any) -> Any:
            call_here = kwargs.pop("nonblocking", False)
            run = _call_here if call_here else self._tpool_run
            return self._tpool_wrap(run(value, *args, **kwargs), name)

        return call_in_thread

    def __setattr__(self, name: str, value: Any) -> None:
        if name in Proxy.__slots__:
            object.__setattr__(self, name, value)
        else:
            self._tpool_run(setattr, self._obj, name, value)  # a setter may talk to a server

    def __delattr__(self, name: str) -> None:
        self._tpool_run(delattr, self._obj, name)

    # Names that an object is unlikely to have: it could not be reached under them.

    def _tpool_run(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a call of the object in an OS thread."""
        return execute(func, *args, **kwargs)

    def _tpool_like(self, value: Any, autowrap: tuple[type, ...]) -> "Proxy":
        """Make a proxy of something that the object returned."""
        return Proxy(value, autowrap)

    def _tpool_wrap(self, value: Any, name: str) -> Any:
        if value is self._obj:
            return self
        if isinstance(value, Proxy):
            return value
        if isinstance(value, self._autowrap):
            return self._tpool_like(value, self._autowrap)
        return self._tpool_like(value, ()) if name in self._autowrap_names else value

    # In OS threads.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object."""
        call_here = kwargs.pop("nonblocking", False)
        run = _call_here if call_here else self._tpool_run
        return self._tpool_wrap(run(self._obj, *args, **kwargs), "__call__")

    def __getitem__(self, key: Any) -> Any:
        return self._tpool_wrap(self._tpool_run(_get_item, self._obj, key), "__getitem__")

    def __setitem__(self, key: Any, value: Any) -> None:
        self._tpool_run(_set_item, self._obj, key, value)

    def __delitem__(self, key: Any) -> None:
        self._tpool_run(_delete_item, self._obj, key)

    def __contains__(self, item: Any) -> bool:
        return bool(self._tpool_run(_contains, self._obj, item))

    def __next__(self) -> Any:
        return self._tpool_wrap(self._tpool_run(next, self._obj), "__next__")

    def __enter__(self) -> Any:
        return self._tpool_wrap(self._tpool_run(type(self._obj).__enter__, self._obj), "__enter__")

    def __exit__(self, *exc_info: object) -> Any:
        return self._tpool_run(type(self._obj).__exit__, self._obj, *exc_info)

    def __copy__(self) -> Any:
        return self._tpool_wrap(self._tpool_run(copy.copy, self._obj), "__copy__")

    def __deepcopy__(self, memo: Any) -> Any:
        return self._tpool_wrap(self._tpool_run(copy.deepcopy, self._obj, memo), "__deepcopy__")

    # Right here.

    def __iter__(self) -> Any:
        iterator = iter(self._obj)
        if iterator is self._obj:
            return self
        return self._tpool_like(iterator, self._autowrap)

    def __eq__(self, other: object) -> Any:
        return self._obj == other

    def __hash__(self) -> int:
        return hash(self._obj)

    def __repr__(self) -> str:
        return repr(self._obj)

    def __str__(self) -> str:
        return str(self._obj)

    def __len__(self) -> int:
        return len(self._obj)

    def __bool__(self) -> bool:
        return bool(self._obj)

    def __dir__(self) -> list[str]:
        return dir(self._obj)


def __getattr__(name: str) -> Any:
    if name == "_nthreads":
        return _workers.limit
    if name == "_threads":
        return sorted(_workers.idents)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Workers:
    """The pool, once it is used, and the size of the next one."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._started = False
        self._pool: ThreadPool | None = None
        self._ends_at_exit = False

    @property
    def limit(self) -> int:
        """How many threads: as chosen, else as the environment says."""
        return THREADPOOL_SIZE.read() if self._limit is None else self._limit

    def choose(self, limit: int | None) -> None:
        """Have the next pool use `limit` threads; None: as the environment says."""
        self._limit = limit

    @property
    def idents(self) -> frozenset[int]:
        """The identifiers of the OS threads there are now."""
        return frozenset() if self._pool is None else self._pool.idents

    def start(self) -> ThreadPool | None:
        """Return the pool, made at the first call; None when its size is 0."""
        if not self._started:
            limit = self.limit
            if limit < 0:
                raise AssertionError(
                    f"tpool cannot have {limit} threads; choose 0 or more with "
                    f"{THREADPOOL_SIZE.name} or set_num_threads()"
                )
            if self._keep(ThreadPool(limit) if limit else None):
                self._prepare(limit)
        return self._pool

    def _keep(self, pool: ThreadPool | None) -> bool:
        if self._started:  # by another OS thread; no call until the end, so it is atomic
            return False
        self._pool = pool
        self._started = True
        return True

    def _prepare(self, limit: int) -> None:
        if not limit:
            warnings.warn(
                "Zero threads in tpool: its calls are made in the calling OS thread and block "
                f"all of its green threads; {THREADPOOL_SIZE.name} or set_num_threads() says so",
                RuntimeWarning,
                stacklevel=4,
            )
        elif not self._ends_at_exit:
            self._ends_at_exit = True
            atexit.register(killall)

    def end(self) -> None:
        """End the pool's threads and be as before the first use."""
        pool = self._pool
        if pool is not None:
            pool.end_threads()
        if self._pool is pool:
            self._pool, self._started = None, False


_workers = _Workers()


def _call(
    context: Context, meth: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    try:
        return context.run(meth, *args, **kwargs)
    except EXC_CLASSES:
        if not QUIET:
            traceback.print_exc()
        raise


def _call_here(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _get_item(obj: Any, key: Any) -> Any:
    return obj[key]


def _set_item(obj: Any, key: Any, value: Any) -> None:
    obj[key] = value


def _delete_item(obj: Any, key: Any) -> None:
    del obj[key]


def _contains(obj: Any, item: Any) -> bool:
    return item in obj
