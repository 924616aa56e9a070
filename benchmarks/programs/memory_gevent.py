"""Park many green threads on gevent and stay."""

import gevent
from gevent import socket

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
    gevent.sleep(YEAR_SECONDS)


def receive(sock: socket.socket, roll: Roll) -> None:
    roll.answer()
    sock.recv(RECEIVE_BYTES)


def park_sleeping(count: int, roll: Roll) -> None:
    for _ in range(count):
        gevent.spawn(nap, roll)


def park_receiving(pairs: Pairs, roll: Roll) -> None:
    for receiver, _ in pairs:
        gevent.spawn(receive, socket.socket(fileno=receiver.detach()), roll)


def main() -> None:
    name, parameters = arguments()
    count = parameters["count"]
    pairs = socket_pairs(count) if name == "receive" else []
    roll = Roll()
    gevent.spawn(gevent.sleep, 0).get()
    began = wait_to_park()
    if name == "receive":
        park_receiving(pairs, roll)
    else:
        park_sleeping(count, roll)
    while roll.present < (len(pairs) or count):
        gevent.sleep(SETTLE_SECONDS)
    gevent.sleep(SETTLE_SECONDS)
    stay_parked(roll.present, began)


if __name__ == "__main__":
    main()
