"""Live progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

REDRAW_SECONDS = 0.1
LINES = 5
"""How many lines a step prints at most where there is no terminal."""


class Meter:
    """Counts how much of one step is done, and shows it from `with` to the end of the block."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self.console = console
        self.title = title
        self.total = total
        self.done = 0
        self._next_redraw = 0.0
        self._bar: Progress | None = None
        if console.is_terminal:
            # No thread of rich's own: whoever advances the meter redraws it.
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                auto_refresh=False,
            )
            self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
            self._bar.stop()

    def advance(self) -> None:
        """Note that one more is done."""
        self.done += 1
        if self._bar is None:
            step = max(1, self.total // LINES)
            if self.done % step == 0 or self.done == self.total:
                self.console.print(f"{self.title}: {self.done} of {self.total}")
            return
        now = time.monotonic()
        if now >= self._next_redraw or self.done == self.total:
            self._next_redraw = now + REDRAW_SECONDS
            self._bar.update(self._task, completed=self.done, refresh=True)
