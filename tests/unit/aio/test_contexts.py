"""contextvars go along with every way to start something, as copies."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from eventlet import tpool
from eventlet.asyncio import (
    loop_of,
    run,
    spawn_for_awaitable,
    to_green,
    wait_for_awaitable,
)
from eventlet.greenpool import GreenPile, GreenPool
from eventlet.greenthread import sleep, spawn, spawn_after, spawn_after_local, spawn_n
from eventlet.queue import Queue
from eventlet.taskgroup import TaskGroup

place: ContextVar[str] = ContextVar("place", default="nowhere")


def where(*_: Any) -> str:
    """Tell where we are, then go elsewhere, which is nobody else's business."""
    sleep(0)
    found = place.get()
    place.set("elsewhere")
    return found


async def where_is_the_task() -> str:
    await asyncio.sleep(0)
    found = place.get()
    place.set("elsewhere")
    return found


def by_spawn_n() -> Any:
    told: Queue[str] = Queue()
    spawn_n(lambda: told.put(where()))
    return told.get()


def by_pile() -> Any:
    pile = GreenPile(2)
    pile.spawn(where)
    return next(pile)


def by_waitall() -> Any:
    told: list[str] = []
    pool = GreenPool(2)
    pool.spawn_n(lambda: told.append(where()))
    pool.waitall()
    return told[0]


def by_task_group() -> Any:
    with TaskGroup() as group:
        thread = group.spawn(where)
    return thread.wait()


def by_proxy() -> Any:
    class Teller:
        def where(self) -> str:
            return place.get()

    return tpool.Proxy(Teller()).where()


def by_callback_of_a_loop() -> Any:
    async def main() -> str:
        told = asyncio.get_running_loop().create_future()
        place.set("here")
        asyncio.get_running_loop().call_later(0.001, lambda: told.set_result(place.get()))
        place.set("elsewhere")
        found: str = await told
        return found

    return run(main())


def by_callback_of_the_hosted_loop() -> Any:
    told: Queue[str] = Queue()
    loop_of().call_soon(lambda: told.put(place.get()))
    return told.get()


def by_to_green() -> Any:
    async def main() -> str:
        place.set("here")
        return await to_green(where)

    return wait_for_awaitable(main())


def by_green_thread_of_a_coroutine() -> Any:
    async def main() -> Any:
        place.set("here")
        return await spawn(where)

    return wait_for_awaitable(main())


WAYS: dict[str, Callable[[], Any]] = {
    "spawn": lambda: spawn(where).wait(),
    "spawn_n": by_spawn_n,
    "spawn_after": lambda: spawn_after(0.001, where).wait(),
    "spawn_after_local": lambda: spawn_after_local(0.001, where).wait(),
    "GreenPool.spawn": lambda: GreenPool(2).spawn(where).wait(),
    "GreenPool.spawn_n": by_waitall,
    "GreenPool.imap": lambda: next(GreenPool(2).imap(where, [1])),
    "GreenPool.starmap": lambda: next(GreenPool(2).starmap(where, [(1,)])),
    "GreenPile.spawn": by_pile,
    "TaskGroup.spawn": by_task_group,
    "tpool.execute": lambda: tpool.execute(place.get),
    "tpool.Proxy": by_proxy,
    "wait_for_awaitable": lambda: wait_for_awaitable(where_is_the_task()),
    "spawn_for_awaitable": lambda: spawn_for_awaitable(where_is_the_task()).wait(),
    "asyncio.run": lambda: run(where_is_the_task()),
    "asyncio callback": by_callback_of_a_loop,
    "callback of the hosted loop": by_callback_of_the_hosted_loop,
    "to_green": by_to_green,
    "spawn in a coroutine": by_green_thread_of_a_coroutine,
}


@pytest.fixture(autouse=True)
def end_pools() -> Iterator[None]:
    yield
    tpool.killall()


@pytest.mark.parametrize("way", WAYS)
def test_the_context_goes_along_as_a_copy(way: str) -> None:
    def start() -> tuple[str, str]:
        place.set("here")
        return WAYS[way](), place.get()

    assert contextvars.copy_context().run(start) == ("here", "here")


def test_a_delayed_thread_has_the_context_of_the_moment_it_was_spawned() -> None:
    def start() -> str:
        place.set("here")
        thread = spawn_after(0.001, where)
        place.set("there")
        found: str = thread.wait()
        return found

    assert contextvars.copy_context().run(start) == "here"


def test_each_job_of_a_pool_has_the_context_of_its_spawner() -> None:
    def start() -> list[str]:
        pool, threads = GreenPool(2), []
        for name in ("one", "two", "three", "four"):
            place.set(name)
            threads.append(pool.spawn(where))
        return [thread.wait() for thread in threads]

    assert contextvars.copy_context().run(start) == ["one", "two", "three", "four"]
