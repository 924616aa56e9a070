"""The asyncio loops that let green threads run while they wait."""

from typing import Any
from weakref import WeakSet

__all__ = ["driving_loops"]

driving_loops: WeakSet[Any] = WeakSet()
"""Loops whose selector parks its greenlet, and loops that drive a hub from outside."""
