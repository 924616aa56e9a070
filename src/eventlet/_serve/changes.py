"""Notice that a file of the program has changed, by looking at all of them now and then.

Looking costs a millisecond for a thousand files. Nothing is missed between loading a file and
the first look: what was written after we began counts as changed, too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator

__all__ = ["LOOK_SECONDS", "Watch"]

LOOK_SECONDS = 0.3
CLOCK_SECONDS = 1.0  # that the clock of a file system may be fast


class Watch:
    """The files of the modules that are loaded, whichever these are by now.

    Args:
        more: other files.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._more = list(more)
        self._began = time.time()
        self._seen: dict[str, tuple[float, int]] = {}

    def add(self, files: Iterable[str]) -> None:
        """Look at these files, too."""
        self._more += files

    def find_change(self) -> str | None:
        """Look once; return the path of a file that has changed."""
        found = None
        for path in {*_module_files(), *self._more}:
            try:
                status = os.stat(path)
            except OSError:
                continue  # about to be replaced, perhaps; a module may also make up its path
            now = status.st_mtime, status.st_size
            before = self._seen.setdefault(path, now)
            # A moment that is far from having come says nothing: it would be newer for ever.
            is_fresh = self._began < now[0] < time.time() + CLOCK_SECONDS
            if before != now or (before is now and is_fresh):
                self._seen[path] = now
                found = path
        return found


def _module_files() -> Iterator[str]:
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            yield path
