"""Shows every stack of the process and ends it when nothing has happened for a while."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from eventlet._core.current import hubs

STUCK_STATUS = 3


class Watchdog:
    """An OS thread that looks whether a number grows.

    Args:
        progress: the number.
        describe: what to show of the state besides the stacks.
        patience: seconds without growth until the process is ended.
        limit: seconds until it is ended in any case.
    """

    def __init__(
        self,
        progress: Callable[[], int],
        describe: Callable[[], str],
        patience: float,
        limit: float,
    ) -> None:
        self._progress = progress
        self._describe = describe
        self._patience = patience
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        # Written in C, for the case that no Python code gets to run.
        faulthandler.dump_traceback_later(limit, exit=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        before = -1
        while not self._is_over.wait(self._patience):
            now = self._progress()
            if now == before:
                print(f"STUCK after {now} moves\n{self._describe()}", file=sys.stderr)
                show_green_threads()
                faulthandler.dump_traceback(all_threads=True)
                os._exit(STUCK_STATUS)
            before = now


def show_green_threads() -> None:
    """Print where the green threads of all hubs are, equal stacks once."""
    for hub in list(hubs):
        print(f"--- hub of OS thread {hub.ident}: asleep {hub.asleep}, ready {len(hub.ready)}, "
              f"{len(hub.timers)} timers", file=sys.stderr)  # fmt: skip
        stacks = Counter(_stack(thread) for thread in list(hub.threads))
        for stack, count in stacks.most_common():
            print(f"{count} green threads at\n{stack}", file=sys.stderr)


def _stack(thread: Any) -> str:
    frame = thread.gr_frame
    if frame is None:
        return f"  (no frame, dead: {thread.dead})"
    return "".join(traceback.format_stack(frame)) + f"  ticket {getattr(thread, '_ticket', None)}"
