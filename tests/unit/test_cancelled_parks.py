"""Every park of the library is refused and interrupted alike inside a cancelled scope."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import trustme

from eventlet._core.current import get_hub
from eventlet._core.scope import Cancelled, CancelScope, move_on_after, shielded
from eventlet._thread_pool import ThreadPool
from eventlet.convenience import connect, listen
from eventlet.event import Event
from eventlet.green import select as green_select
from eventlet.green import ssl as green_ssl
from eventlet.green import subprocess as green_subprocess
from eventlet.green import threading as green_threading
from eventlet.greenio import GreenPipe
from eventlet.greenpool import GreenPile, GreenPool
from eventlet.greenthread import sleep, spawn
from eventlet.hubs import trampoline
from eventlet.queue import LightQueue, Queue
from eventlet.semaphore import CappedSemaphore, Semaphore
from eventlet.taskgroup import TaskGroup

from tests.conftest import RunIsolated

SOON = 0.01
LONG = 5.0

authority = trustme.CA()
certificate = authority.issue_cert("localhost")


class Stage:
    """Builds what a call waits on; takes it away at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def at_end(self, call: Callable[..., Any], *args: Any) -> None:
        self._stack.callback(call, *args)

    def endless_thread(self) -> Any:
        thread = spawn(sleep, LONG)
        self.at_end(thread.kill)
        return thread

    def listener(self) -> Any:
        return self._stack.enter_context(listen(("127.0.0.1", 0)))

    def connection(self, timeout: float | None = None) -> Any:
        listener = self.listener()
        client = self._stack.enter_context(connect(listener.getsockname()))
        server, _ = listener.accept()
        self._stack.enter_context(server)
        client.settimeout(timeout)
        return client

    def full_connection(self) -> Any:
        client = self.connection()
        client.setblocking(False)
        try:
            while True:
                client.send(bytes(1 << 20))
        except BlockingIOError:
            client.setblocking(True)
        return client

    def tls_connection(self) -> tuple[Any, Any]:
        server_context: Any = green_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(server_context)
        client_context: Any = green_ssl.create_default_context()
        authority.configure_trust(client_context)
        listener = self.listener()
        plain = connect(listener.getsockname())
        accepted, _ = listener.accept()
        server = self._stack.enter_context(
            server_context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        )
        shaking = spawn(server.do_handshake)
        client = client_context.wrap_socket(plain, server_hostname="localhost")
        shaking.wait()
        return self._stack.enter_context(client), server

    def silent_handshake(self) -> Any:
        context: Any = green_ssl.create_default_context()
        authority.configure_trust(context)
        return lambda: context.wrap_socket(self.connection(), server_hostname="localhost")

    def pipe(self) -> Any:
        read_end, write_end = os.pipe()
        self.at_end(os.close, write_end)
        return self._stack.enter_context(GreenPipe(read_end, "rb", 0))

    def child(self) -> Any:
        child: Any = green_subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE)
        self.at_end(child.stdout.close)
        self.at_end(child.wait)
        self.at_end(child.kill)
        return child

    def held_condition(self) -> Callable[[], None]:
        condition: Any = green_threading.Condition()

        def wait() -> None:
            with condition:
                condition.wait()

        return wait

    def busy_pool(self) -> GreenPool:
        pool = GreenPool(1)
        thread = pool.spawn(sleep, LONG)
        self.at_end(thread.kill)
        return pool

    def thread_pool(self) -> Callable[[], None]:
        pool, gate = ThreadPool(1), threading.Event()
        self.at_end(pool.end_threads)
        self.at_end(gate.set)
        return lambda: pool.run(gate.wait)

    def full_queue(self) -> Queue[int]:
        queue: Queue[int] = Queue(1)
        queue.put(1)
        return queue

    def group_in_wait(self) -> None:
        with TaskGroup() as group:
            group.spawn(sleep, LONG)


def poll_for_ever(stage: Stage) -> Callable[[], Any]:
    poller: Any = green_select.poll()
    poller.register(stage.connection(), green_select.POLLIN)
    wait: Callable[[], Any] = poller.poll
    return wait


