"""OS threads started before patching: joining them parks, also the main thread's joiners."""

import threading
import time

from eventlet import patcher
from eventlet.greenthread import spawn
from eventlet.timeout import Timeout

wait = time.sleep
begin = time.monotonic()
early = threading.Thread(target=wait, args=(0.3,))
early.start()
late = threading.Thread(target=wait, args=(5.0,), daemon=True)
late.start()
patcher.monkey_patch()

ticks: list[int] = []


def tick() -> None:
    while True:
        ticks.append(1)
        time.sleep(0.005)


ticker = spawn(tick)
early.join()
assert time.monotonic() - begin >= 0.3
assert not early.is_alive()
assert len(ticks) > 5, len(ticks)

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
time.sleep(0.02)
assert ticks
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
