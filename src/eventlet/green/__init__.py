"""The green standard library: modules with the names of the standard ones, which park.

Importing one never changes the real module; only `eventlet.patcher.monkey_patch` does.
"""

import importlib
from typing import TYPE_CHECKING, Any

# What programs use as attributes of this package though they have only imported `eventlet`: it,
# its patching and its servers once loaded them. `socket` is one too, and comes with the root.
_FOUND_WITHOUT_IMPORT = frozenset(
    {
        *("BaseHTTPServer", "Queue", "SocketServer", "os", "select", "selectors", "ssl"),
        *("subprocess", "thread", "threading", "time"),
    }
)

if not TYPE_CHECKING:  # checked programs import what they use

    def __getattr__(name: str) -> Any:
        if name in _FOUND_WITHOUT_IMPORT:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
