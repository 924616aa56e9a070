"""Pristine copies stay pristine, made before or after patching."""

import eventlet.green.socket
from eventlet import patcher

early = patcher.original("threading")
patcher.monkey_patch(builtins=True, all=True)

import _thread
import builtins
import os
import threading
import time

real_sleep = patcher.original("time").sleep
assert real_sleep.__module__ == "time"
assert real_sleep is not time.sleep
assert patcher.original("os").read.__module__ == "posix"
assert patcher.original("os").read is not os.read
assert patcher.original("os").environ is os.environ
assert patcher.original("builtins").open is not builtins.open
assert patcher.original("threading") is early

lock_type = type(patcher.original("_thread").allocate_lock())
assert lock_type is type(_thread.allocate_lock()), "there is one type of lock, in C"
assert isinstance(early.Lock(), lock_type)
assert isinstance(patcher.original("queue").Queue().mutex, lock_type)
assert patcher.original("queue").SimpleQueue.__module__ == "_queue"
assert patcher.original("queue").Empty is __import__("queue").Empty

# A pristine thread is an OS thread and blocks alone.
idents: list[tuple[int, str]] = []


def work() -> None:
    real_sleep(0.01)
    idents.append((early.get_ident(), early.current_thread().name))


thread = early.Thread(target=work, name="native")
thread.start()
thread.join()
assert idents[0][0] != early.get_ident()
assert idents[0][1] == "native"

sockets = patcher.original("socket")
assert sockets.socket is not eventlet.green.socket.socket
near, far = sockets.socketpair()
assert type(near) is sockets.socket
assert near.getblocking()
near.sendall(b"x")
assert far.recv(1) == b"x"
near.close()
far.close()

client = patcher.original("http.client")
assert client.socket is sockets
assert patcher.original("urllib.request").http.client is client
assert patcher.original("selectors").select is patcher.original("select")
assert patcher.original("subprocess").run(["true"]).returncode == 0
assert patcher.original("json").loads("1") == 1
assert threading.Thread is not early.Thread
print("passed")
