"""What patched `signal` does about sending signals."""

from __future__ import annotations

from tests.isolated_runner import run_isolated


def test_a_loop_of_signals_lets_others_run() -> None:
    code = """
import eventlet; eventlet.monkey_patch()
import signal, threading
heard = sent = 0
def hear(*_):
    global heard
    heard += 1
signal.signal(signal.SIGUSR1, hear)
done = False
def send():
    global sent
    while not done:
        signal.raise_signal(signal.SIGUSR1)
        sent += 1
thread = threading.Thread(target=send)
thread.start()
done = True
thread.join()
print(0 < sent == heard, signal.raise_signal.__module__)
"""
    assert run_isolated(code).stdout == "True signal\n"


def test_a_signal_may_be_sent_where_nobody_can_yield() -> None:
    code = """
import eventlet; eventlet.monkey_patch()
import signal, threading, time
from eventlet.hubs import get_hub
from eventlet.patcher import original
heard, ended = [], []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
def send():
    for _ in range(1000):
        signal.raise_signal(signal.SIGUSR1)
    ended.append(1)
get_hub().schedule_call_global(0, send)
time.sleep(0.01)
here = len(heard)
original("_thread").start_new_thread(send, ())
while len(heard) == here or len(ended) < 2:  # a signal behind the end would kill
    time.sleep(0.01)
print(here)
"""
    assert run_isolated(code).stdout == "1000\n"
