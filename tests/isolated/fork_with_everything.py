"""Fork while everything is alive: timers, a listener, OS threads, loops, a group. Both go on.

Arguments: "patched" or "plain"; "main" or "green", which thread forks.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from collections.abc import Callable
from time import sleep as block
from typing import Any

import eventlet

MODE, WHERE = sys.argv[1:3]
if MODE == "patched":
    eventlet.monkey_patch()

import eventlet.asyncio
from eventlet import tpool
from eventlet.green import os as green_os
from eventlet.green import socket

parent = os.getpid()
running = True
ticks: list[int] = []
loop_ticks: list[int] = []
children_of_group: list[int] = []


def guarded(function: Callable[..., Any], *args: Any) -> None:
    """Make a call that must not end in the child."""
    try:
        function(*args)
    finally:
        if os.getpid() != parent:
            os.write(1, b"a finally block ran in the child\n")


def accept() -> None:
    while running:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(str(os.getpid()).encode())


def tick(where: list[int]) -> None:
    while running:
        eventlet.sleep(0.005)
        where.append(os.getpid())


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(str(os.getpid()).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def serve(addresses: list[Any]) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    addresses.append(server.sockets[0].getsockname())
    while running:
        await asyncio.sleep(0.005)
        loop_ticks.append(os.getpid())
    server.close()
    await server.wait_closed()


def group() -> None:
    with eventlet.move_on_after(60), eventlet.TaskGroup() as tasks:
        tasks.spawn(tick, children_of_group)
        tasks.spawn(tick, children_of_group)


def ask(address: Any) -> int:
    with socket.create_connection(address) as sock:
        return int(sock.recv(100))


async def double(number: int) -> int:
    await asyncio.sleep(0.005)
    return 2 * number


def in_the_child() -> None:
    assert tpool._threads == []
    assert tpool.execute(double_now, 4) == 8
    assert len(tpool._threads) == 1
    assert socket.getaddrinfo("localhost", 80)
    assert eventlet.asyncio.wait_for_awaitable(double(2)) == 4
    assert eventlet.asyncio.run(double(3)) == 6
    pool = eventlet.GreenPool(3)
    assert list(pool.imap(double_now, range(4))) == [0, 2, 4, 6]
    with eventlet.TaskGroup() as tasks:
        tasks.spawn(eventlet.sleep, 0.001)
    acceptor = eventlet.spawn(listener.accept)  # both accept now; one of the calls comes here
    while not acceptor.dead:
        socket.create_connection(listener.getsockname()).close()
        with eventlet.Timeout(0.01, False):
            acceptor.wait()
    acceptor.wait()[0].close()
    gc.collect()
    eventlet.sleep(0.05)
    assert os.getpid() not in (*ticks, *loop_ticks, *children_of_group)
    sys.exit(7)


def count_ticks() -> tuple[int, int, int]:
    return len(ticks), len(loop_ticks), len(children_of_group)


def double_now(number: int) -> int:
    block(0.001)
    return 2 * number


def fork() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # OS threads are running
        pid = os.fork()
    if not pid:
        in_the_child()
    counts = count_ticks()
    assert os.waitstatus_to_exitcode(green_os.waitpid(pid, 0)[1]) == 7
    with eventlet.Timeout(30):
        while not all(now - before > 5 for before, now in zip(counts, count_ticks(), strict=True)):
            eventlet.sleep(0.005)
    for _ in range(5):  # no event of ours went to the child
        assert ask(listener.getsockname()) == parent
        assert ask(addresses[0]) == parent
    assert {*ticks, *loop_ticks, *children_of_group} == {parent}
    assert eventlet.asyncio.wait_for_awaitable(double(5)) == 10
    assert tpool.execute(double_now, 6) == 12


listener = eventlet.listen(("127.0.0.1", 0))
addresses: list[Any] = []
acceptor = eventlet.spawn(guarded, accept)
threads = [
    eventlet.spawn(guarded, tick, ticks),
    eventlet.spawn(guarded, eventlet.asyncio.run, serve(addresses)),
    eventlet.spawn(guarded, group),
]
assert tpool.execute(double_now, 1) == 2
socket.getaddrinfo("localhost", 80)
hosted = eventlet.asyncio.spawn_for_awaitable(asyncio.sleep(60))
while not all(count_ticks()):
    eventlet.sleep(0.005)
if WHERE == "main":
    fork()
else:
    eventlet.spawn(fork).wait()
running = False
for thread in threads:
    thread.wait()
acceptor.kill()
hosted.kill()
listener.close()
print("passed")
