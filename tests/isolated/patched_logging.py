"""One StreamHandler, made before patching, written to from everywhere at once.

OS threads, the pool's threads and green threads; a signal handler and finalizers log too.
Argument: how many records each kind of thread writes together.
"""

import gc
import logging
import signal
import sys
import time as early_time
from typing import Any

import greenlet


class Lines:
    """A stream that keeps lines and sees it when two write at once.

    A handler that comes in the middle of a write may write: the lock is re-entrant.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.inside: list[greenlet.greenlet] = []
        self.clashes = 0

    def write(self, text: str) -> None:
        me = greenlet.getcurrent()
        self.inside.append(me)
        self.clashes += any(each is not me for each in self.inside)
        if len(self.lines) % 64 == 0:
            early_sleep(0)  # let another OS thread in
        self.lines.append(text)
        self.inside.remove(me)

    def flush(self) -> None:
        pass


early_sleep = early_time.sleep
stream = Lines()
early_handler = logging.StreamHandler(stream)
early_handler.setFormatter(logging.Formatter("%(message)s"))
logger = logging.getLogger("stress")
logger.addHandler(early_handler)
logger.setLevel(logging.INFO)
logger.propagate = False

import eventlet
from eventlet import patcher, tpool
from eventlet._errors import MainloopBlocked
from eventlet._unpatched import start_new_thread

patcher.monkey_patch()

each = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
OS_THREADS, POOL_CALLS, GREEN_THREADS = 8, 10, 200
done: list[str] = []
from_handlers: list[str] = []
over: list[str] = []


class Garbage:
    """Logs when it is collected, which may be in the middle of anything."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        log_from_handler("collected")


def on_signal(signum: int, frame: Any) -> None:
    log_from_handler("signal")
    if not over:
        signal.setitimer(signal.ITIMER_REAL, 0.001)  # not before: it would interrupt itself


def log_from_handler(message: str) -> None:
    try:
        logger.info(message)
    except MainloopBlocked:
        pass  # in the hub's own greenlet, which cannot wait
    else:
        from_handlers.append(message)


def write(name: str, count: int) -> None:
    for number in range(count):
        logger.info("%s %d", name, number)
        if number % 16 == 0:
            Garbage()
    done.append(name)


gc.set_threshold(200)
signal.signal(signal.SIGALRM, on_signal)
signal.setitimer(signal.ITIMER_REAL, 0.001)
begin = early_time.monotonic()
for number in range(OS_THREADS):
    start_new_thread(write, (f"os-{number}", each // OS_THREADS))
green = [
    eventlet.spawn(write, f"green-{number}", each // GREEN_THREADS)
    for number in range(GREEN_THREADS)
]
green += [
    eventlet.spawn(tpool.execute, write, f"pool-{number}", each // POOL_CALLS)
    for number in range(POOL_CALLS)
]
beats = 0
while len(done) < OS_THREADS + POOL_CALLS + GREEN_THREADS:
    eventlet.sleep(0.005)
    beats += 1
    assert early_time.monotonic() - begin < 500, (len(done), len(stream.lines))
for thread in green:
    thread.wait()
over.append("over")
early_time.sleep(0.005)  # the last signal
gc.collect()
took = early_time.monotonic() - begin

assert not stream.clashes, "the lock of the handler does not exclude"
expected = {
    f"{name}-{thread} {number}"
    for name, threads in (("os", OS_THREADS), ("pool", POOL_CALLS), ("green", GREEN_THREADS))
    for thread in range(threads)
    for number in range(each // threads)
}
written = "".join(stream.lines).splitlines()
found = [line for line in written if line in expected]
assert len(found) == len(expected), (len(found), len(expected))
assert set(found) == expected
rest = [line for line in written if line not in expected]
assert set(rest) <= {"signal", "collected"}, set(rest)
assert len(rest) == len(from_handlers), (len(rest), len(from_handlers))
print(f"{len(written)} records in {took:.1f} s, {len(from_handlers)} by handlers", file=sys.stderr)
print("passed")
