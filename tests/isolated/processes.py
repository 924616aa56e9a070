"""`multiprocessing` as a program uses it: patched before or after its import, or not at all.

Arguments: "patched", "late" (patched after the import) or "plain"; the start method; "main"
or "green", which thread of the parent does it all.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

MODE, METHOD, WHERE = sys.argv[1:4]

if MODE == "late":
    import concurrent.futures.process  # noqa: F401  # loads what a pool of it needs
    import multiprocessing.connection
    import multiprocessing.managers
    import multiprocessing.pool
    import multiprocessing.queues
    import multiprocessing.synchronize
import eventlet

if MODE != "plain":
    eventlet.monkey_patch()

import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor

context: Any = mp.get_context(METHOD)


def square(number: int) -> int:
    """Work for a pool: wait a little, then compute."""
    time.sleep(0.02)
    return number * number


def answer(pipe: Any) -> None:
    """Answer one question, however long."""
    pipe.send_bytes(pipe.recv_bytes() + b"!")
    pipe.close()


def count(number: Any, lock: Any, queue: Any) -> None:
    """Count up under a lock that the others take too; tell who did."""
    for _ in range(20):
        with lock:
            number.value += 1
    queue.put(os.getpid())


def follow(ready: Any, go: Any, condition: Any) -> None:
    """Say that we are there, wait for the word, pass it on."""
    ready.set()
    go.wait()
    with condition:
        condition.notify_all()


def fail() -> None:
    """End as a program ends that raises SystemExit."""
    sys.exit(3)


def use_pipe() -> None:
    near, far = context.Pipe()
    child = context.Process(target=answer, args=(far,))
    child.start()
    far.close()
    question = b"x" * 300_000
    near.send_bytes(question)
    assert near.recv_bytes() == question + b"!"
    child.join()
    near.close()
    assert child.exitcode == 0


def use_locks_and_queues() -> None:
    queue, lock, number = context.Queue(), context.Lock(), context.Value("i", 0)
    children = [context.Process(target=count, args=(number, lock, queue)) for _ in range(3)]
    for child in children:
        child.start()
    assert {queue.get(timeout=20) for _ in children} == {child.pid for child in children}
    for child in children:
        child.join()
    assert number.value == 60
    queue.close()
    queue.join_thread()


def use_events() -> None:
    ready, go, condition = context.Event(), context.Event(), context.Condition()
    child = context.Process(target=follow, args=(ready, go, condition))
    child.start()
    assert ready.wait(20)
    with condition:
        go.set()
        assert condition.wait(20)
    child.join()
    assert not context.Semaphore(0).acquire(timeout=0.02)


def use_pool() -> None:
    with context.Pool(2) as pool:
        assert pool.map(square, range(6)) == [0, 1, 4, 9, 16, 25]
        assert pool.apply_async(square, (7,)).get(20) == 49
        assert list(pool.imap_unordered(square, [3])) == [9]
        pool.map_async(time.sleep, [20, 20, 20])  # terminate() ends it
    pool.join()
    pool = context.Pool(2)
    assert pool.map(square, range(3)) == [0, 1, 4]
    pool.close()
    pool.join()


def use_executor() -> None:
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        assert list(executor.map(square, range(6))) == [0, 1, 4, 9, 16, 25]


def use_manager() -> None:
    with context.Manager() as manager:
        shared, queue = manager.dict(), manager.Queue()
        shared["a"] = 1
        queue.put(2)
        assert (dict(shared), queue.get()) == ({"a": 1}, 2)


def use_exit() -> None:
    child = context.Process(target=fail)
    child.start()
    child.join()
    assert child.exitcode == 3
    child = context.Process(target=time.sleep, args=(20,))
    child.start()
    child.join(0.05)
    assert child.is_alive()
    child.terminate()
    child.join()
    assert child.exitcode == -15


USES: list[Callable[[], None]] = [
    *(use_pipe, use_locks_and_queues, use_events, use_pool),
    *(use_executor, use_manager, use_exit),
]


def tick(pauses: list[float]) -> None:
    """Note how long each short sleep really took."""
    while True:
        began = time.monotonic()
        eventlet.sleep(0.001)
        pauses.append(time.monotonic() - began)


def main() -> None:
    pauses: list[float] = []
    ticker = eventlet.spawn(tick, pauses)
    eventlet.sleep(0)
    for use in USES:
        ticks = len(pauses)
        if WHERE == "main":
            use()
        else:
            eventlet.spawn(use).wait()
        if MODE != "plain":
            assert len(pauses) - ticks >= 2, f"{use.__name__} held up the hub"
    ticker.kill()
    if MODE != "plain":
        assert sorted(pauses)[len(pauses) // 2] < 0.5, "the parent's hub was held up"
    print("passed")


if __name__ == "__main__":
    main()
