"""Scheduling cases on eventlet. Serves us and eventlet 0.41."""

from collections.abc import Callable

import eventlet
import eventlet.queue

from benchmarks.programs.driver import Parameters, arguments, measure, requests, spread_delays

Batch = Callable[[], int]


def nothing() -> None:
    pass


def identity(value: int) -> int:
    return value


def wait_a_turn(value: int) -> int:
    eventlet.sleep(0)
    return value


def spawn_join(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    def batch() -> int:
        for _ in range(count):
            eventlet.spawn(nothing).wait()
        return count

    return batch


def spawn_many(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    def batch() -> int:
        for thread in [eventlet.spawn(nothing) for _ in range(count)]:
            thread.wait()
        return count

    return batch


def spawn_n(parameters: Parameters) -> Batch:
    count = parameters["batch"]
    ran = 0

    def work() -> None:
        nonlocal ran
        ran += 1

    def batch() -> int:
        before = ran
        for _ in range(count):
            eventlet.spawn_n(work)
        eventlet.sleep(0)
        return ran - before

    return batch


def sleep_zero(parameters: Parameters) -> Batch:
    count, threads = parameters["batch"], parameters["threads"]

    def turns() -> None:
        for _ in range(count):
            eventlet.sleep(0)

    def batch() -> int:
        for thread in [eventlet.spawn(turns) for _ in range(threads)]:
            thread.wait()
        return count * threads

    return batch


def timers(parameters: Parameters) -> Batch:
    delays = spread_delays(parameters["count"])

    def batch() -> int:
        for thread in [eventlet.spawn(eventlet.sleep, delay) for delay in delays]:
            thread.wait()
        return len(delays)

    return batch


def queue(parameters: Parameters) -> Batch:
    count = parameters["batch"]
    items: eventlet.queue.Queue[int] = eventlet.queue.Queue(parameters["size"])

    def produce() -> None:
        for item in range(count):
            items.put(item)

    def batch() -> int:
        producer = eventlet.spawn(produce)
        for _ in range(count):
            items.get()
        producer.wait()
        return count

    return batch


def imap(parameters: Parameters) -> Batch:
    return imap_over(identity, parameters)


def imap_wait(parameters: Parameters) -> Batch:
    return imap_over(wait_a_turn, parameters)


def imap_over(function: Callable[[int], int], parameters: Parameters) -> Batch:
    count = parameters["batch"]
    pool = eventlet.GreenPool(parameters["size"])

    def batch() -> int:
        return sum(1 for _ in pool.imap(function, range(count)))

    return batch


BATCHES: dict[str, Callable[[Parameters], Batch]] = {
    "spawn_join": spawn_join,
    "spawn_many": spawn_many,
    "spawn_n": spawn_n,
    "sleep_zero": sleep_zero,
    "timers": timers,
    "queue": queue,
    "imap": imap,
    "imap_wait": imap_wait,
}


def main() -> None:
    name, parameters = arguments()
    batch = BATCHES[name](parameters)
    requests(lambda seconds: measure(batch, seconds))


if __name__ == "__main__":
    main()
