"""Run something in an OS thread of its own, with a hub of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from eventlet._core.current import set_hub_factory
from eventlet._core.hub import Hub

T = TypeVar("T")

JOIN_SECONDS = 60.0


def in_os_thread(function: Callable[[], T], make_hub: Callable[[], Hub] | None = None) -> T:
    """Return what `function` returns in a new OS thread, or raise what it raises.

    Args:
        function: called in the OS thread, whose hub is closed when it has ended.
        make_hub: makes that hub; the usual one when left out.
    """
    result: T = start_os_thread(function, make_hub).result()
    return result


class OSThread(threading.Thread):
    """An OS thread with a result."""

    def __init__(self, function: Callable[[], Any], make_hub: Callable[[], Hub] | None) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._make_hub = make_hub
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            if self._make_hub is not None:
                set_hub_factory(self._make_hub)
            self._result = self._function()
        except BaseException as exc:
            self._error = exc

    def result(self) -> Any:
        """Wait for the end (the OS thread's, its hub included), then return or raise."""
        self.join(JOIN_SECONDS)
        assert not self.is_alive(), "the OS thread did not end"
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result


def start_os_thread(
    function: Callable[[], Any], make_hub: Callable[[], Hub] | None = None
) -> OSThread:
    """Start `function` in a new OS thread; `result()` of what is returned waits for it."""
    thread = OSThread(function, make_hub)
    thread.start()
    return thread
