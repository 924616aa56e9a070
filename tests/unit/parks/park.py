"""What the table of parks is made of: a public call that waits, and all a test must know of it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.unit.parks.stage import Stage

__all__ = ["Build", "Park", "Table", "Wait", "anything", "says_ebadf"]


def anything(_value: object) -> bool:
    """Say nothing about a result."""
    return True


def says_ebadf(outcome: Any) -> bool:
    """Tell whether a call ended as one does whose descriptor was closed under it."""
    return isinstance(outcome, OSError) and outcome.errno == errno.EBADF


def nothing_to_see() -> None:
    """The state of an object that has none."""


@dataclass
class Wait:
    """One call on one object, ready to be made.

    Attributes:
        call: parks until `complete`; may be made again on the same object.
        complete: lets one parked call return. Runs in a green thread of its own.
        gives: what the call returns then, or a test of it.
        state: what others can see of the object; the same before a call and after one that
            was interrupted.
        stays: what completed a call that was interrupted then is there for the next call.
        repair: what a user has to do between an interrupted call and the next one.
        spent: the object is of no more use after an interrupted call, as documented.
        ready_first: the next call is made only when it will not have to wait.
        goes_on: a part of an interrupted call goes on elsewhere; this lets it end.
        close: closes the descriptor of the parked call from another green thread.
        when_closed: tells whether that call ended as it should, by its result or exception.
    """

    call: Callable[[], Any]
    complete: Callable[[], Any]
    gives: Any = None
    state: Callable[[], Any] = nothing_to_see
    stays: bool = True
    repair: Callable[[], Any] = nothing_to_see
    spent: bool = False
    ready_first: bool = False
    goes_on: Callable[[], Any] | None = None
    close: Callable[[], Any] | None = None
    when_closed: Callable[[Any], bool] = says_ebadf

    def is_right(self, result: Any) -> bool:
        """Tell whether a call that was completed returned what it should."""
        return bool(self.gives(result)) if callable(self.gives) else bool(result == self.gives)


Build = Callable[[Stage], Wait]


@dataclass
class Park:
    """An entry of the table.

    Attributes:
        covers: the public callables that park here.
        build: makes the object and the call.
        closes: there is a descriptor to close under the call.
        yields: the call only lets others run once; nothing outside completes it.
        ticketless: the call waits in a plain switch, which scopes know nothing of.
        shielded: clean-up, which a cancelled scope does not keep from waiting.
        stubborn: the call has something to see to its end: it is interrupted after that.
        slow: takes longer than a quick run allows.
        alone: waits for something of the whole process, so nothing else may go on beside it.
    """

    covers: tuple[Any, ...]
    build: Build
    closes: bool = False
    yields: bool = False
    ticketless: bool = False
    shielded: bool = False
    stubborn: bool = False
    slow: bool = False
    alone: bool = False


class Table(dict[str, Park]):
    """Parks by name: that of the function that builds the call."""

    def park(self, *covers: Any, **facts: bool) -> Callable[[Build], Build]:
        """Enter the decorated function."""

        def enter(build: Build) -> Build:
            name = build.__name__
            assert name not in self, f"two parks are called {name}"
            self[name] = Park(covers, build, **facts)
            return build

        return enter
