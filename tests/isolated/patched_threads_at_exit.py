"""At the end of the program, threads that are no daemons are awaited, daemons are not."""

import atexit
import sys

from eventlet import patcher

patcher.monkey_patch()

import threading
import time

done: list[str] = []


def work(name: str, seconds: float) -> None:
    time.sleep(seconds)
    done.append(name)


def check() -> None:
    assert sorted(done) == ["quick", "slow"], done
    print("passed")


atexit.register(check)
threading.Thread(target=work, args=("daemon", 30), daemon=True).start()
threading.Thread(target=work, args=("slow", 0.05)).start()
threading.Thread(target=work, args=("quick", 0.01)).start()
sys.exit(0)
