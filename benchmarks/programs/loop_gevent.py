"""Scheduling cases on gevent."""

from collections.abc import Callable

import gevent
import gevent.pool
import gevent.queue

from benchmarks.programs.driver import Parameters, arguments, measure, requests, spread_delays

Batch = Callable[[], int]


def nothing() -> None:
    pass


def identity(value: int) -> int:
    return value


def wait_a_turn(value: int) -> int:
    gevent.sleep(0)
    return value


def spawn_join(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    def batch() -> int:
        for _ in range(count):
            gevent.spawn(nothing).get()
        return count

    return batch


def spawn_many(parameters: Parameters) -> Batch:
    count = parameters["batch"]

    def batch() -> int:
        for thread in [gevent.spawn(nothing) for _ in range(count)]:
            thread.get()
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
            gevent.spawn_raw(work)
        gevent.sleep(0)
        return ran - before

    return batch


def sleep_zero(parameters: Parameters) -> Batch:
    count, threads = parameters["batch"], parameters["threads"]

    def turns() -> None:
        for _ in range(count):
            gevent.sleep(0)

    def batch() -> int:
        for thread in [gevent.spawn(turns) for _ in range(threads)]:
            thread.get()
        return count * threads

    return batch


def timers(parameters: Parameters) -> Batch:
    delays = spread_delays(parameters["count"])

    def batch() -> int:
        for thread in [gevent.spawn(gevent.sleep, delay) for delay in delays]:
            thread.get()
        return len(delays)

    return batch


def queue(parameters: Parameters) -> Batch:
    count = parameters["batch"]
    items: gevent.queue.Queue[int] = gevent.queue.Queue(parameters["size"])

    def produce() -> None:
        for item in range(count):
            items.put(item)

    def batch() -> int:
        producer = gevent.spawn(produce)
        for _ in range(count):
            items.get()
        producer.get()
        return count

    return batch


def imap(parameters: Parameters) -> Batch:
    return imap_over(identity, parameters)


def imap_wait(parameters: Parameters) -> Batch:
    return imap_over(wait_a_turn, parameters)


def imap_over(function: Callable[[int], int], parameters: Parameters) -> Batch:
    count = parameters["batch"]
    pool = gevent.pool.Pool(parameters["size"])

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
