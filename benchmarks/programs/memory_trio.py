"""Park many tasks on trio and stay."""

import socket

import trio
import trio.lowlevel

from benchmarks.programs.driver import (
    YEAR_SECONDS,
    arguments,
    socket_pairs,
    stay_parked,
    wait_to_park,
)

SETTLE_SECONDS = 0.1
RECEIVE_BYTES = 4096


async def receive(receiver: socket.socket) -> None:
    await trio.socket.from_stdlib_socket(receiver).recv(RECEIVE_BYTES)


async def park(name: str, count: int) -> None:
    pairs = socket_pairs(count) if name == "receive" else []
    async with trio.open_nursery() as nursery:
        await trio.lowlevel.checkpoint()
        began = wait_to_park()
        if name == "receive":
            for receiver, _ in pairs:
                nursery.start_soon(receive, receiver)
        else:
            for _ in range(count):
                nursery.start_soon(trio.sleep, YEAR_SECONDS)
        await trio.sleep(SETTLE_SECONDS)
        stay_parked(len(pairs) or count, began)


def main() -> None:
    name, parameters = arguments()
    trio.run(park, name, parameters["count"])


if __name__ == "__main__":
    main()
