"""The asyncio loops that let green threads run while they wait."""

from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["driving_loops"]

driving_loops: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""Loops whose selector parks its greenlet, and loops that drive a hub from outside, each with
the identifier of the hub's OS thread."""
