"""What programs and test suites outside touch beyond the documented interface.

First the attributes that the old library's own tests use, then what well-known programs do.
"""

from __future__ import annotations

import re
import socket as plain_socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from unittest import mock

import greenlet
import pytest
import trustme

import eventlet
from eventlet import (
    corolocal,
    debug,
    event,
    greenio,
    greenpool,
    greenthread,
    hubs,
    patcher,
    pools,
    queue,
    tpool,
)
from eventlet.green import select as green_select
from eventlet.green import socket as green_socket
from eventlet.hubs import timer
from eventlet.hubs.hub import DebugListener, FdListener

from tests.conftest import RunIsolated
from tests.unit.conftest import Pipe


@pytest.fixture
def hub() -> Any:
    return hubs.get_hub()


# -- the hub -------------------------------------------------------------------------------


def test_timers_are_counted(hub: Any) -> None:
    before, cancelled = hub.get_timers_count(), hub.timers_canceled
    timers = [hub.schedule_call_global(60, print) for _ in range(3)]
    with_them = hub.get_timers_count()
    timers[0].cancel()
    after_one = hub.timers_canceled
    for each in timers:
        each.cancel()

    assert (with_them - before, after_one - cancelled) == (3, 1)
    assert len(hub.timers) == 0


def test_the_hub_tells_whether_it_runs_and_in_which_greenlet(hub: Any) -> None:
    eventlet.sleep(0)

    assert hub.running
    assert isinstance(hub.greenlet, greenlet.greenlet)
    assert hub.greenlet.parent is greenlet.getcurrent()
    assert eventlet.spawn(lambda: greenlet.getcurrent().parent).wait() is hub.greenlet


def test_the_clock_can_be_asked_and_chosen(hub: Any) -> None:
    first = hub.clock()
    eventlet.sleep(0.001)

    assert hub.clock() - first >= 0.001


def test_a_default_sleep_on_the_instance_does_no_harm(hub: Any) -> None:
    hub.default_sleep = lambda: 0.0
    eventlet.sleep(0.001)
    chosen = hub.default_sleep()
    del hub.default_sleep

    assert chosen == 0.0
    assert hub.default_sleep() == 60.0


def test_abort_waits_and_the_hub_starts_again(run_isolated: RunIsolated) -> None:
    run_isolated(
        """
        import eventlet
        from eventlet import hubs
        eventlet.sleep(0)
        hub = hubs.get_hub()
        hub.schedule_call_global(60, print)
        hub.abort(wait=True)
        assert not hub.running
        assert hub.get_timers_count() == 0
        eventlet.sleep(0.001)
        assert hub.running
        """
    )


def test_mark_as_reopened_can_be_replaced(hub: Any) -> None:
    with mock.patch.object(hub, "mark_as_reopened") as reopened:
        opened = green_socket.socket()
        number = opened.fileno()
        opened.close()

    reopened.assert_called_once_with(number)


def test_notify_opened_can_be_replaced_and_is_called_once_for_each_number() -> None:
    with mock.patch.object(hubs, "notify_opened") as opened:
        listener: Any = green_socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client: Any = green_socket.socket()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        numbers = [each.fileno() for each in (listener, client, server)]
        for each in (listener, client, server):
            each.close()

    assert [call.args[0] for call in opened.call_args_list] == numbers


def test_listeners_remember_their_makers_when_asked(hub: Any, pipe: Pipe) -> None:
    hub.set_debug_listeners(True)
    listener = hub.add(hub.READ, pipe.reader, lambda _: None, lambda _: None, None)
    hub.remove(listener)
    hub.set_debug_listeners(False)
    plain = hub.add(hub.READ, pipe.reader, lambda _: None, lambda _: None, None)
    hub.remove(plain)

    assert type(listener) is DebugListener
    assert type(plain) is FdListener


def test_timers_show_what_they_call_and_can_be_copied() -> None:
    made = timer.Timer(0, max, 1, 2, key=None)
    copied = made.copy()
    made.schedule()
    eventlet.sleep(0)
    eventlet.sleep(0)

    assert made.called
    assert made.tpl is None
    assert copied.tpl == (max, (1, 2), {"key": None})
    assert not copied.called


def test_the_module_of_the_hub_names_its_kind(run_isolated: RunIsolated) -> None:
    run_isolated(
        """
        from eventlet import hubs
        for kind in hubs.builtin_hub_names:
            if not getattr(hubs, kind).is_available():
                continue
            hubs.use_hub(kind)
            assert f"hubs.{kind}" in type(hubs.get_hub()).__module__
        """
    )


# -- patching, pools, queues, files ----------------------------------------------------------


