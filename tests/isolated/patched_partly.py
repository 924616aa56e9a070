"""Switches one by one: what each alone does to the program."""

import os
import subprocess
import time

from eventlet import patcher
from eventlet.greenthread import sleep, spawn

ticks: list[int] = []


def tick() -> None:
    while True:
        ticks.append(1)
        sleep(0.005)


spawn(tick)

# `os` alone makes the real Popen's wait park, with the right status: others let the child end.
real_write = os.write
patcher.monkey_patch(os=True)
assert subprocess.Popen.__module__ == "subprocess"
reader, writer = os.pipe()
child = subprocess.Popen(["sh", "-c", "read line; exit 3"], stdin=reader)
ticks.clear()


def let_it_end() -> None:
    while len(ticks) < 6:
        sleep(0.005)
    real_write(writer, b"end\n")


spawn(let_it_end)
assert child.wait() == 3
assert ticks
os.close(reader)
os.close(writer)

# `time` adds to it.
patcher.monkey_patch(time=True)
assert sorted(patcher.already_patched) == ["os", "time"]
ticks.clear()
time.sleep(0.05)
assert ticks

begin = time.monotonic()
child = subprocess.Popen(["sleep", "600"])
try:
    child.wait(0.1)
except subprocess.TimeoutExpired:
    pass
else:
    raise AssertionError("no time-out")
assert 0.1 <= time.monotonic() - begin < 50
child.kill()
child.wait()

# Only what was asked for is patched.
import socket
import threading

assert socket.socket.__module__ == "socket"
assert type(threading.Lock()).__module__ == "_thread"

# `builtins` tells the hub of every file that is opened.
import tempfile

import eventlet.hubs as hubs

told: list[int] = []
vars(hubs)["notify_opened"] = told.append
patcher.monkey_patch(builtins=True)
with open(tempfile.mkstemp()[1]) as file:
    assert told[-1] == file.fileno()
print("passed")
