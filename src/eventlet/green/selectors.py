"""Green `selectors`: every selector parks only the calling green thread.

The standard code runs over the green `select`. The abstract classes and `SelectorKey` are the
standard ones, so `isinstance` holds whichever module a selector came from.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

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

__patched__ = patched(globals())
