"""Park many tasks on asyncio or uvloop and stay."""

import asyncio
import socket

from benchmarks.programs.driver import (
    YEAR_SECONDS,
    Pairs,
    arguments,
    socket_pairs,
    stay_parked,
    wait_to_park,
)
from benchmarks.programs.loops import runner

SETTLE_SECONDS = 0.1
RECEIVE_BYTES = 4096


def park_sleeping(count: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(asyncio.sleep(YEAR_SECONDS)) for _ in range(count)]


async def receive(receiver: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=receiver)
    await reader.read(RECEIVE_BYTES)
    writer.close()


def park_receiving(pairs: Pairs) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(receive(receiver)) for receiver, _ in pairs]


async def park(name: str, count: int) -> None:
    pairs = socket_pairs(count) if name == "receive" else []
    await asyncio.create_task(asyncio.sleep(0))
    began = wait_to_park()
    tasks = park_receiving(pairs) if name == "receive" else park_sleeping(count)
    await asyncio.sleep(SETTLE_SECONDS)
    stay_parked(len(tasks), began)


def main() -> None:
    name, parameters = arguments()
    with runner(bool(parameters.get("uvloop"))) as loop_runner:
        loop_runner.run(park(name, parameters["count"]))


if __name__ == "__main__":
    main()
