"""Several threads that wait for a server at the same time, and a check that they did."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

__all__ = ["DELAY", "Failure", "together"]

DELAY = 0.2
"""Seconds for which a server lets its client wait where it is asked to."""


def together(count: int, call: Callable[[int], Any], delay: float = DELAY) -> list[Any]:
    """Make `count` calls, each of which waits for `delay` seconds, in as many threads.

    Returns:
        What the calls returned, in order.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        results = list(pool.map(call, range(count)))
    took = time.monotonic() - began
    assert took < delay * count, f"{count} calls of {delay} s took {took:.2f} s: in turn?"
    return results


class Failure:
    """A block that has to fail: `with Failure(ValueError) as failure`, then `failure.error`."""

    def __init__(self, kind: type[BaseException]) -> None:
        self._kind = kind
        self.error: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        assert error is not None, f"no {self._kind.__name__}"
        self.error = error
        return isinstance(error, self._kind)
