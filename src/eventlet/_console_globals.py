"""What an interactive console keeps once per process, put away while it is parked.

Theory of operation
-------------------
A console needs `sys.stdout`, `sys.ps1`, `builtins._` and some more names to itself: `_NAMES`.
The process has one of each. So a console is *in* exactly while its green thread runs: it
brings its values in when it begins or goes on, and takes them out when it parks or ends. What
it assigned meanwhile it finds again; what the program has assigned meanwhile stays the
program's.

Every way out of a green thread leads through `Hub.park`, so the consoles go around parks, as
`_loop_mark` does, on the hubs that have an open console, and only as long as there is one. A
greenlet that a console switches to by hand works for the console until it parks.

Trace functions (`pdb`) belong to an OS thread; they are put away as well, or stepping over a
call that parks would stop in whatever runs next.

Green threads of one OS thread never run at once; OS threads do, nearly. The last console that
came in is then the one that is seen. What another OS thread writes meanwhile reaches it at
`FileProxy`, which asks `stream_here` where it really belongs.
"""

import builtins
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from eventlet._core.current import get_hub
from eventlet._core.hub import Hub
from eventlet._unpatched import Mutex, get_ident

__all__ = ["ConsoleGlobals", "stream_here"]

_ABSENT: Final = object()
_NAMES: Final[tuple[tuple[Any, str], ...]] = (
    *((sys, name) for name in ("stdin", "stdout", "stderr", "ps1", "ps2")),
    *((sys, name) for name in ("displayhook", "excepthook")),
    *((sys, name) for name in ("last_exc", "last_type", "last_value", "last_traceback")),
    (builtins, "_"),
)
_Values = dict[tuple[Any, str], Any]


class ConsoleGlobals:
    """The names of one console: `with ConsoleGlobals(...)` around all that it does.

    Args:
        stdin: what the console reads.
        stdout: where it prints.
        stderr: where it complains.
    """

    def __init__(self, stdin: object, stdout: object, stderr: object) -> None:
        self._values: _Values = dict.fromkeys(_NAMES, _ABSENT) | {
            (sys, "stdin"): stdin,
            (sys, "stdout"): stdout,
            (sys, "stderr"): stderr,
            (sys, "ps1"): ">>> ",
            (sys, "ps2"): "... ",
            (sys, "displayhook"): sys.__displayhook__,
            (sys, "excepthook"): sys.__excepthook__,
        }
        self._trace: tuple[Any] | None = None  # None: the same as outside
        self._outer_trace: Any = None
        self._hub: Hub | None = None

    def __enter__(self) -> Self:
        self._hub = hub = get_hub()
        _consoles.open.append(self)
        hub.add_around_park(_put_away)
        _consoles.bring_in(get_ident(), self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _consoles.take_out(get_ident(), self)
        _consoles.open.remove(self)
        hub = self._hub
        if hub is not None and not any(other._hub is hub for other in _consoles.open):
            hub.remove_around_park(_put_away)

    def read(self) -> None:
        """Remember the names as they are."""
        self._values = _read_names()

    def show(self) -> None:
        """Set the names as they were when they were last read."""
        _write_names(self._values)

    def get(self, name: str) -> Any:
        """Return the value of a name of `sys`; None when it has none."""
        value = self._values[sys, name]
        return None if value is _ABSENT else value

    def show_trace(self) -> None:
        """Trace this OS thread as the console does."""
        self._outer_trace = sys.gettrace()
        if self._trace is not None:
            sys.settrace(self._trace[0])

    def hide_trace(self) -> None:
        """Trace this OS thread as it was traced outside."""
        trace = sys.gettrace()
        self._trace = None if trace is self._outer_trace else (trace,)
        if self._trace is not None:
            sys.settrace(self._outer_trace)


class _Consoles:
    """The consoles of this process.

    Attributes:
        open: those that have begun and not ended.
        inside: by ident of its OS thread, the one that is in; the last of them is seen.
    """

    def __init__(self) -> None:
        self.open: list[ConsoleGlobals] = []
        self.inside: dict[int, ConsoleGlobals] = {}
        self._outside: _Values = {}
        self._mutex = Mutex()

    def bring_in(self, ident: int, console: ConsoleGlobals) -> None:
        with self._mutex:
            seen = self._seen()
            if seen is None:
                self._outside = _read_names()
            else:
                seen.read()
            self.inside.pop(ident, None)
            self.inside[ident] = console
            console.show()
        console.show_trace()

    def take_out(self, ident: int, console: ConsoleGlobals) -> None:
        """Put a console's names away, if it is in."""
        if self.inside.get(ident) is not console:
            return
        console.hide_trace()
        with self._mutex:
            was_seen = self._seen() is console
            del self.inside[ident]
            if not was_seen:
                return
            console.read()
            seen = self._seen()
            if seen is None:
                _write_names(self._outside)
                self._outside = {}
            else:
                seen.show()

    def outside(self, name: str) -> Any:
        """Return the value of a name of `sys` as the program knows it."""
        with self._mutex:
            return self._outside.get((sys, name)) if self.inside else getattr(sys, name)

    def _seen(self) -> ConsoleGlobals | None:
        return next(reversed(self.inside.values()), None)


_consoles = _Consoles()


def _put_away(switch: Callable[[], Any]) -> Any:
    """Park with the names of the program."""
    if not _consoles.inside:
        return switch()
    ident = get_ident()
    console = _consoles.inside.get(ident)
    if console is None:
        return switch()
    _consoles.take_out(ident, console)
    try:
        return switch()
    finally:
        if console in _consoles.open:  # it may have ended without this greenlet
            _consoles.bring_in(ident, console)


def stream_here(name: str) -> Any:
    """Return the standard stream `sys.<name>` as the calling OS thread should see it."""
    console = _consoles.inside.get(get_ident())
    return _consoles.outside(name) if console is None else console.get(name)


def _read_names() -> _Values:
    return {(module, name): getattr(module, name, _ABSENT) for module, name in _NAMES}


def _write_names(values: _Values) -> None:
    for (module, name), value in values.items():
        if value is not _ABSENT:
            setattr(module, name, value)
        elif hasattr(module, name):
            delattr(module, name)
