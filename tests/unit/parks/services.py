"""Parks of what stands on top: servers, database pools, asyncio, clients of HTTP."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent

from eventlet import asyncio as green_asyncio
from eventlet import backdoor, tpool, wsgi
from eventlet._aio.hosted import close_hosted_loop
from eventlet._core.current import get_hub
from eventlet.convenience import StopServe, connect, listen, serve
from eventlet.db_pool import BaseConnectionPool, RawConnectionPool, TpooledConnectionPool
from eventlet.event import Event
from eventlet.green.urllib import request as green_request

from tests.unit.parks.park import Table, Wait
from tests.unit.parks.stage import Stage, send_once

PARKS = Table()
park = PARKS.park

# -- servers ---------------------------------------------------------------------------------


@park(serve, closes=True)
def serve_until_stopped(stage: Stage) -> Wait:
    listener = stage.listener()

    def handle(_connection: Any, _address: Any) -> None:
        raise StopServe

    def complete() -> None:
        stage.keep(connect(listener.getsockname()))

    return Wait(partial(serve, listener, handle), complete, close=listener.close)


@park(serve)
def serve_at_its_limit(stage: Stage) -> Wait:
    """Nothing is accepted while all handlers are at work; those go on when it ends."""
    listener = stage.listener()
    event = Event()

    def handle(connection: Any, _address: Any) -> None:
        stage.mind(connection)
        stage.mind(getcurrent())
        event.wait()
        raise StopServe

    stage.at_end(send_once, event)
    for _ in range(3):
        stage.keep(connect(listener.getsockname()))

    def call() -> None:
        serve(listener, handle, 1)

    return Wait(call, partial(send_once, event), spent=True)


@park(wsgi.server, closes=True)
def wsgi_server(stage: Stage) -> Wait:
    """The server closes its listener at the end, so that each needs a new one."""
    listeners: list[Any] = []

    def call() -> None:
        listeners.append(stage.keep(listen(("127.0.0.1", 0))))
        wsgi.server(listeners[-1], _hello, log_output=False)

    def complete() -> None:
        wsgi.is_accepting = False
        stage.keep(connect(listeners[-1].getsockname()))

    stage.replace(wsgi, "is_accepting", True)
    return Wait(call, complete, spent=True, close=partial(_close_last, listeners))


@park(wsgi.Server.serve)
def wsgi_server_that_is_told_to_end(stage: Stage) -> Wait:
    servers: list[wsgi.Server] = []

    def call() -> None:
        listener = stage.keep(listen(("127.0.0.1", 0)))
        servers.append(wsgi.Server(listener, listener.getsockname(), _hello, log_output=False))
        servers[-1].serve()

    return Wait(call, lambda: servers[-1].stop(None), spent=True)


def _close_last(listeners: list[Any]) -> None:
    listeners[-1].close()


@park(wsgi.server, stubborn=True)
def wsgi_server_with_a_request_in_flight(stage: Stage) -> Wait:
    """A server that is ended lets the request finish, and its client gets the response."""
    event = Event()
    replies: list[bytes] = []
    listeners: list[Any] = []
    stage.at_end(send_once, event)

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        event.wait()
        return _hello(environ, start_response)

    def call() -> None:
        listener = listen(("127.0.0.1", 0))
        listeners.append(listener)
        client = stage.keep(connect(listener.getsockname()))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        stage.thread(_read_reply, client, replies)
        wsgi.server(listener, slow, log_output=False)

    def complete() -> None:
        wsgi.is_accepting = False
        event.send()
        while not replies:
            _yield()
        assert replies[0].endswith(b"hello")
        if listeners[-1].fileno() >= 0:  # the next connection tells it to end
            stage.keep(connect(listeners[-1].getsockname()))

    stage.replace(wsgi, "is_accepting", True)
    return Wait(call, complete, spent=True)


def _read_reply(client: Any, replies: list[bytes]) -> None:
    data = b""
    while more := client.recv(65536):
        data += more
    replies.append(data)


def _yield() -> None:
    get_hub().yield_()


def _hello(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


@park(wsgi.Input.read)
def wsgi_input_read(stage: Stage) -> Wait:
    connection = stage.tcp()
    file = stage.keep(connection.near.makefile("rb"))
    body = wsgi.Input(file, 4, connection.near)
    return Wait(body.read, partial(connection.far.sendall, b"data"), b"data")


@park(backdoor.backdoor_server, closes=True)
def backdoor_server(stage: Stage) -> Wait:
    """It ends only by an error of its listener, or an interrupt, and closes the listener."""
    listeners: list[Any] = []

    def call() -> Any:
        listeners.append(stage.keep(listen(("127.0.0.1", 0))))
        try:
            backdoor.backdoor_server(listeners[-1])
        except OSError as exc:
            return exc.errno

    close = partial(_close_last, listeners)
    ebadf = errno.EBADF
    return Wait(call, close, ebadf, spent=True, close=close, when_closed=ebadf.__eq__)


@park(green_request.urlopen)
def urlopen(stage: Stage) -> Wait:
    listener = stage.listener()
    host, port = listener.getsockname()[:2]

    def call() -> bytes:
        with green_request.urlopen(f"http://{host}:{port}/") as answer:
            data: bytes = answer.read()
            return data

    def answer(client: Any) -> None:
        if client.recv(65536):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        client.close()

    def answer_all() -> None:
        while True:
            stage.thread(answer, stage.keep(listener.accept()[0]))

    def complete() -> None:
        stage.thread(answer_all)

    return Wait(call, complete, b"hello", stays=False)


# -- database pools ----------------------------------------------------------------------------


class _Connection:
    """A connection whose calls wait when they are told to."""

    def __init__(self, database: _Database) -> None:
        self.database = database

    def rollback(self) -> None:
        self.database.wait_for("rollback")

    def close(self) -> None:
        self.database.wait_for("close")
        self.database.still_open -= 1


class _Database:
    """A database module; the call that is named `slow` waits for an event."""

    def __init__(self, slow: str) -> None:
        self.slow = slow
        self.event = Event()
        self.still_open = 0

    def connect(self) -> _Connection:
        self.wait_for("connect")
        self.still_open += 1
        return _Connection(self)

    def wait_for(self, name: str) -> None:
        if name == self.slow and not self.event.ready():
            self.event.wait()


def _counts(pool: BaseConnectionPool, database: _Database) -> Callable[[], Any]:
    return lambda: (pool.current_size, len(pool.free_items), pool.waiting(), database.still_open)


def _raw(stage: Stage, slow: str, **options: Any) -> tuple[RawConnectionPool, _Database]:
    database = _Database(slow)
    pool = RawConnectionPool(database, 0, 1, None, None, **options)
    stage.at_end(pool.clear)
    stage.at_end(send_once, database.event)
    return pool, database


def _use(pool: BaseConnectionPool) -> bool:
    with pool.item() as connection:
        return bool(connection)


@park(BaseConnectionPool.get, BaseConnectionPool.item)
def db_pool_get(stage: Stage) -> Wait:
    pool, database = _raw(stage, "")
    taken = pool.get()
    return Wait(partial(_use, pool), taken.close, True, _counts(pool, database))


@park(RawConnectionPool.connect)
def db_pool_connect(stage: Stage) -> Wait:
    pool, database = _raw(stage, "connect", connect_timeout=1000)
    return Wait(partial(_use, pool), database.event.send, True, _counts(pool, database))


@park(BaseConnectionPool.put, shielded=True)
def db_pool_put_that_rolls_back(stage: Stage) -> Wait:
    """Killed, it drops the connection: nobody knows the state of its transaction."""
    pool, database = _raw(stage, "rollback")
    return Wait(partial(_use, pool), database.event.send, True, pool.waiting)


@park(BaseConnectionPool.put, shielded=True)
def db_pool_put_that_closes(stage: Stage) -> Wait:
    """Killed, the closing is finished by somebody else."""
    pool, database = _raw(stage, "close", cleanup=None)
    pool.max_idle = 0
    send = partial(send_once, database.event)
    state = _counts(pool, database)
    return Wait(partial(_use, pool), send, True, state, ready_first=True, goes_on=send)


@park(BaseConnectionPool.clear)
def db_pool_clear(stage: Stage) -> Wait:
    pool, database = _raw(stage, "close")
    _use(pool)
    send = partial(send_once, database.event)
    return Wait(pool.clear, send, None, pool.waiting, ready_first=True, goes_on=send)


@park(TpooledConnectionPool.connect)
def db_pool_connect_in_an_os_thread(stage: Stage) -> Wait:
    stage.at_end(tpool.killall)
    gate = stage.os_gate()

    class Module:
        """sqlite, slow to connect."""

        threadsafety = 1

        @staticmethod
        def connect() -> Any:
            assert gate.wait(600)
            return sqlite3.connect(":memory:", check_same_thread=False)

    pool = TpooledConnectionPool(Module, 0, 1, None, None, connect_timeout=1000)
    stage.at_end(pool.clear)

    def state() -> Any:
        return pool.current_size, len(pool.free_items), pool.waiting()

    return Wait(partial(_use, pool), gate.set, True, state)


# -- asyncio -------------------------------------------------------------------------------------


def _loop(stage: Stage) -> Any:
    """The loop of this OS thread; it runs in a green thread of its own."""
    stage.at_end(close_hosted_loop, get_hub())
    loop = green_asyncio.loop_of()
    green_asyncio.wait_for_awaitable(asyncio.sleep(0))
    return loop


def _flag(stage: Stage) -> tuple[Callable[[], Any], Callable[[], None]]:
    """What makes a coroutine that waits for something, and what makes that come."""
    loop = _loop(stage)
    flag = asyncio.Event()

    async def wait() -> int:
        await flag.wait()
        return 7

    return wait, lambda: loop.call_soon_threadsafe(flag.set)


@park(green_asyncio.wait_for_awaitable)
def wait_for_awaitable(stage: Stage) -> Wait:
    wait, complete = _flag(stage)
    return Wait(lambda: green_asyncio.wait_for_awaitable(wait()), complete, 7)


@park(green_asyncio.wait_for_awaitable)
def wait_for_awaitable_with_a_timeout(stage: Stage) -> Wait:
    wait, complete = _flag(stage)
    return Wait(lambda: green_asyncio.wait_for_awaitable(wait(), 1000), complete, 7)


@park(green_asyncio.spawn_for_awaitable)
def spawn_for_awaitable(stage: Stage) -> Wait:
    wait, complete = _flag(stage)
    thread = green_asyncio.spawn_for_awaitable(wait())
    stage.at_end(thread.kill)
    return Wait(thread.wait, complete, 7)


@park(green_asyncio.run, green_asyncio.to_green)
def run_to_green(stage: Stage) -> Wait:
    event = Event()

    async def main() -> Any:
        return await green_asyncio.to_green(event.wait)

    return Wait(lambda: green_asyncio.run(main()), partial(event.send, 7), 7)


@park(green_asyncio.run, green_asyncio.EventLoop, green_asyncio.new_event_loop)
def run_a_loop(stage: Stage) -> Wait:
    running: list[tuple[Any, asyncio.Event]] = []

    async def main() -> int:
        running.append((asyncio.get_running_loop(), asyncio.Event()))
        await running[-1][1].wait()
        return 7

    def complete() -> None:
        loop, flag = running[-1]
        loop.call_soon(flag.set)

    return Wait(lambda: green_asyncio.run(main()), complete, 7, stays=False)
