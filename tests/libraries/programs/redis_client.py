"""redis-py: a pool of connections, lists to block on, a subscription, a pipeline, a lock."""

from __future__ import annotations

import threading
import time
from typing import Any

import redis

from tests.libraries.crew import DELAY, together


def work(site: Any) -> str:
    client: Any = redis.Redis(unix_socket_path=site["redis"]["path"], max_connections=40)
    client.flushall()

    def block(number: int) -> bool:
        return client.blpop([f"empty-{number}"], timeout=DELAY) is None

    assert all(together(20, block))
    taker: list[Any] = []
    waiting = threading.Thread(target=lambda: taker.append(client.blpop(["jobs"], timeout=10)))
    waiting.start()
    time.sleep(0.05)
    client.rpush("jobs", "one")
    waiting.join()
    assert taker == [(b"jobs", b"one")]

    subscription = client.pubsub()
    subscription.subscribe("news")
    heard: list[bytes] = []

    def listen() -> None:
        for message in subscription.listen():
            if message["type"] == "message":
                heard.append(message["data"])
                if message["data"] == b"end":
                    return

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.05)
    for text in ("a", "b", "end"):
        client.publish("news", text)
    listener.join(10)
    assert heard == [b"a", b"b", b"end"]
    subscription.close()

    with client.pipeline() as pipe:
        for number in range(1000):
            pipe.set(f"key-{number}", number)
        assert all(pipe.execute())
    counted: list[int] = []

    def count(number: int) -> None:
        with client.lock("door", timeout=10):
            before = len(counted)
            time.sleep(0.01)
            counted.append(before)

    threads = [threading.Thread(target=count, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == list(range(5))
    client.close()
    return "20 blocking pops, a subscription, 1,000 commands in a pipeline, a lock"
