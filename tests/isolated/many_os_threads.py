"""Start many short OS threads that each use a hub; nothing may be left of them."""

import gc
import os
import resource
import sys
import threading
import time

from eventlet._core.current import hubs
from eventlet._core.hub import Hub
from eventlet.greenthread import sleep, spawn


def work() -> None:
    sleep(0)
    spawn(sleep, 50)  # ended with the OS thread
    sleep(0)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def live_hubs() -> int:
    # The last thing an OS thread does, after `join` has returned, is to free its main greenlet.
    for _ in range(2000):
        gc.collect()
        count = sum(issubclass(type(thing), Hub) for thing in gc.get_objects())
        if not count:
            break
        time.sleep(0.01)
    return count


def run(count: int) -> None:
    while count > 0:
        threads = [threading.Thread(target=work) for _ in range(min(count, 10))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        count -= len(threads)


count = int(sys.argv[1])
run(20)
before = descriptors(), live_hubs()
peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(count)
after = descriptors(), live_hubs()
growth_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before

assert after == before, f"(descriptors, hubs) were {before} and are {after}"
assert not hubs
assert growth_kib < 10_000, f"memory grew by {growth_kib} KiB over {count} OS threads"
