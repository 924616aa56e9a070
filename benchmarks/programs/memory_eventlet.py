"""Park many green threads on eventlet and stay. Serves us and eventlet 0.41."""

import eventlet
import eventlet.greenio

from benchmarks.programs.driver import (
    YEAR_SECONDS,
    Pairs,
    Roll,
    arguments,
    socket_pairs,
    stay_parked,
    wait_to_park,
)

SETTLE_SECONDS = 0.1
RECEIVE_BYTES = 4096


def nap(roll: Roll) -> None:
    roll.answer()
    eventlet.sleep(YEAR_SECONDS)


def receive(sock: eventlet.greenio.GreenSocket, roll: Roll) -> None:
    roll.answer()
    sock.recv(RECEIVE_BYTES)


def park_sleeping(count: int, roll: Roll) -> None:
    for _ in range(count):
        eventlet.spawn(nap, roll)


def park_receiving(pairs: Pairs, roll: Roll) -> None:
    for receiver, _ in pairs:
        eventlet.spawn(receive, eventlet.greenio.GreenSocket(receiver), roll)


def main() -> None:
    name, parameters = arguments()
    count = parameters["count"]
    pairs = socket_pairs(count) if name == "receive" else []
    roll = Roll()
    eventlet.spawn(eventlet.sleep, 0).wait()
    began = wait_to_park()
    if name == "receive":
        park_receiving(pairs, roll)
    else:
        park_sleeping(count, roll)
    while roll.present < (len(pairs) or count):
        eventlet.sleep(SETTLE_SECONDS)
    eventlet.sleep(SETTLE_SECONDS)
    stay_parked(roll.present, began)


if __name__ == "__main__":
    main()
