"""How far the property tests go: as far as a test run has time for, or deeper.

`PROPERTY_DEPTH=10` in the environment plays ten times as many games, and gives each test ten
times its time limit; `make stress` does that.
"""

from __future__ import annotations

import os

from hypothesis import settings

__all__ = ["DEPTH", "games"]

DEPTH = int(os.environ.get("PROPERTY_DEPTH", "1"))

# No deadline: the machine may be busy.
settings.register_profile("ours", deadline=None, derandomize=DEPTH == 1)
settings.load_profile("ours")


def games(number: int) -> settings:
    """Have a property test play `number` games, times the depth."""
    return settings(max_examples=number * DEPTH)
