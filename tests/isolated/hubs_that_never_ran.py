"""Drop hubs of ended OS threads that never made a pass, and threads that never started.

greenlet 3.5 crashes in the garbage collector over a greenlet that has not started and whose
OS thread is gone; the end of a hub must leave none.
"""

import gc
import threading
from typing import Any

from eventlet._core.current import get_hub
from eventlet.greenthread import sleep, spawn, spawn_after, spawn_n

kept: list[Any] = []


def work() -> None:
    hub = get_hub()
    kept.append([hub, spawn(sleep, 1), spawn_n(sleep, 1), spawn_after(1, sleep)])
    kept[-1].append(kept[-1])  # a cycle: only the garbage collector finds it


sleep(0)
for turn in range(100):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    junk: list[list[int]] = [[] for _ in range(turn)]  # moves what is allocated next
    kept.clear()
    sleep(0)
    gc.collect()
print("end")