def wait_in_pile(stage: Stage) -> Callable[[], Any]:
    pile = GreenPile(1)
    pile.spawn(sleep, LONG)
    for thread in pile.pool.coroutines_running:
        stage.at_end(thread.kill)
    return pile.next


CALLS: dict[str, Callable[[Stage], Callable[[], Any]]] = {
    "sleep": lambda _: lambda: sleep(LONG),
    "Event.wait": lambda _: Event().wait,
    "Event.wait with a timeout": lambda _: lambda: Event().wait(LONG),
    "Semaphore.acquire": lambda _: Semaphore(0).acquire,
    "CappedSemaphore.acquire": lambda _: CappedSemaphore(0, 1).acquire,
    "LightQueue.get": lambda _: LightQueue().get,
    "LightQueue.get with a timeout": lambda _: lambda: LightQueue().get(timeout=LONG),
    "LightQueue.put of size 0": lambda _: partial(LightQueue[int](0).put, 1),
    "Queue.put": lambda s: partial(s.full_queue().put, 2),
    "Queue.join": lambda s: s.full_queue().join,
    "GreenThread.wait": lambda s: s.endless_thread().wait,
    "GreenPool.spawn": lambda s: partial(s.busy_pool().spawn, sleep),
    "GreenPool.waitall": lambda s: s.busy_pool().waitall,
    "GreenPile.next": wait_in_pile,
    "imap": lambda _: lambda: next(GreenPool(2).imap(sleep, [5 * SOON])),
    "thread pool": lambda s: s.thread_pool(),
    "accept": lambda s: s.listener().accept,
    "recv": lambda s: partial(s.connection().recv, 1),
    "recv with a timeout": lambda s: partial(s.connection(LONG).recv, 1),
    "sendall": lambda s: partial(s.full_connection().sendall, bytes(1 << 20)),
    "makefile": lambda s: s.connection().makefile("rb").readline,
    "trampoline": lambda s: partial(trampoline, s.connection(), read=True),
    "select": lambda s: partial(green_select.select, [s.connection()], [], []),
    "poll": poll_for_ever,
    "TLS recv": lambda s: partial(s.tls_connection()[0].recv, 1),
    "TLS unwrap": lambda s: s.tls_connection()[0].unwrap,
    "TLS handshake": lambda s: s.silent_handshake(),
    "pipe read": lambda s: partial(s.pipe().read, 1),
    "Popen.wait": lambda s: s.child().wait,
    "Popen.communicate": lambda s: s.child().communicate,
    "Condition.wait": lambda s: s.held_condition(),
    "TaskGroup": lambda s: s.group_in_wait,
}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack)
    assert get_hub().scopes == 0


@pytest.mark.parametrize("name", CALLS)
def test_a_park_in_a_scope_is_interrupted(stage: Stage, name: str) -> None:
    call = CALLS[name](stage)
    with move_on_after(SOON) as scope:
        call()

    assert scope.cancelled_caught


@pytest.mark.parametrize("name", CALLS)
def test_every_further_park_in_a_cancelled_scope_is_refused(stage: Stage, name: str) -> None:
    call = CALLS[name](stage)
    with CancelScope() as scope:
        scope.cancel()
        for _ in range(3):
            with pytest.raises(Cancelled):
                call()


def test_a_shielded_park_goes_on(stage: Stage) -> None:
    client = stage.connection(SOON)
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
    client, server = stage.tls_connection()
    for number in range(3):
        with move_on_after(SOON / 2):
            client.recv(10)
        server.sendall(b"%d" % number)
        assert client.recv(10) == b"%d" % number


def test_a_tls_record_cut_by_a_cancellation_goes_out_first(stage: Stage) -> None:
    client, server = stage.tls_connection()
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
slow = executor.submit(time.sleep, 0.2)
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
helper = threading.Thread(target=time.sleep, args=(0.2,))
helper.start()
for name, wait in waits.items():
    with eventlet.move_on_after(0.005) as scope:
        wait()
    print(name, scope.cancelled_caught)
helper.join()
executor.shutdown()
"""
    )

    lines = result.stdout.splitlines()
    assert len(lines) == 9
    assert [line for line in lines if not line.endswith(" True")] == []
