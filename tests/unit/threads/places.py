"""Where a call can be made: in a green thread here, in OS threads with and without green threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from eventlet import tpool
from eventlet.greenthread import sleep, spawn

from tests.unit.core.os_threads import start_os_thread

PATIENCE = 30.0  # seconds; far beyond what any of this takes


class Call:
    """A call that was started in some place; `result()` waits for it, letting others run."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._outcome: list[Any] = []
        self._error: BaseException | None = None
        self._end = threading.Event()

    def make(self) -> None:
        try:
            self._outcome.append(self._function())
        except BaseException as exc:
            self._error = exc
        self._end.set()

    def is_done(self) -> bool:
        return self._end.is_set()

    def wait_natively(self, seconds: float) -> None:
        """Block this OS thread, all its green threads with it, until the call is done."""
        self._end.wait(seconds)

    def result(self) -> Any:
        until(self.is_done)
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._outcome[0]


def in_a_green_thread_here(function: Callable[[], Any]) -> Call:
    call = Call(function)
    spawn(call.make)
    return call


def in_a_green_thread_there(function: Callable[[], Any]) -> Call:
    call = Call(function)
    start_os_thread(lambda: spawn(call.make).wait())
    return call


def in_an_os_thread(function: Callable[[], Any]) -> Call:
    call = Call(function)
    threading.Thread(target=call.make, daemon=True).start()
    return call


def in_a_tpool_thread(function: Callable[[], Any]) -> Call:
    call = Call(function)
    spawn(tpool.execute, call.make)
    return call


PLACES = [
    in_a_green_thread_here,
    in_a_green_thread_there,
    in_an_os_thread,
    in_a_tpool_thread,
]


def until(condition: Callable[[], Any]) -> None:
    """Let everybody run until `condition` holds; fail when it takes for ever."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        sleep(0.001)
