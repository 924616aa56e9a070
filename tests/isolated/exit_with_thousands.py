"""End the program while 10,000 green threads wait, in every way there is to wait.

Arguments: "plain" or "patched"; how main ends: "end", "exit", "green exit", "error", "ctrl-c";
which OS threads with hubs are there: "none", "daemon" or "awaited".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

import eventlet

MODE, END, OTHERS = sys.argv[1:4]
if MODE == "patched":
    eventlet.monkey_patch()

import threading

import eventlet.asyncio
from eventlet import tpool
from eventlet.event import Event
from eventlet.green import socket
from eventlet.patcher import original
from eventlet.queue import Queue
from eventlet.semaphore import Semaphore

EACH = 1000
queue: Queue[Any] = Queue()
semaphore, event, condition = Semaphore(0), Event(), threading.Condition()
pairs = [socket.socketpair() for _ in range(200)]
pool = eventlet.GreenPool(EACH)


def clean_up(seconds: float) -> None:
    try:
        eventlet.sleep(1000)
    finally:
        eventlet.sleep(seconds)


def in_groups() -> None:
    with eventlet.TaskGroup() as group, eventlet.move_on_after(1000):
        group.spawn(eventlet.sleep, 1000)
        group.spawn(queue.get)
        eventlet.sleep(1000)


def in_condition() -> None:
    with condition:
        condition.wait()


async def many_tasks() -> None:
    await asyncio.gather(*(asyncio.sleep(1000) for _ in range(100)))


def other_os_thread(seconds: float) -> None:
    for _ in range(200):
        eventlet.spawn(clean_up, 0)
    eventlet.sleep(seconds)
    finished.append(1)


for _ in range(EACH):
    eventlet.spawn(eventlet.sleep, 1000)
    eventlet.spawn(queue.get)
    eventlet.spawn(semaphore.acquire)
    eventlet.spawn(event.wait)
    eventlet.spawn_n(clean_up, 0)
    eventlet.spawn_after(1000, eventlet.sleep)
    pool.spawn(clean_up, 1000)
for _ in range(EACH // 5):
    eventlet.spawn(in_groups)  # three each
    eventlet.asyncio.spawn_for_awaitable(asyncio.sleep(1000))
for _ in range(10):
    eventlet.spawn(eventlet.asyncio.run, many_tasks())
    eventlet.spawn(tpool.execute, original("time").sleep, 0.2)
for near, _far in pairs:
    eventlet.spawn(near.recv, 1)
if MODE == "patched":
    for _ in range(EACH):
        eventlet.spawn(in_condition)
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
eventlet.sleep(0)
eventlet.sleep(0)

finished: list[int] = []
native: Any = original("threading") if OTHERS == "daemon" else threading
if OTHERS != "none":
    seconds = 1000 if OTHERS == "daemon" else 0.1
    for _ in range(8):
        native.Thread(target=other_os_thread, args=(seconds,), daemon=OTHERS == "daemon").start()

started_late = [eventlet.spawn(eventlet.sleep, 1000) for _ in range(EACH)]

if OTHERS == "awaited":
    import atexit

    atexit.register(lambda: print(len(finished), "finished"))
print(time.time(), flush=True)
if END == "exit":
    sys.exit(3)
elif END == "green exit":
    eventlet.spawn(sys.exit, 3)
    eventlet.sleep(1000)
elif END == "error":
    raise ValueError("main failed")
elif END == "ctrl-c":
    eventlet.hubs.get_hub().call_soon(os.kill, os.getpid(), signal.SIGINT)
    eventlet.sleep(1000)
