"""Scheduling cases on trio; a nursery joins its tasks, so only joined spawns have a like."""

from collections.abc import Awaitable, Callable

import trio
import trio.lowlevel

from benchmarks.programs.driver import (
    Parameters,
    arguments,
    measure_async,
    requests,
    spread_delays,
)

Batch = Callable[[], Awaitable[int]]


async def nothing() -> None:
    pass


def spawn_join(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    async def batch() -> int:
        for _ in range(count):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(nothing)
        return count

    return batch


def spawn_many(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    async def batch() -> int:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(nothing)
        return count

    return batch


def sleep_zero(parameters: Parameters) -> Batch:
    count, threads = parameters["batch"], parameters["threads"]

    async def turns() -> None:
        for _ in range(count):
            await trio.lowlevel.checkpoint()

    async def batch() -> int:
        async with trio.open_nursery() as nursery:
            for _ in range(threads):
                nursery.start_soon(turns)
        return count * threads

    return batch


def timers(parameters: Parameters) -> Batch:
    delays = spread_delays(parameters["count"])

    async def batch() -> int:
        async with trio.open_nursery() as nursery:
            for delay in delays:
                nursery.start_soon(trio.sleep, delay)
        return len(delays)

    return batch


def queue(parameters: Parameters) -> Batch:
    count = parameters["batch"]
    sender, receiver = trio.open_memory_channel[int](parameters["size"])

    async def produce() -> None:
        for item in range(count):
            await sender.send(item)

    async def batch() -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce)
            for _ in range(count):
                await receiver.receive()
        return count

    return batch


BATCHES: dict[str, Callable[[Parameters], Batch]] = {
    "spawn_join": spawn_join,
    "spawn_many": spawn_many,
    "sleep_zero": sleep_zero,
    "timers": timers,
    "queue": queue,
}


def main() -> None:
    name, parameters = arguments()
    batch = BATCHES[name](parameters)
    requests(lambda seconds: trio.run(measure_async, batch, seconds))


if __name__ == "__main__":
    main()
