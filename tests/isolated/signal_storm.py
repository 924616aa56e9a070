"""Signals every 100 microseconds over spawning, sleeping, waking, I/O and OS threads.

Nothing may be lost. With "raise" as the second argument the handler also raises, wherever
it finds the hub's own code, which must survive that at any of its lines.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from types import FrameType
from typing import Any

from greenlet import getcurrent

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._core.timers import Timer
from eventlet._core.wait_queue import EXPIRED, Ticket, WaitQueue, wake
from eventlet.greenthread import sleep, spawn, spawn_n

seconds = float(sys.argv[1])
raising = sys.argv[2:] == ["raise"]


class Alarm(Exception):
    """What the handler raises."""


class Sink:
    """A standard error that counts."""

    alarms = 0
    others: list[str] = []

    def write(self, text: str) -> None:
        if "Alarm" in text:
            Sink.alarms += 1
        else:
            Sink.others.append(text)

    def flush(self) -> None:
        pass


hub = get_hub()
started, finished = Counter[str](), Counter[str]()
signals = 0
from_handler: deque[Ticket] = deque()
end = time.monotonic() + seconds
patience = end + 40  # on a slow machine it takes longer until enough has happened


def in_the_hubs_own_code(frame: FrameType | None) -> bool:
    """Whether a handler that raises hits the hub itself.

    Calls that it makes for somebody, the report it prints, and this handler are not the hub.
    """
    others = (Timer.switch.__code__, Hub.report.__code__, handler.__code__)
    if getcurrent() is not hub.greenlet:
        return False
    while frame is not None:
        if frame.f_code in others:
            return False
        frame = frame.f_back
    return True


def handler(_signum: int, frame: FrameType | None) -> None:
    """Make work of each kind, as programs do in a handler."""
    global signals
    signals += 1
    kind = signals % 4
    if kind == 0 and from_handler:
        wake(from_handler.popleft(), "signal")
    elif kind == 1:
        started["call"] += 1
        hub.call_soon(finish, "call")
    elif kind == 2:
        started["timer"] += 1
        hub.call_later(0.001, finish, "timer")
    elif kind == 3 and signals % 64 == 3:
        started["thread"] += 1
        spawn_n(finish, "thread")
    if raising and in_the_hubs_own_code(frame) and running():
        raise Alarm


def finish(kind: str) -> None:
    finished[kind] += 1


def running() -> bool:
    now = time.monotonic()
    return now < end or (now < patience and not enough())


def enough() -> bool:
    return (
        signals > 100 * seconds
        and finished["woken by the handler"] > 10
        and finished["echo"] > 10
        and (not raising or Sink.alarms > 10)
    )


def spawner() -> None:
    while running():
        children = [spawn(sleep, 0) for _ in range(5)]
        for child in children:
            started["child"] += 1
            child.wait()
            finished["child"] += 1


def sleeper(pause: float) -> None:
    while running():
        began = time.monotonic()
        sleep(pause)
        assert time.monotonic() - began >= pause


def canceller() -> None:
    while running():
        timers = [hub.call_later(60, finish, "cancelled") for _ in range(50)]
        sleep(0)
        for timer in timers:
            timer.cancel()


class Channel:
    def __init__(self) -> None:
        self.items: deque[int] = deque()
        self.waiters = WaitQueue()

    def put(self, item: int) -> None:
        if self.waiters.wake_first(item) is None:
            self.items.append(item)

    def get(self) -> Any:
        if self.items:
            return self.items.popleft()
        ticket = hub.ticket()
        self.waiters.append(ticket)
        value = hub.park(ticket, 0.002)
        if value is EXPIRED:
            self.waiters.discard(ticket)
        return value


channel = Channel()
taken: list[int] = []
sent = 0
producers = 0


def producer() -> None:
    global sent, producers
    producers += 1
    while running():
        channel.put(sent)
        sent += 1
        if sent % 7 == 0:
            sleep(0)
    producers -= 1


def consumer() -> None:
    while producers or channel.items:
        item = channel.get()
        if item is not EXPIRED:
            taken.append(item)


def waiter_for_signals() -> None:
    while running():
        ticket = hub.ticket()
        from_handler.append(ticket)
        if hub.park(ticket, 30) == "signal":
            finish("woken by the handler")
        else:
            assert not signals or not running(), "no signal for half a minute"


def echo() -> None:
    r1, w1 = os.pipe()
    r2, w2 = os.pipe()

    def other_end() -> None:
        while True:
            hub.wait_foreign(r1, read=True)
            data = os.read(r1, 1)
            os.write(w2, data)
            if data == b".":
                return

    answerer = spawn(other_end)
    while running():
        os.write(w1, b"x")
        assert hub.wait_foreign(r2, read=True, timeout=30) is not EXPIRED, "an event was lost"
        assert os.read(r2, 10) == b"x"
        finish("echo")
    os.write(w1, b".")
    answerer.wait()


posted = 0


def poster() -> None:
    global posted
    while running():
        posted += 1
        hub.call_from_thread(finish, "posted")
        time.sleep(0.0002)


def settled() -> bool:
    return all(finished[kind] == started[kind] for kind in ("call", "timer", "thread", "child"))


if raising:
    sys.stderr = Sink()
bodies = [spawner, canceller, waiter_for_signals, echo, producer, producer, consumer, consumer]
threads = [spawn(body) for body in bodies]
threads += [spawn(sleeper, 0.001), spawn(sleeper, 0.003)]
thread = threading.Thread(target=poster)
thread.start()
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)


def patiently(wait: Any, *args: Any) -> None:
    while True:
        try:
            wait(*args)
        except Alarm:
            continue  # raised where the hub had no line of its own to catch it
        return


for each in threads:
    patiently(each.wait)
    assert each._exc is None, each
signal.setitimer(signal.ITIMER_REAL, 0)
thread.join()
give_up = time.monotonic() + 30
while not (settled() and finished["posted"] == posted) and time.monotonic() < give_up:
    patiently(sleep, 0.001)
sys.stderr = sys.__stderr__

print(f"{signals} signals, {Sink.alarms} raised and reported, {dict(finished)}, {len(taken)} items")
assert signals > 100 * seconds, signals
assert settled(), (started, finished)
assert finished["posted"] == posted, (finished["posted"], posted)
assert sorted([*taken, *channel.items]) == list(range(sent))
assert finished["cancelled"] == 0
assert finished["woken by the handler"] > 10
assert finished["echo"] > 10
assert not Sink.others, Sink.others
assert not raising or Sink.alarms > 10
assert signal.set_wakeup_fd(-1) == -1
assert not hub.closed
