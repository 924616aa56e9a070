"""`python -m tests.libraries.program NAME ORDER SITE`: run one program beside a ticker.

ORDER says when the program, and with it the library, is imported: `before` patching, `after`
it, or `plain` for no patching and no ticker at all. SITE is the servers' addresses, in JSON.
The last line of the output is JSON: the longest gap between two beats, in milliseconds, the
number of beats, and what the program says.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

BEAT = 0.005  # seconds


class Ticker:
    """A green thread that does nothing but look at the clock."""

    def __init__(self) -> None:
        import eventlet

        self.longest = 0.0
        self.beats = 0
        self._sleep = eventlet.sleep
        self._thread = eventlet.spawn(self._tick)
        while not self.beats:
            self._sleep(BEAT)

    def _tick(self) -> None:
        last = time.monotonic()
        while True:
            self._sleep(BEAT)
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now
            self.beats += 1

    def stop(self) -> dict[str, Any]:
        self._sleep(BEAT)  # a gap that has not ended yet counts too
        self._thread.kill()
        return {"gap_ms": self.longest * 1000, "beats": self.beats}


def main() -> None:
    name, order = sys.argv[1:3]
    site = json.loads(sys.argv[3])
    module = f"tests.libraries.programs.{name}"
    if order != "after":
        importlib.import_module(module)
    if order != "plain":
        import eventlet

        eventlet.monkey_patch(**json.loads(sys.argv[4]))
    program = importlib.import_module(module)
    prepare = getattr(program, "prepare", None)
    prepared = () if prepare is None else (prepare(site),)
    ticker = None if order == "plain" else Ticker()
    said = program.work(site, *prepared)
    beats = {} if ticker is None else ticker.stop()
    print(json.dumps({**beats, "said": said}), flush=True)


if __name__ == "__main__":
    main()
