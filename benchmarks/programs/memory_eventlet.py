"""Park many green threads on eventlet and stay. Serves us and eventlet 0.41."""

import eventlet
import eventlet.greenio

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
        eventlet.spawn(eventlet.sleep, YEAR_SECONDS)


def park_receiving(pairs: Pairs) -> None:
    for receiver, _ in pairs:
        eventlet.spawn(eventlet.greenio.GreenSocket(receiver).recv, RECEIVE_BYTES)


def main() -> None:
    name, parameters = arguments()
    count = parameters["count"]
    pairs = socket_pairs(count) if name == "receive" else []
    eventlet.spawn(eventlet.sleep, 0).wait()
    began = wait_to_park()
    if name == "receive":
        park_receiving(pairs)
    else:
        park_sleeping(count)
    eventlet.sleep(SETTLE_SECONDS)
    stay_parked(len(pairs) or count, began)


if __name__ == "__main__":
    main()
