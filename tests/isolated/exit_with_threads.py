"""End the program while green threads, timers, readers and OS threads with hubs still wait."""

import os
import threading

from eventlet._core.current import get_hub
from eventlet._core.descriptor import Descriptor
from eventlet.greenthread import sleep, spawn, spawn_after, spawn_n

hub = get_hub()
r, w = os.pipe()
os.set_blocking(r, False)
record = Descriptor(hub, r, owned=True)


def waiter() -> None:
    try:
        sleep(50)
    finally:
        sleep(0)  # clean-up that parks, when the interpreter is on its way out


def other() -> None:
    spawn(waiter)
    sleep(50)


threads = [spawn(waiter), spawn(record.wait_read), spawn_n(waiter), spawn_after(50, waiter)]
hub.call_later(50, waiter)
sleep(0)
threading.Thread(target=other, daemon=True).start()
sleep(0.02)
spawn(waiter)
print("end")
