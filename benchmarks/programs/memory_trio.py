"""Park many tasks on trio and stay."""

import socket

import trio

from benchmarks.programs.driver import (
    YEAR_SECONDS,
    Roll,
    arguments,
    socket_pairs,
    stay_parked,
    wait_to_park,
)

SETTLE_SECONDS = 0.1
RECEIVE_BYTES = 4096


async def nap(roll: Roll) -> None:
    roll.answer()
    await trio.sleep(YEAR_SECONDS)


async def receive(receiver: socket.socket, roll: Roll) -> None:
    sock = trio.socket.from_stdlib_socket(receiver)
    roll.answer()
    await sock.recv(RECEIVE_BYTES)


async def park(name: str, count: int) -> None:
    pairs = socket_pairs(count) if name == "receive" else []
    roll = Roll()
    async with trio.open_nursery() as nursery:
        await trio.sleep(SETTLE_SECONDS)
        began = wait_to_park()
        if name == "receive":
            for receiver, _ in pairs:
                nursery.start_soon(receive, receiver, roll)
        else:
            for _ in range(count):
                nursery.start_soon(nap, roll)
        while roll.present < (len(pairs) or count):  # noqa: ASYNC110 - nothing finer is needed here
            await trio.sleep(SETTLE_SECONDS)
        await trio.sleep(SETTLE_SECONDS)
        stay_parked(roll.present, began)


def main() -> None:
    name, parameters = arguments()
    trio.run(park, name, parameters["count"])


if __name__ == "__main__":
    main()
