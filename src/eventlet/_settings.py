"""The environment variables we read: name, type, default, meaning.

They are read when needed, never at import, so a program may set them in `os.environ`.
"""

import os
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = [
    "DEPRECATED_EAI_NODATA",
    "FORK_KEEPS_GREEN_THREADS",
    "HAPPY_EYEBALLS",
    "HUB",
    "NO_GREENDNS",
    "SETTINGS",
    "THREADPOOL_SIZE",
    "Setting",
]

T = TypeVar("T")


class Setting(NamedTuple, Generic[T]):
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


def _is_yes(text: str) -> bool:
    return text.lower() in {"yes", "true", "1"}


def _is_not_no(text: str) -> bool:
    return text.lower() not in {"no", "false", "0"}


NO_GREENDNS: Setting[bool] = Setting(
    "EVENTLET_NO_GREENDNS",
    _is_yes,
    False,
    "Whether names are looked up by the OS resolver, on OS threads: `yes`, `true` or `1`.",
)

DEPRECATED_EAI_NODATA: Setting[bool] = Setting(
    "EVENTLET_DEPRECATED_EAI_NODATA",
    lambda text: text.lower() in {"1", "y", "yes"},
    False,
    "Whether `greendns.EAI_NODATA_ERROR` has the code EAI_NODATA, in place of EAI_NONAME.",
)

HAPPY_EYEBALLS: Setting[bool] = Setting(
    "EVENTLET_HAPPY_EYEBALLS",
    _is_not_no,
    True,
    "Whether connecting to a name tries its addresses in a race; `no`, `false` or `0`: in turn.",
)

FORK_KEEPS_GREEN_THREADS: Setting[bool] = Setting(
    "EVENTLET_FORK_KEEPS_GREEN_THREADS",
    _is_yes,
    False,
    "Whether all green threads go on in a forked child, not only the one that forked: `yes`.",
)

SETTINGS: tuple[Setting[Any], ...] = (
    HUB,
    THREADPOOL_SIZE,
    NO_GREENDNS,
    DEPRECATED_EAI_NODATA,
    HAPPY_EYEBALLS,
    FORK_KEEPS_GREEN_THREADS,
)
"""Every variable there is."""
