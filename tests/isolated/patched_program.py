"""A program of threads, queues, sockets and processes, patched: all of it cooperates."""

import logging
import queue as early_queue
import socket as early_socket
import threading as early_threading
from subprocess import Popen as EarlyPopen

before = (early_queue.Queue, early_socket.socket, early_threading.current_thread)

from eventlet import patcher
from eventlet.greenthread import sleep, spawn

patcher.monkey_patch()
patcher.monkey_patch()

import asyncio
import concurrent.futures
import http.server
import os
import queue
import select
import selectors
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

PAUSE = 0.1

after = (queue.Queue, socket.socket, threading.current_thread)
assert not set(after) & set(before), "names are replaced"
assert patcher.is_monkey_patched("thread")
assert patcher.is_monkey_patched(socket)
assert not patcher.is_monkey_patched(threading)
assert patcher.already_patched == dict.fromkeys(
    ("os", "select", "socket", "thread", "time", "subprocess", "psycopg"), True
)

ticks: list[int] = []


def tick() -> None:
    while True:
        ticks.append(1)
        time.sleep(PAUSE / 10)


ticker = spawn(tick)

# Threads, a queue and sockets, all waiting at the same time.
results: queue.Queue[tuple[int, bytes, str]] = queue.Queue()
listener = socket.create_server(("127.0.0.1", 0))


def serve() -> None:
    for _ in range(10):
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,)).start()


all_are_here = threading.Barrier(10)


def wait_for_all(group: list[int]) -> None:
    """Take some time; return when all ten are here."""
    time.sleep(PAUSE)
    group.append(1)
    while len(group) < 10:
        time.sleep(PAUSE / 100)


in_hand: list[int] = []
requests: list[int] = []


def answer(connection: socket.socket) -> None:
    with connection:
        data = connection.recv(100)
        all_are_here.wait(40)
        connection.sendall(data.upper())


def ask(number: int) -> None:
    with socket.create_connection(listener.getsockname()) as connection:
        connection.sendall(b"ask %d" % number)
        results.put((number, connection.recv(100), threading.current_thread().name))


server = threading.Thread(target=serve)
server.start()
for number in range(10):
    threading.Thread(target=ask, args=(number,), name=f"asker {number}").start()
got = sorted(results.get(timeout=40) for _ in range(10))
server.join()
listener.close()
assert got == [(n, b"ASK %d" % n, f"asker {n}") for n in range(10)], got
assert ticks

# Processes, with the ticker running.
ticks.clear()
reader, writer = os.pipe()


def let_a_child_end() -> None:
    ticks.clear()
    while len(ticks) < 6:
        time.sleep(PAUSE / 10)
    os.write(writer, b"end\n")


spawn(let_a_child_end)
done = subprocess.run(
    ["sh", "-c", "read line; echo hi"], stdin=reader, capture_output=True, text=True, check=False
)
assert (done.stdout, done.returncode) == ("hi\n", 0)
spawn(let_a_child_end)
child = subprocess.Popen(["sh", "-c", "read line"], stdin=reader)
assert os.waitpid(child.pid, 0) == (child.pid, 0)
child.returncode = 0
assert ticks
os.close(reader)
os.close(writer)
assert subprocess.Popen is EarlyPopen, "there is one class, also for those who were early"

# The standard servers and clients above sockets.


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        all_are_here.wait(40)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 50


web = Server(("127.0.0.1", 0), Handler)
serving = threading.Thread(target=web.serve_forever)
serving.start()


def fetch(_: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{web.server_port}/") as response:
        body: bytes = response.read()
    return body


with concurrent.futures.ThreadPoolExecutor(10) as pool:
    assert list(pool.map(fetch, range(10))) == [b"ok"] * 10
web.shutdown()
serving.join()
web.server_close()

# Waiting for descriptors, every way.
reader, writer = os.pipe()
poller = select.poll()
poller.register(reader, select.POLLIN)
ways: dict[str, Callable[[], Any]] = {
    "select": lambda: select.select([reader], [], [])[0],
    "poll": poller.poll,
}
for selector in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector"):
    made = getattr(selectors, selector)()
    made.register(reader, selectors.EVENT_READ)
    assert isinstance(made, selectors.BaseSelector)
    ways[selector] = made.select
for way, wait in ways.items():
    threading.Timer(PAUSE / 5, os.write, (writer, b"x")).start()
    assert len(wait()) == 1, way
    assert os.read(reader, 1) == b"x"

# An asyncio loop runs beside green threads.
ticks.clear()


async def nap() -> str:
    await asyncio.sleep(PAUSE)
    return "slept"


assert asyncio.run(nap()) == "slept"
assert ticks

# Identity: a signal sent to a green ident arrives, spawned threads have names.
got_signals: list[int] = []
signal.signal(signal.SIGUSR1, lambda number, frame: got_signals.append(number))
other = threading.Thread(target=time.sleep, args=(PAUSE,))
other.start()
signal.pthread_kill(other.ident or 0, signal.SIGUSR1)
other.join()
assert got_signals == [signal.SIGUSR1]
seen: list[threading.Thread] = []
spawn(lambda: seen.append(threading.current_thread())).wait()
assert isinstance(seen[0], threading.Thread)
assert seen[0].name.startswith("GreenThread-")

# A lock of logging, made before patching, is held across threads that log.
logging.basicConfig(handlers=[logging.NullHandler()])
loggers = [threading.Thread(target=logging.warning, args=("%s", n)) for n in range(5)]
for thread in loggers:
    thread.start()
for thread in loggers:
    thread.join()

ticker.cancel()
ticker.kill()
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
sleep(0)
print("passed")
