"""Green `selectors`: every selector parks only the calling green thread.

The standard code runs over the green `select`. The abstract classes and `SelectorKey` are the
standard ones, so `isinstance` holds whichever module a selector came from.
"""

from typing import TYPE_CHECKING

from eventlet._derive import derive
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

__patched__ = patched(globals())
