"""Switches one by one: what each alone does to the program."""

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

# `os` alone makes the real Popen's wait park, with the right status.
patcher.monkey_patch(os=True)
assert subprocess.Popen.__module__ == "subprocess"
assert subprocess.Popen(["sh", "-c", "sleep 0.05; exit 3"]).wait() == 3
assert len(ticks) > 5, len(ticks)

# `time` adds to it.
patcher.monkey_patch(time=True)
assert sorted(patcher.already_patched) == ["os", "time"]
ticks.clear()
time.sleep(0.05)
assert len(ticks) > 5

begin = time.monotonic()
child = subprocess.Popen(["sleep", "5"])
try:
    child.wait(0.1)
except subprocess.TimeoutExpired:
    pass
else:
    raise AssertionError("no time-out")
assert 0.1 <= time.monotonic() - begin < 0.2
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
