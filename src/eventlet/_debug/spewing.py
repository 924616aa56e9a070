"""Print every line that runs: `debug.spew`."""

import linecache
import re
import sys
from types import FrameType
from typing import Any, Final

from eventlet._unpatched import local

__all__ = ["Spew", "spew", "unspew"]

_UNKNOWN: Final = "[unknown]"
_NAMES: Final = re.compile(r"[^\W\d]\w*")


class Spew:
    """A trace function, for `sys.settrace`, that prints each line before it runs.

    Args:
        trace_names: names of the modules to print; None for all.
        show_values: also print the values of the names that occur in the line.
    """

    def __init__(
        self,
        trace_names: "list[str] | tuple[str, ...] | set[str] | None" = None,
        show_values: bool = True,
    ) -> None:
        self.trace_names = trace_names
        self.show_values = show_values

    def __call__(self, frame: FrameType, event: str, arg: object) -> "Spew":
        """Print the line that a "line" event is about; code without `__file__` is [unknown]."""
        if event != "line" or frame.f_globals is globals():
            return self
        names = frame.f_globals
        is_known = bool(names.get("__file__"))
        module = str(names.get("__name__")) if is_known else _UNKNOWN
        if self.trace_names is None or module in self.trace_names:
            code, line = frame.f_code, frame.f_lineno
            source = linecache.getline(code.co_filename, line, names).rstrip()
            if not source and not is_known:
                source = f"code named {code.co_name}, VM instruction #{frame.f_lasti}"
            text = f"{module}:{line}: {source}\n"
            if self.show_values:
                text += _values(frame, source)
            sys.stdout.write(text)
        return self


def _values(frame: FrameType, source: str) -> str:
    """Return a line with the values of the names in `source`; empty when there are none."""
    found: dict[str, str] = {}
    here, everywhere = frame.f_locals, frame.f_globals
    for name in _NAMES.findall(source):
        if name in here or name in everywhere:
            found[name] = _show(here[name] if name in here else everywhere[name])
    text = " ".join(f"{name}={value}" for name, value in found.items())
    return f"\t{text}\n" if text else ""


def _show(value: object) -> str:
    try:
        return repr(value)
    except Exception as exc:  # of an object whose __init__ is under way, for instance
        return f"<{type(value).__name__} whose repr failed: {exc!r}>"


class _Spewing(local):
    """Per OS thread: our trace function while it is set, and the one before it."""

    spewer: Spew | None = None
    before: Any = None


_here = _Spewing()


def spew(trace_names: Any = None, show_values: bool = False) -> None:
    """Print every line that runs in this OS thread, in every green thread, from now on.

    Functions that run already are not printed, only those that are called from now on.

    Args:
        trace_names: names of the modules to print; None for all.
        show_values: also print the values of the names that occur in the line.
    """
    if _here.spewer is None:
        _here.before = sys.gettrace()
    _here.spewer = Spew(trace_names, show_values)
    sys.settrace(_here.spewer)


def unspew() -> None:
    """End `spew`; the trace function that was there before is set again."""
    if _here.spewer is None:
        return
    if sys.gettrace() is _here.spewer:
        sys.settrace(_here.before)
    _here.spewer = _here.before = None
