"""What one green thread, or one call in a `tpool` thread, did: the books of the stress run.

Each has notes of its own, and notes without a park between the deed and the note. So nothing
can come between, and no two OS threads write to the same notes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Notes:
    """Deeds of one actor.

    Attributes:
        counts: how often it did what.
        stored: numbers whose `put` returned, by queue.
        taken_back: numbers whose `put` was cut short, by queue.
        taken: numbers that it got, by queue, in order.
    """

    counts: Counter[str] = field(default_factory=Counter)
    stored: dict[str, list[int]] = field(default_factory=dict)
    taken_back: dict[str, list[int]] = field(default_factory=dict)
    taken: dict[str, list[int]] = field(default_factory=dict)

    def store(self, queue: str, number: int) -> None:
        self.stored.setdefault(queue, []).append(number)

    def take_back(self, queue: str, number: int) -> None:
        self.taken_back.setdefault(queue, []).append(number)

    def take(self, queue: str, number: int) -> None:
        self.taken.setdefault(queue, []).append(number)


def numbers_of(notes: list[Notes], kind: str, queue: str) -> list[int]:
    """Collect from all notes the numbers of one kind and one queue."""
    return [number for each in notes for number in getattr(each, kind).get(queue, ())]
