"""The tests of parks can fail: what is left behind is found."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from eventlet._core.current import get_hub
from eventlet._core.scope import CancelScope
from eventlet._core.wait_queue import WaitQueue
from eventlet.greenthread import sleep

from tests.unit.parks.attempt import Attempt, Registered
from tests.unit.parks.stage import Stage


def differences_after(careless: Any) -> list[str]:
    """Kill a call of `careless` and tell what it left."""
    with Stage() as stage:
        registered = Registered(stage)
        attempt = Attempt(careless)
        attempt.wait_until_parked()
        tickets = [attempt.ticket]
        attempt.thread.kill()
        attempt.end()
        return registered.differences(tickets)


def test_a_careful_call_leaves_nothing() -> None:
    assert differences_after(partial(sleep, 60)) == []


def test_a_ticket_in_a_queue_is_found() -> None:
    queue = WaitQueue()

    def park() -> None:
        hub = get_hub()
        ticket = hub.ticket()
        queue.append(ticket)
        hub.park(ticket)

    (found,) = differences_after(park)
    assert "deque" in found


def test_a_descriptor_is_found() -> None:
    opened: list[int] = []

    def park() -> None:
        opened.extend(os.pipe())
        sleep(60)

    assert len(differences_after(park)) == len(opened)
    for fd in opened:
        os.close(fd)


def test_a_child_process_is_found() -> None:
    children: list[int] = []

    def park() -> None:
        children.append(os.posix_spawnp("true", ["true"], os.environ))
        sleep(60)

    found = differences_after(park)
    os.waitpid(children[0], 0)
    assert found == [f"child process: {children[0]}"]


def test_a_timer_is_found() -> None:
    timers: list[Any] = []

    def park() -> None:
        timers.append(get_hub().call_later(60, int))
        sleep(60)

    (found,) = differences_after(park)
    timers[0].cancel()
    assert found.startswith("timer is pending")


def test_an_open_scope_is_found() -> None:
    scopes: list[CancelScope] = []

    def park() -> None:
        scopes.append(CancelScope().__enter__())
        sleep(60)

    found = differences_after(park)
    get_hub().scopes -= 1
    assert found == ["1 scopes are open"]
