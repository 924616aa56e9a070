"""What goes on after a cancelled park; `parks/` has every one of them, and its state."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet._core.scope import CancelScope, move_on_after, shielded
from eventlet.convenience import connect
from eventlet.event import Event
from eventlet.green import threading as green_threading
from eventlet.greenpool import GreenPool
from eventlet.greenthread import sleep, spawn

from tests.conftest import RunIsolated
from tests.unit.parks.stage import Stage

SOON = 0.01
LONG = 5.0


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage
    assert get_hub().scopes == 0


def test_a_shielded_park_goes_on(stage: Stage) -> None:
    client = stage.tcp().near
    client.settimeout(SOON)
    with CancelScope() as scope:
        scope.cancel()
        with shielded(), pytest.raises(TimeoutError):
            client.recv(1)

    assert not scope.cancelled_caught


def test_data_that_came_before_the_cancellation_is_still_there(stage: Stage) -> None:
    listener = stage.listener()
    client = connect(listener.getsockname())
    server, _ = listener.accept()
    received: list[bytes] = []
    with client, server:
        scope = CancelScope()

        def read() -> None:
            with scope:
                received.append(server.recv(10))

        reader = spawn(read)
        sleep(0)
        client.sendall(b"data")
        scope.cancel()
        reader.wait()

        assert received == []
        assert server.recv(10) == b"data"


def test_a_tls_connection_goes_on_after_a_cancelled_read(stage: Stage) -> None:
    connection = stage.tls()
    client, server = connection.near, connection.far
    for number in range(3):
        with move_on_after(SOON / 2):
            client.recv(10)
        server.sendall(b"%d" % number)
        assert client.recv(10) == b"%d" % number


def test_a_tls_record_cut_by_a_cancellation_goes_out_first(stage: Stage) -> None:
    connection = stage.tls()
    client, server = connection.near, connection.far
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    payload = os.urandom(1 << 16) * 64
    sent = 0
    with move_on_after(SOON):
        while sent < len(payload):
            sent += client.send(payload[sent:])
    received = bytearray()

    def read() -> None:
        while len(received) < len(payload):
            received.extend(server.recv(1 << 16))

    reader = spawn(read)
    while sent < len(payload):
        sent += client.send(payload[sent:])
    reader.wait()

    assert bytes(received) == payload


def test_an_imap_goes_on_after_its_consumer_was_cancelled() -> None:
    def job(number: int) -> int:
        sleep(SOON)
        return number

    results = GreenPool(2).imap(job, range(3))
    with CancelScope() as scope:
        scope.cancel()
        next(results)

    assert list(results) == [0, 1, 2]


def test_a_worker_whose_job_left_a_scope_open_is_not_used_again() -> None:
    kept: list[CancelScope] = []

    def job(number: int) -> int:
        if number == 0:
            kept.append(CancelScope().__enter__())
        sleep(0)
        return number

    results = GreenPool(1).imap(job, range(3))
    assert next(results) == 0
    kept[0].cancel()

    assert list(results) == [1, 2]
    with pytest.raises(RuntimeError):
        kept[0].__exit__(None, None, None)


def test_a_job_of_imap_may_use_scopes() -> None:
    def job(number: int) -> int:
        with move_on_after(0):
            sleep(LONG)
        return number

    assert list(GreenPool(1).imap(job, range(5))) == list(range(5))


def test_condition_wait_owns_its_lock_again_in_a_cancelled_scope() -> None:
    condition: Any = green_threading.Condition()
    holder_may_go = Event()
    owned: list[bool] = []

    def hold() -> None:
        with condition:
            holder_may_go.wait()

    with move_on_after(SOON) as scope, condition:
        spawn(hold)
        get_hub().call_later(3 * SOON, holder_may_go.send)
        try:
            condition.wait()
        finally:
            owned.append(condition._is_owned())

    assert scope.cancelled_caught
    assert owned == [True]


def test_threading_and_futures_in_a_patched_program_are_cancelled_at_their_parks(
    run_isolated: RunIsolated,
) -> None:
    result = run_isolated(
        """
import eventlet
eventlet.monkey_patch()
import queue, socket, threading, time
from concurrent.futures import Future, ThreadPoolExecutor

a, b = socket.socketpair()
lock = threading.Lock()
lock.acquire()
executor = ThreadPoolExecutor(1)
may_end = threading.Event()
slow = executor.submit(may_end.wait)
waits = {
    "time.sleep": lambda: time.sleep(60),
    "Lock": lambda: lock.acquire(),
    "Event": lambda: threading.Event().wait(),
    "Thread.join": lambda: helper.join(),
    "Queue": lambda: queue.Queue().get(),
    "SimpleQueue": lambda: queue.SimpleQueue().get(),
    "Future": lambda: Future().result(),
    "executor": lambda: slow.result(),
    "recv": lambda: a.recv(1),
}
helper = threading.Thread(target=may_end.wait)
helper.start()
for name, wait in waits.items():
    with eventlet.move_on_after(0.005) as scope:
        wait()
    print(name, scope.cancelled_caught)
may_end.set()
helper.join()
executor.shutdown()
"""
    )

    lines = result.stdout.splitlines()
    assert len(lines) == 9
    assert [line for line in lines if not line.endswith(" True")] == []