def test_what_is_patched_can_be_compared(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        from eventlet import patcher
        assert dict(patcher.already_patched) == {}
        patcher.monkey_patch(socket=True, time=True)
        print(",".join(sorted(patcher.already_patched)))
        """
    )
    assert done.stdout == "socket,time\n"


def test_the_size_of_tpool_and_the_object_of_a_proxy() -> None:
    thing = object()

    assert tpool._nthreads == 20
    assert tpool.Proxy(thing)._obj is thing


def test_queues_show_their_items_and_unfinished_tasks() -> None:
    items: Any = queue.Queue()
    items.put(1)
    items.put(2)

    assert list(items.queue) == [1, 2]
    assert items.unfinished_tasks == 2
    items.get()
    items.task_done()
    assert items.unfinished_tasks == 1


def test_pools_show_their_items() -> None:
    pool: Any = pools.Pool(min_size=1, max_size=3, create=object)
    item = pool.get()
    other = pool.get()

    assert pool.current_size == 2
    assert list(pool.free_items) == []
    pool.put(item)
    pool.put(other)
    assert list(pool.free_items) == [item, other]


def test_a_green_socket_shows_the_real_one() -> None:
    real = plain_socket.socket()
    wrapped = greenio.GreenSocket(real)
    own = greenio.GreenSocket()

    assert wrapped.fd is real
    assert own.fd.fileno() == own.fileno()
    wrapped.close()
    own.close()


def test_numbers_for_select_come_from_objects_and_integers() -> None:
    get_fileno: Any = vars(green_select)["get_fileno"]
    end = green_socket.socket()

    assert get_fileno(end) == end.fileno()
    assert get_fileno(7) == 7
    with pytest.raises(TypeError):
        get_fileno("a string")
    end.close()


def test_fileobject_is_the_raw_file_of_a_socket() -> None:
    left, right = green_socket.socketpair()
    file: Any = left.makefile("rb", buffering=0)

    assert isinstance(file, greenio._fileobject)
    for each in (file, left, right):
        each.close()


def test_green_threads_are_threads_while_they_run(run_isolated: RunIsolated) -> None:
    run_isolated(
        """
        import eventlet
        eventlet.monkey_patch()
        import threading
        before = len(threading._active)

        def me():
            thread = threading.current_thread()
            assert thread._g is eventlet.getcurrent()
            assert len(threading._active) == before + 1
            return thread

        seen = eventlet.spawn(me).wait()
        assert seen.name.startswith("GreenThread-")
        assert len(threading._active) == before
        threads = [threading.Thread(target=eventlet.sleep, args=(0.01,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert len(threading._active) == before + 3
        for thread in threads:
            thread.join()
        assert len(threading._active) == before
        """
    )


def test_results_can_be_asked_for_with_next() -> None:
    results: Any = greenpool.GreenPool(2).imap(lambda number: number * 2, [1, 2])
    pile: Any = greenpool.GreenPile(2)
    pile.spawn(lambda: "piled")

    assert (results.next(), results.next()) == (2, 4)
    with pytest.raises(StopIteration):
        results.next()
    assert pile.next() == "piled"


def test_tracebacks_go_to_the_present_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing = eventlet.spawn(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        failing.wait()

    assert re.search(r"Traceback .*ValueError", capsys.readouterr().err, re.DOTALL)


# -- gunicorn ------------------------------------------------------------------------------


def test_gunicorn_accepts_serves_and_stops(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        """
        import eventlet
        from eventlet import hubs
        from eventlet.greenio import GreenSocket
        hubs.use_hub()
        eventlet.monkey_patch()
        import socket

        def finished(thread, server, conn):
            conn.close()
            try:
                thread.wait()
            except Exception as exc:
                server.kill(exc)

        def serve(listener, handle):
            workers, this = eventlet.GreenPool(10), eventlet.getcurrent()
            try:
                while True:
                    conn, addr = listener.accept()
                    workers.spawn(handle, conn, addr).link(finished, this, conn)
            except eventlet.StopServe:
                workers.waitall()
                return "stopped"

        def echo(conn, addr):
            conn.sendall(conn.recv(100).upper())

        real = socket.socket()
        real.bind(("127.0.0.1", 0))
        real.listen()
        listener = GreenSocket(real)
        listener.setblocking(1)
        acceptor = eventlet.spawn(serve, listener, echo)
        eventlet.sleep(0)
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"hello")
        print(client.recv(100), client.recv(100))
        with eventlet.Timeout(50, False):
            acceptor.kill(eventlet.StopServe())
            print(acceptor.wait())
        """
    )
    assert done.stdout == "b'HELLO' b''\nstopped\n"


# -- celery and kombu ----------------------------------------------------------------------


def test_celery_uses_pools_links_and_delayed_threads() -> None:
    done: list[Any] = []
    pool: Any = greenpool.GreenPool(2)
    job = pool.spawn(lambda: "result")
    job.link(lambda thread: done.append(thread.wait()))
    pool.resize(3)
    free = pool.free()
    running = pool.running()
    pool.waitall()

    timer_thread = greenthread.spawn_after(60, done.append, "never")
    local = greenthread.spawn_after_local(0.001, done.append, "local")
    cancelled = greenthread.spawn_after(60, done.append, "never")
    cancelled.link(lambda _: done.append("cancelled"))
    cancelled.cancel()
    timer_thread.kill()
    local.wait()

    assert (free, running) == (2, 1)
    assert done == ["result", "cancelled", "local"]


def test_kombu_asks_with_the_module(run_isolated: RunIsolated) -> None:
    run_isolated(
        """
        import socket
        from eventlet.patcher import is_monkey_patched, monkey_patch
        assert not is_monkey_patched(socket)
        monkey_patch(socket=True)
        assert is_monkey_patched(socket)
        """
    )


# -- OpenStack -----------------------------------------------------------------------------


def test_openstack_patches_and_keeps_real_threads(run_isolated: RunIsolated) -> None:
    run_isolated(
        """
        import eventlet
        from eventlet import debug, patcher
        eventlet.hubs.use_hub("poll")
        eventlet.monkey_patch(os=False)
        debug.hub_prevent_multiple_readers(False)
        assert patcher.is_monkey_patched("thread")
        assert not patcher.is_monkey_patched("os")
        import threading
        real = patcher.original("threading")
        assert real is not threading
        ran = []
        thread = real.Thread(target=lambda: ran.append(real.get_ident()))
        thread.start()
        thread.join()
        assert ran != [real.get_ident()]
        assert "poll" in type(eventlet.hubs.get_hub()).__module__
        """
    )


def test_openstack_keeps_locals_and_hands_events_and_messages_over() -> None:
    store = corolocal.local()
    told = event.Event()
    messages: Any = queue.LightQueue()

    def worker() -> Any:
        store.context = "request"
        messages.put(store.context)
        return told.wait()

    thread = eventlet.spawn(worker)
    assert messages.get() == "request"
    assert not hasattr(store, "context")
    told.send("go")
    assert thread.wait() == "go"


@pytest.fixture
def many_readers() -> Iterator[None]:
    debug.hub_prevent_multiple_readers(False)
    yield
    debug.hub_prevent_multiple_readers(True)


@pytest.mark.usefixtures("many_readers")
def test_openstack_lets_several_wait_for_one_descriptor(pipe: Pipe) -> None:
    threads = [eventlet.spawn(hubs.trampoline, pipe.reader, read=True) for _ in range(2)]
    eventlet.sleep(0)
    pipe.write(b"x")

    assert [thread.wait() for thread in threads] == [pipe.reader] * 2


# -- swift ---------------------------------------------------------------------------------


def test_swift_derives_piles_kills_workers_and_imports_green_copies() -> None:
    class ContextPool(greenpool.GreenPool):
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            for thread in list(self.coroutines_running):
                thread.kill()

    class StreamingPile(greenpool.GreenPile):
        def __init__(self, size: int) -> None:
            self.pool = ContextPool(size)
            super().__init__(self.pool)

    pile: Any = StreamingPile(4)
    with pile.pool:
        pile.spawn(lambda: "fast")
        pile.spawn(eventlet.sleep, 60)
        first = next(pile)
    eventlet.sleep(0)
    http: Any = patcher.import_patched("http.client")

    assert first == "fast"
    assert pile.pool.running() == 0
    assert http is not __import__("http.client").client


# -- psycopg2 and pyzmq bridges ------------------------------------------------------------


def test_bridges_wait_with_trampoline(pipe: Pipe) -> None:
    eventlet.spawn_after(0.001, pipe.write, b"x")

    assert hubs.trampoline(pipe.reader, read=True, timeout=5) == pipe.reader


def test_bridges_wait_with_a_listener_and_switch(hub: Any, pipe: Pipe) -> None:
    current = greenlet.getcurrent()
    listener = hub.add(hub.READ, pipe.reader, current.switch, current.throw, lambda: None)
    eventlet.spawn(pipe.write, b"x")
    try:
        given = hub.switch()
    finally:
        hub.remove(listener)

    assert given == pipe.reader
    assert hub.get_readers() == []


# -- Flask-SocketIO ------------------------------------------------------------------------


def test_socketio_listens_starts_threads_and_passes_messages() -> None:
    from eventlet.green import threading as green_threading

    listener = eventlet.listen(("127.0.0.1", 0))
    outgoing: Any = eventlet.Queue()

    def handle(sock: Any, _address: Any) -> None:
        sock.sendall(outgoing.get())

    def accept_one() -> None:
        sock, address = listener.accept()
        with sock:
            handle(sock, address)

    thread = green_threading.Thread(target=accept_one)
    thread.start()
    client = eventlet.connect(listener.getsockname())
    eventlet.sleep(0)
    outgoing.put(b"event")
    received = client.recv(100)
    thread.join()
    client.close()
    listener.close()

    assert received == b"event"


def test_engineio_wraps_its_listener_in_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "cert")
    )
    listener = eventlet.wrap_ssl(
        eventlet.listen(("127.0.0.1", 0)), certfile=str(tmp_path / "cert"), server_side=True
    )

    def serve() -> None:
        sock, _ = listener.accept()
        sock.sendall(sock.recv(100).upper())
        sock.close()

    server = eventlet.spawn(serve)
    client = eventlet.wrap_ssl(
        eventlet.connect(listener.getsockname()),
        cert_reqs=ssl.CERT_REQUIRED,
        ca_certs=str(tmp_path / "ca"),
    )
    client.sendall(b"secret")
    received = client.recv(100)
    server.wait()
    client.close()
    listener.close()

    assert received == b"SECRET"
