"""The environment variables we read: name, type, default, meaning.

They are read when needed, never at import, so a program may set them in `os.environ`.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["HUB", "SETTINGS", "THREADPOOL_SIZE", "Setting"]

T = TypeVar("T")


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One environment variable.

    Attributes:
        name: the variable.
        parse: makes a value of its text.
        default: the value when it is unset or blank.
        meaning: what it does, one sentence.
    """

    name: str
    parse: Callable[[str], T]
    default: T
    meaning: str

    def read(self) -> T:
        """Return the present value.

        Raises:
            ValueError: the text cannot be parsed; the message names the variable.
        """
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError as exc:
            raise ValueError(f"{self.name}={text!r} cannot be used: {exc}") from exc


HUB: Setting[str | None] = Setting(
    "EVENTLET_HUB",
    str,
    None,
    "The hub of every OS thread that did not call `hubs.use_hub`, in the same string forms.",
)

THREADPOOL_SIZE: Setting[int] = Setting(
    "EVENTLET_THREADPOOL_SIZE",
    int,
    20,
    "How many OS threads `tpool` uses at most; 0 makes its calls in the caller's own thread.",
)

SETTINGS: tuple[Setting[Any], ...] = (HUB, THREADPOOL_SIZE)
"""Every variable there is."""
