"""Every client written for asyncio, in green threads of one program, patched or not.

Arguments: "patched" or "unpatched"; the addresses of the servers as JSON.
"""

import json
import sys
from typing import Any

import eventlet

is_patched, servers = sys.argv[1] == "patched", json.loads(sys.argv[2])
if is_patched:
    eventlet.monkey_patch()

import asyncio

import eventlet.asyncio
from eventlet import wsgi
from eventlet.asyncio import wait_for_awaitable

from tests.unit.aio.clients import CLIENTS, POOL_SIZE, Heartbeat, Site

# The loop of an unpatched program holds up everybody; ours is the one that parks.
run = asyncio.run if is_patched else eventlet.asyncio.run


async def in_a_loop_of_its_own(kind: Any, n: int) -> int:
    client = kind(servers[kind.server])
    await client.open()
    try:
        for _ in range(POOL_SIZE + 1):
            try:
                await asyncio.wait_for(client.linger(), 0.05)
            except TimeoutError:
                continue
            raise AssertionError("nothing lingered")
        return int(await client.double(n))
    finally:
        await client.close()


def in_the_hosted_loop(kind: Any) -> None:
    client = kind(servers[kind.server])
    wait_for_awaitable(client.open())
    for _ in range(POOL_SIZE + 1):
        try:
            with eventlet.Timeout(0.05):
                wait_for_awaitable(client.linger())
        except eventlet.Timeout:
            continue
        raise AssertionError("nothing lingered")
    pile = eventlet.GreenPile()
    for n in range(5):
        pile.spawn(wait_for_awaitable, client.double(n))
    assert list(pile) == [0, 2, 4, 6, 8]
    wait_for_awaitable(client.close())


listener = eventlet.listen(("127.0.0.1", 0))
server = eventlet.spawn(wsgi.server, listener, Site(), log_output=False)
servers |= {"site": f"http://127.0.0.1:{listener.getsockname()[1]}", None: None}

with Heartbeat() as heart:
    for name, kind in CLIENTS.items():
        in_the_hosted_loop(kind)
        print(name, flush=True)
    threads = [
        (2 * n, eventlet.spawn(run, in_a_loop_of_its_own(kind, n)))
        for n, kind in enumerate(CLIENTS.values())
    ]
    for expected, thread in threads:
        assert thread.wait() == expected
    assert heart.beats > 5, heart.beats

server.kill()
listener.close()
print("well")
