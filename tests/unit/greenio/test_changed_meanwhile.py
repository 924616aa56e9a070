"""Green sockets that are changed, moved or shared while somebody waits for them."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventlet._core.current import get_hub
from eventlet.convenience import connect, listen
from eventlet.greenio import GreenSocket
from eventlet.greenthread import sleep, spawn, spawn_after
from eventlet.timeout import Timeout

Pair = tuple[GreenSocket, GreenSocket]

SIZE = 8_000_000


@pytest.fixture
def pair() -> Iterator[Pair]:
    with listen(("127.0.0.1", 0)) as listener:
        client = connect(listener.getsockname())
        server, _ = listener.accept()
    yield client, server
    client.close()
    server.close()


def drain(sock: GreenSocket, size: int) -> None:
    while size:
        size -= len(sock.recv(65536))


@pytest.mark.parametrize("timeout", [60.0, None, 0.0])
def test_settimeout_does_not_disturb_who_receives(pair: Pair, timeout: float | None) -> None:
    client, server = pair
    reader = spawn(server.recv, 10)
    sleep(0)
    server.settimeout(timeout)
    client.send(b"data")
    assert reader.wait() == b"data"
    assert server.gettimeout() == timeout


@pytest.mark.parametrize("timeout", [60.0, None])
def test_settimeout_does_not_disturb_who_sends(pair: Pair, timeout: float | None) -> None:
    client, server = pair
    writer = spawn(client.sendall, bytes(SIZE))
    sleep(0)
    client.settimeout(timeout)
    drain(server, SIZE)
    writer.wait()


def test_settimeout_does_not_disturb_who_accepts() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        acceptor = spawn(listener.accept)
        sleep(0)
        listener.settimeout(60)
        with connect(listener.getsockname()):
            acceptor.wait()[0].close()


def in_os_thread(func: Callable[[], Any]) -> Any:
    results: list[Any] = []
    worker = threading.Thread(target=lambda: results.append(func()))
    worker.start()
    worker.join()
    return results[0]


def test_os_threads_one_after_the_other_may_use_a_socket(pair: Pair) -> None:
    client, server = pair

    def receive_late() -> tuple[int, bytes]:
        spawn_after(0.01, client.send, b"late")
        with Timeout(30):
            return threading.get_ident(), server.recv(10)

    idents: list[int] = []
    while len(idents) < 6 or len(set(idents)) == len(idents):  # until one had an earlier one's
        ident, data = in_os_thread(receive_late)
        assert data == b"late"
        idents.append(ident)


def test_a_socket_goes_on_at_the_next_hub(run_isolated: Any) -> None:
    run_isolated("""
        from eventlet.convenience import connect, listen
        from eventlet.greenthread import spawn_after
        from eventlet.hubs import use_hub
        with listen(("127.0.0.1", 0)) as listener, connect(listener.getsockname()) as client:
            server, _ = listener.accept()
            for name in ("poll", "epolls", "selects"):
                spawn_after(0.01, client.send, b"late")
                assert server.recv(10) == b"late"
                use_hub(name)
            server.close()
    """)


def test_os_threads_accept_from_one_listener(run_isolated: Any) -> None:
    run_isolated("""
        import threading
        from eventlet.convenience import connect, listen
        from eventlet.greenthread import spawn, sleep
        from eventlet.timeout import Timeout

        accepted = []
        lock = threading.Lock()

        def serve():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with lock:
                    accepted.append(threading.get_ident())
                sock.sendall(b"hello")
                sock.close()

        listener = listen(("127.0.0.1", 0), backlog=200)
        workers = [threading.Thread(target=serve) for _ in range(4)]
        for worker in workers:
            worker.start()
        with Timeout(50):
            for _ in range(400):
                with connect(listener.getsockname()) as client:
                    assert client.recv(10) == b"hello"
        listener.close()
        for worker in workers:
            worker.join(30)
            assert not worker.is_alive()
        assert len(accepted) == 400
    """)


def test_recv_with_waitall_waits_for_all(pair: Pair) -> None:
    client, server = pair
    for call in (
        lambda: server.recv(6, socket.MSG_WAITALL),
        lambda: server.recv_into(bytearray(6), 0, socket.MSG_WAITALL),
    ):
        reader = spawn(call)
        client.send(b"abc")
        sleep(0.01)
        assert not reader.dead
        client.send(b"defg")
        assert reader.wait() in (b"abcdef", 6)
        assert server.recv(10) == b"g"


def test_recv_with_waitall_ends_with_the_stream(pair: Pair) -> None:
    client, server = pair
    client.send(b"abc")
    client.close()
    assert server.recv(6, socket.MSG_WAITALL) == b"abc"
    assert server.recv(6, socket.MSG_WAITALL) == b""


def test_recv_into_with_waitall_refuses_more_than_the_buffer(pair: Pair) -> None:
    with pytest.raises(ValueError, match="buffer too small"):
        pair[0].recv_into(bytearray(3), 10, socket.MSG_WAITALL)


def test_a_socket_created_non_blocking_is() -> None:
    with GreenSocket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        assert sock.gettimeout() == 0.0


def test_a_refused_connect_can_be_repeated_on_the_same_socket() -> None:
    with listen(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()
    with GreenSocket() as sock:
        codes = [sock.connect_ex(nobody) for _ in range(3)]
        assert codes == [errno.ECONNREFUSED] * 3
        with listen(("127.0.0.1", 0)) as listener:
            sock.connect(listener.getsockname())
            assert sock.getpeername() == listener.getsockname()


def test_a_fork_in_an_os_thread_takes_nothing_from_the_parent(run_isolated: Any) -> None:
    run_isolated(
        """
        import os, threading
        from eventlet.convenience import connect, listen
        from eventlet.greenthread import sleep, spawn
        from eventlet.timeout import Timeout

        listener = listen(("127.0.0.1", 0))
        client = connect(listener.getsockname())
        server, _ = listener.accept()

        def close_in_child():
            pid = os.fork()
            if pid == 0:
                server.close()
                os._exit(0)
            os.waitpid(pid, 0)
            client.send(b"x")

        reader = spawn(server.recv, 10)
        sleep(0)
        worker = threading.Thread(target=close_in_child)
        worker.start()
        with Timeout(30):
            assert reader.wait() == b"x"
        worker.join()
        for sock in (listener, client, server):
            sock.close()
    """,
        flags=(),
    )


def test_connections_that_come_and_go_leave_nothing() -> None:
    hub = get_hub()
    fds = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with listen(("127.0.0.1", 0)) as listener:
        known, threads = set(hub.descriptors), set(hub.threads)
        for _ in range(300):
            acceptor = spawn(listener.accept)
            with connect(listener.getsockname()) as client, acceptor.wait()[0] as server:
                reader = spawn(server.recv, 5)
                sleep(0)
                client.sendall(b"hello")
                assert reader.wait() == b"hello"
        del acceptor, reader
        assert set(hub.descriptors) - known <= {listener.fileno()}
        assert set(hub.threads) == threads
        assert len(hub.timers.heap) < 10
    if fds is not None:
        assert len(os.listdir("/proc/self/fd")) == fds


def test_two_owners_of_one_number_both_hear_of_it() -> None:
    """As `socket.socket(fileno=response.fileno())` makes them."""
    with GreenSocket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        first = GreenSocket()
        first.connect(listener.getsockname())
        peer, _ = listener.accept()
    reader = spawn(first.recv, 10)
    sleep(0)
    second = GreenSocket(fileno=first.fileno())
    also = spawn(second.recv, 10)
    sleep(0)
    peer.sendall(b"x")
    sleep(0.01)
    peer.sendall(b"y")
    assert sorted([reader.wait(), also.wait()]) in ([b"x", b"y"], [b"", b"xy"])
    second.sendall(b"from the second")
    assert peer.recv(100) == b"from the second"
    second.detach()
    peer.sendall(b"z")
    assert first.recv(10) == b"z"
    first.close()
    assert peer.recv(10) == b""
    peer.close()


def test_closing_one_owner_wakes_the_waiters_of_the_other() -> None:
    left, right = (GreenSocket(end) for end in socket.socketpair())
    reader = spawn(left.recv, 1)
    sleep(0)
    other = GreenSocket(fileno=left.fileno())
    also = spawn(other.recv, 1)
    sleep(0)
    left.close()
    for thread in (reader, also):
        with pytest.raises(OSError, match="closed"):
            thread.wait()
    other.detach()
    right.close()
