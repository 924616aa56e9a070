"""Park many green threads on gevent and stay."""

import gevent
from gevent import socket

from benchmarks.programs.driver import (
    YEAR_SECONDS,
    Pairs,
    arguments,
    socket_pairs,
    stay_parked,
    wait_to_park,
)

SETTLE_SECONDS = 0.1
RECEIVE_BYTES = 4096


def park_sleeping(count: int) -> None:
    for _ in range(count):
        gevent.spawn(gevent.sleep, YEAR_SECONDS)


def park_receiving(pairs: Pairs) -> None:
    for receiver, _ in pairs:
        gevent.spawn(socket.socket(fileno=receiver.detach()).recv, RECEIVE_BYTES)


def main() -> None:
    name, parameters = arguments()
    count = parameters["count"]
    pairs = socket_pairs(count) if name == "receive" else []
    gevent.spawn(gevent.sleep, 0).get()
    began = wait_to_park()
    if name == "receive":
        park_receiving(pairs)
    else:
        park_sleeping(count)
    gevent.sleep(SETTLE_SECONDS)
    stay_parked(len(pairs) or count, began)


if __name__ == "__main__":
    main()
