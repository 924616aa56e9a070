"""Scheduling cases on asyncio or uvloop: the nearest thing to each green-thread case."""

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.programs.driver import (
    Parameters,
    arguments,
    measure_async,
    requests,
    spread_delays,
)
from benchmarks.programs.loops import runner

Batch = Callable[[], Awaitable[int]]


async def nothing() -> None:
    pass


def spawn_join(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    async def batch() -> int:
        for _ in range(count):
            await asyncio.create_task(nothing())
        return count

    return batch


def spawn_many(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    async def batch() -> int:
        for task in [asyncio.create_task(nothing()) for _ in range(count)]:
            await task
        return count

    return batch


def spawn_n(parameters: Parameters) -> Batch:
    count = parameters["batch"]
    ran = 0

    async def work() -> None:
        nonlocal ran
        ran += 1

    async def batch() -> int:
        before = ran
        # asyncio keeps only weak references to tasks, so somebody has to hold them.
        tasks = [asyncio.create_task(work()) for _ in range(count)]
        await asyncio.sleep(0)
        tasks.clear()
        return ran - before

    return batch


def sleep_zero(parameters: Parameters) -> Batch:
    count, threads = parameters["batch"], parameters["threads"]

    async def turns() -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def batch() -> int:
        for task in [asyncio.create_task(turns()) for _ in range(threads)]:
            await task
        return count * threads

    return batch


def timers(parameters: Parameters) -> Batch:
    delays = spread_delays(parameters["count"])

    async def batch() -> int:
        for task in [asyncio.create_task(asyncio.sleep(delay)) for delay in delays]:
            await task
        return len(delays)

    return batch


def queue(parameters: Parameters) -> Batch:
    count = parameters["batch"]
    items: asyncio.Queue[int] = asyncio.Queue(parameters["size"])

    async def produce() -> None:
        for item in range(count):
            await items.put(item)

    async def batch() -> int:
        producer = asyncio.create_task(produce())
        for _ in range(count):
            await items.get()
        await producer
        return count

    return batch


BATCHES: dict[str, Callable[[Parameters], Batch]] = {
    "spawn_join": spawn_join,
    "spawn_many": spawn_many,
    "spawn_n": spawn_n,
    "sleep_zero": sleep_zero,
    "timers": timers,
    "queue": queue,
}


def main() -> None:
    name, parameters = arguments()
    batch = BATCHES[name](parameters)
    with runner(bool(parameters.get("uvloop"))) as loop_runner:
        requests(lambda seconds: loop_runner.run(measure_async(batch, seconds)))


if __name__ == "__main__":
    main()
