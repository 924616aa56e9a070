"""How much of what costs us more than it costs a client, a client may do."""

from __future__ import annotations

__all__ = ["Allowance"]


class Allowance:
    """A purse that fills by itself, up to a bound.

    Args:
        most: what it holds at most, and at first.
        per_second: how fast it fills.
        now: the moment, on whatever clock `spend` is told.
    """

    __slots__ = ("_left", "_most", "_per_second", "_since")

    def __init__(self, most: float, per_second: float, now: float) -> None:
        self._most = self._left = most
        self._per_second = per_second
        self._since = now

    def earn(self, amount: float) -> None:
        """Put something in, for what a client has a right to answer."""
        self._left = min(self._left + amount, self._most)

    def spend(self, now: float, amount: float = 1) -> bool:
        """Take something out; False when there is not enough, and nothing is taken."""
        self._fill(now)
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def charge(self, now: float, amount: float = 1) -> None:
        """Take something out even where it is not there: a debt, of what the purse can hold."""
        self._fill(now)
        self._left = max(self._left - amount, -self._most)

    def is_owing(self, now: float) -> bool:
        """Tell whether more was charged than there was, and time has not made up for it."""
        self._fill(now)
        return self._left < 0

    def _fill(self, now: float) -> None:
        self._left = min(self._left + (now - self._since) * self._per_second, self._most)
        self._since = now
