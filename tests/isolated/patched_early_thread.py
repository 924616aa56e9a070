"""OS threads started before patching: joining them parks, also the main thread's joiners."""

import threading
import time

from eventlet import patcher
from eventlet.greenthread import spawn
from eventlet.timeout import Timeout

begin = time.monotonic()
may_end = threading.Event()
early = threading.Thread(target=may_end.wait, args=(50,))
early.start()
late = threading.Thread(target=time.sleep, args=(600,), daemon=True)
late.start()
patcher.monkey_patch()

ticks: list[int] = []


def tick() -> None:
    while True:
        ticks.append(1)
        if len(ticks) == 6:
            may_end.set()  # only if this runs while `early` is joined
        time.sleep(0.005)


ticker = spawn(tick)
early.join()
assert time.monotonic() - begin < 40
assert not early.is_alive()

late.join(0.02)
assert late.is_alive()
try:
    with Timeout(0.02):
        late.join()
except Timeout:
    pass
assert late.is_alive()

# Who waits for the end of the main thread does not hinder anybody.
ended: list[int] = []


def watch() -> None:
    threading.main_thread().join()
    ended.append(1)


watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
ticks.clear()
while len(ticks) < 3:
    time.sleep(0.005)
assert not ended
ticker.kill()

# OS threads of the patched program have each other's real names and come to an end.
native = patcher.original("threading")
seen: list[str] = []


def in_os_thread() -> None:
    seen.append(threading.current_thread().name)


os_thread = native.Thread(target=in_os_thread)
os_thread.start()
os_thread.join()
assert seen[0].startswith("Dummy-"), seen
print("passed")
