"""A forked child that keeps all green threads: timers, readers, listeners, threads, locks."""

import os
import sys

import eventlet
from eventlet import hubs, patcher

if "patched" in sys.argv:
    patcher.monkey_patch()
if "environment" not in sys.argv:
    hubs.keep_green_threads_on_fork()

from eventlet.green import socket
from eventlet.green.os import waitpid
from eventlet.queue import Queue

hub = hubs.get_hub()
said: list[str] = []
parent = os.getpid()
finished: Queue[int] = Queue()


def note(word: str) -> None:
    said.append(word)


def sleeper() -> None:
    try:
        eventlet.sleep(0.05)
        note("timer")
    finally:
        note("finally")


def waiter() -> None:
    note(f"queue {queue.get()}")


def reader(sock: socket.socket) -> None:
    note(f"read {sock.recv(10)!r}")


def acceptor(listener: socket.socket) -> None:
    sock, _ = listener.accept()
    sock.sendall(b"from %d" % os.getpid())
    sock.close()


def foreign(fd: int) -> None:
    hubs.trampoline(fd, read=True, timeout=60)
    note("foreign")


def unready(fd: int) -> None:
    try:
        hubs.trampoline(fd, read=True, timeout=0.1)
    except eventlet.Timeout:
        note("not ready")


def pooled() -> None:
    from eventlet import tpool

    try:
        tpool.execute(gate.wait)
        note("call made")
    except RuntimeError as exc:
        note(f"call: {type(exc).__name__}")


gate = patcher.original("threading").Event()

queue: Queue[str] = Queue()
listener = eventlet.listen(("127.0.0.1", 0))
pairs = [socket.socketpair() for _ in range(2)]
go = os.pipe()
pipes = [os.pipe(), os.pipe()]
eventlet.spawn_after(0.04, note, "later")
hub.call_later(0.03, note, "call")
threads = [
    eventlet.spawn(sleeper),
    eventlet.spawn(waiter),
    eventlet.spawn(pooled),
    eventlet.spawn(reader, pairs[0][0]),
    eventlet.spawn(foreign, pipes[0][0]),
    eventlet.spawn(unready, pipes[1][0]),
]
accepting = eventlet.spawn(acceptor, listener)
eventlet.sleep(0.01)


def forked() -> None:
    """Fork in a green thread; both processes go on with everything."""
    finished.put(os.fork())


forker = eventlet.spawn(forked)
pid = finished.get()
poller = hub.poller
queue.put("item")
if pid == 0:
    # Sockets are shared: what one process reads the other does not. So the parent stops first.
    hubs.trampoline(go[0], read=True)
    pairs[0][1].send(b"x")
    os.write(pipes[0][1], b"x")
    for thread in threads:
        thread.wait()
    forker.wait()
    client = socket.create_connection(listener.getsockname())
    assert client.recv(100) in (b"from %d" % os.getpid(), b"from %d" % parent)
    client.close()
    expected = ["call", "call: LeftBehind", "finally", "foreign", "later", "not ready"]
    expected += ["queue item", "read b'x'", "timer"]
    assert sorted(said) == expected, said
    assert len(hubs.get_hub().threads) <= 1, hubs.get_hub().threads
    accepting.kill()
    sys.exit(5)
threads[3].kill()
threads[4].kill()
os.write(go[1], b"x")
_, status = waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 5, status
gate.set()
threads[2].wait()
eventlet.sleep(0.05)
assert {"timer", "finally", "later", "call", "queue item", "call made", "not ready"} <= set(said), (
    said
)
for thread in [*threads, accepting]:
    thread.kill()
print("passed")
