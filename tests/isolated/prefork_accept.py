"""Forked green threads accept from one listener, each on a hub of its own; the parent reaps."""

import os
import signal
import sys
import time
import warnings
from typing import Any

import eventlet

if sys.argv[1] == "patched":
    eventlet.monkey_patch()

from eventlet.green import socket
from eventlet.green.os import waitpid

WORKERS = 3


def answer(sock: Any) -> None:
    with sock:
        eventlet.sleep(0.005)
        sock.sendall(str(os.getpid()).encode())


def work() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while True:
        sock, _ = listener.accept()
        eventlet.spawn_n(answer, sock)


def fork() -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # an OS thread waits for children
        pid = os.fork()
    if not pid:
        work()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return pid


def ask() -> int:
    with socket.create_connection(listener.getsockname()) as sock:
        return int(sock.recv(100))


def ask_all() -> set[int]:
    pool = eventlet.GreenPool(10)
    answers: set[int] = set()
    give_up = time.monotonic() + 40
    while time.monotonic() < give_up:
        answers |= set(pool.imap(lambda _: ask(), range(20)))
        if len(answers) == WORKERS:
            break
    return answers


def tick() -> None:
    while True:
        eventlet.sleep(0.001)
        ticks.append(1)


ticks: list[int] = []
listener = eventlet.listen(("127.0.0.1", 0))
ticker = eventlet.spawn(tick)
pids = {eventlet.spawn(fork).wait() for _ in range(WORKERS)}
assert ask_all() == pids

victim = min(pids)
os.kill(victim, signal.SIGKILL)
assert waitpid(-1, 0) == (victim, signal.SIGKILL)
pids = pids - {victim} | {fork()}
assert ask_all() == pids

before = len(ticks)
for pid in pids:
    os.kill(pid, signal.SIGTERM)
ended = dict(waitpid(-1, 0) for _ in pids)
assert {pid: os.waitstatus_to_exitcode(status) for pid, status in ended.items()} == dict.fromkeys(
    pids, 9
)
try:
    waitpid(-1, 0)
except ChildProcessError:
    pass
else:
    raise AssertionError("there are others")
while len(ticks) == before:
    eventlet.sleep(0.001)
ticker.kill()
listener.close()
print("passed")
