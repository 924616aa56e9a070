"""Park many tasks on asyncio or uvloop and stay."""

import asyncio
import socket

from benchmarks.programs.driver import (
    YEAR_SECONDS,
    Pairs,
    Roll,
    arguments,
    socket_pairs,
    stay_parked,
    wait_to_park,
)
from benchmarks.programs.loops import runner

SETTLE_SECONDS = 0.1
RECEIVE_BYTES = 4096


async def nap(roll: Roll) -> None:
    roll.answer()
    await asyncio.sleep(YEAR_SECONDS)


async def receive(receiver: socket.socket, roll: Roll) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=receiver)
    roll.answer()
    await reader.read(RECEIVE_BYTES)
    writer.close()


def park_sleeping(count: int, roll: Roll) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(nap(roll)) for _ in range(count)]


def park_receiving(pairs: Pairs, roll: Roll) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(receive(receiver, roll)) for receiver, _ in pairs]


async def park(name: str, count: int) -> None:
    pairs = socket_pairs(count) if name == "receive" else []
    roll = Roll()
    await asyncio.create_task(asyncio.sleep(0))
    began = wait_to_park()
    tasks = park_receiving(pairs, roll) if name == "receive" else park_sleeping(count, roll)
    while roll.present < len(tasks):  # noqa: ASYNC110 - nothing finer is needed here
        await asyncio.sleep(SETTLE_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    stay_parked(roll.present, began)


def main() -> None:
    name, parameters = arguments()
    with runner(bool(parameters.get("uvloop"))) as loop_runner:
        loop_runner.run(park(name, parameters["count"]))


if __name__ == "__main__":
    main()
