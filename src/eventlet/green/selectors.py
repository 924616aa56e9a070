"""Green `selectors`: every selector parks only the calling green thread.

The standard code runs over the green `select`. The abstract classes and `SelectorKey` are the
standard ones, so `isinstance` holds whichever module a selector came from.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from eventlet._core.fork import call_in_child
from eventlet._derive import derive
from eventlet._loop_mark import note_selecting
from eventlet._patching.table import GREEN, patched

if TYPE_CHECKING:
    from selectors import *
else:
    import selectors as _real_module

    derive(
        globals(),
        "selectors",
        GREEN,
        same=("BaseSelector", "_BaseSelectorImpl", "_SelectorMapping"),
    )
    SelectorKey = _real_module.SelectorKey
    # A function in Python, unlike the one in C, would turn into a method here.
    SelectSelector._select = staticmethod(SelectSelector._select)


def _noting(select: Callable[..., Any]) -> Callable[..., Any]:
    """Make a `select` that tells which loop asks: its marks are hidden while it is parked."""

    @wraps(select)
    def select_and_note(self: Any, timeout: float | None = None) -> Any:
        note_selecting(self)
        return select(self, timeout)

    return select_and_note


for _class in {value for value in list(globals().values()) if isinstance(value, type)}:
    if issubclass(_class, BaseSelector) and "select" in vars(_class) and _class is not BaseSelector:
        _class.select = _noting(_class.select)  # type: ignore[method-assign]  # on purpose

_epoll_selectors: WeakSet[Any] = WeakSet()


def _remembering(init: Callable[..., None]) -> Callable[..., None]:
    """Make an `__init__` of selectors that get an epoll of their own in a forked child."""

    @wraps(init)
    def init_and_remember(self: Any) -> None:
        init(self)
        _epoll_selectors.add(self)
        call_in_child(_renew_all)

    return init_and_remember


def _renew_all() -> None:
    """Replace what is shared with the parent, which would feel what the child tells it."""
    for selector in list(_epoll_selectors):
        if not selector._selector.closed:
            _renew(selector)


def _renew(selector: Any) -> None:
    fresh = selector._selector_cls()
    for key in selector.get_map().values():
        mask = selector._EVENT_READ if key.events & EVENT_READ else 0
        mask |= selector._EVENT_WRITE if key.events & EVENT_WRITE else 0
        with suppress(OSError):  # it was closed without a word
            fresh.register(key.fd, mask)
    selector._selector = fresh


if "EpollSelector" in globals():
    EpollSelector.__init__ = _remembering(EpollSelector.__init__)  # type: ignore[method-assign]  # on purpose

__patched__ = patched(globals())
