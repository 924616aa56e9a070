"""Green `profile`: the standard profiler, with a call stack for each green thread.

The standard one keeps a single stack of calls. When another greenlet goes on, that stack is of
no use: calls would be charged to whoever made none of them. Here each greenlet has a stack and
a table of its own, exchanged at each switch; the tables are added up at the end. The time for
which a green thread is parked is nobody's, so cumulative times are those of running.

Functions that ran already when profiling began are not in the table; what they call is.
"""

import profile as _standard_module
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet

from eventlet._core.switch_hooks import add_switch_hook, remove_switch_hook

__all__ = ["Profile", "run", "runctx"]

T = TypeVar("T")

_Standard: Any = _standard_module.Profile
_THREAD = "green thread"
_POPPED = -1  # what the table says of a function that is not on the stack


class Profile(_Standard):  # type: ignore[misc]  # its attributes are not in the type stubs
    """A profiler for everything that runs in this OS thread while it is on.

    Results of several runs add up. A green thread counts as a call of `("profile", 0, "green
    thread")`, a statement or function that was run as one of `("profile", 0, statement)`.

    Args:
        timer: returns the time, as for `profile.Profile`; processor time by default.
        bias: the cost of one event in the timer's unit, see `profile.Profile.calibrate`.
    """

    cur: Any
    timings: dict[Any, Any]
    t: Any

    def __init__(self, timer: Callable[[], Any] | None = None, bias: float | None = None) -> None:
        super().__init__(timer, bias)
        self._home: greenlet | None = None
        self._others: WeakKeyDictionary[greenlet, Any] = WeakKeyDictionary()

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        """Take an event, as a function for `sys.setprofile`."""
        self.dispatcher(frame, event, arg)

    def start(self, name: str = "start") -> None:
        """Begin, for all that runs in this OS thread from now on.

        Args:
            name: what calls of functions that ran already are charged to.
        """
        self.set_cmd(name)
        self._home = getcurrent()
        add_switch_hook(self._switched)
        self.t = self.get_time()
        sys.setprofile(self)

    def stop(self) -> None:
        """End what `start` began, and add up what was measured."""
        sys.setprofile(None)
        remove_switch_hook(self._switched)
        if self._home is None:
            return
        self._charge()
        self._put_away(getcurrent())
        home, self._home = self._home, None
        stack = self._others.pop(home, None)
        others = [each for each in self._others.values() if each is not stack]
        self._others.clear()
        self.cur, self.timings = stack
        self.t = self.get_time()
        self.simulate_cmd_complete()
        for other in others:
            self._add_up(other)

    def runctx(self, cmd: Any, globals: dict[str, Any], locals: Any) -> "Profile":
        """Profile a statement in these namespaces; return this profiler."""
        self.start(cmd)
        try:
            exec(cmd, globals, locals)  # noqa: S102  # what a profiler is for
        finally:
            self.stop()
        return self

    def runcall(self, func: Callable[..., T], /, *args: Any, **kw: Any) -> T:
        """Profile a call, and what other green threads do meanwhile; return its result."""
        self.start(repr(func))
        try:
            return func(*args, **kw)
        finally:
            self.stop()

    # Who replaces those two, as Swift's middleware does, calls these.
    base = SimpleNamespace(runctx=runctx, runcall=runcall)

    def TallyTimings(self) -> None:  # noqa: N802 - the name that is called
        """Do nothing: what the green threads did has been added up at the end of the run."""

    def simulate_cmd_complete(self) -> None:
        """Count what is on the stack as returned."""
        self._charge()
        self._unwind()

    # -- switches --------------------------------------------------------------------------

    def _switched(self, origin: greenlet, target: greenlet) -> None:
        self._charge()
        self._put_away(origin)
        if origin.dead and origin is not self._home:
            self._add_up(self._others.pop(origin))
        known = self._others.pop(target, None)
        if known is None:
            self.cur, self.timings = None, {}
            self.simulate_call("profiler")
            self.simulate_call(_THREAD)
        else:
            self.cur, self.timings = known
        self.t = self.get_time()

    def _charge(self) -> None:
        """Charge the time since the last event to the function that ran."""
        to_parent, internal, *rest = self.cur
        self.cur = (to_parent, internal + self.get_time() - self.t, *rest)
        self.t = self.get_time()

    def _put_away(self, thread: greenlet) -> None:
        self._others[thread] = (self.cur, self.timings)

    def _unwind(self) -> None:
        while self.cur[-1]:
            _pop(self)

    def _add_up(self, state: Any) -> None:
        """Add the table of a greenlet that has ended, or is left, to that of the first."""
        here = (self.cur, self.timings)
        self.cur, self.timings = state
        self._unwind()
        done = self.timings
        self.cur, self.timings = here
        home = None if self._home is None else self._others.get(self._home)
        table = self.timings if home is None else home[1]
        for name, (calls, _, internal, total, callers) in done.items():
            old = table.get(name, (0, _POPPED, 0, 0, {}))
            counts = dict(old[4])
            for caller, count in callers.items():
                counts[caller] = counts.get(caller, 0) + count
            table[name] = (calls + old[0], old[1], internal + old[2], total + old[3], counts)

    # -- events, where they do not fit the stack: profiling began in the middle of something ---

    def _called(self, frame: Any, t: Any) -> Any:
        if self.cur and not self._return_to(frame.f_back):
            return 0
        return _Standard.trace_dispatch_call(self, frame, t)

    def _c_called(self, frame: Any, t: Any) -> Any:
        if not self._return_to(frame):
            return 0
        return _Standard.trace_dispatch_c_call(self, frame, t)

    def _return_to(self, caller: Any) -> bool:
        """Count what stands above a caller as returned.

        Returns:
            Whether its call counts. That of a finalizer does not if the collector ran it when
            a function had begun and its own call was not told yet.
        """
        if self.cur[-2] is caller or _is_root(self.cur):
            return True
        entry, above = self.cur, 0
        while not _is_root(entry) and entry[-2] is not caller:
            entry, above = entry[-1], above + 1
        if _is_root(entry) and self._has_on_stack(caller.f_back):
            return False
        for _ in range(above):
            _pop(self)
        return True

    def _has_on_stack(self, frame: Any) -> bool:
        """Whether a function or one of its callers is on the stack."""
        frames = set()
        entry = self.cur
        while not _is_root(entry):
            frames.add(entry[-2])
            entry = entry[-1]
        while frame is not None and frame not in frames:
            frame = frame.f_back
        return frame is not None

    def _returned(self, frame: Any, t: Any) -> Any:
        entry, above = self.cur, 0
        while entry[-2] is not frame or _is_c_function(entry):
            if _is_root(entry):
                return 0
            entry, above = entry[-1], above + 1
        for _ in range(above):
            _pop(self)
        return _Standard.trace_dispatch_return(self, frame, t)

    def _c_returned(self, frame: Any, t: Any) -> Any:
        if self.cur[-2] is not frame or not _is_c_function(self.cur):
            return 0
        return _Standard.trace_dispatch_return(self, frame, t)

    def _raised(self, frame: Any, t: Any) -> Any:
        if self.cur[-2] is not frame:
            return 0
        return _Standard.trace_dispatch_exception(self, frame, t)

    dispatch = {
        "call": _called,
        "c_call": _c_called,
        "return": _returned,
        "c_return": _c_returned,
        "c_exception": _c_returned,
        "exception": _raised,
    }


def run(statement: Any, filename: str | None = None, sort: str | int = -1) -> None:
    """Profile a statement in the namespace of `__main__`; print the table or write it.

    Args:
        statement: what `exec` takes.
        filename: a file for `pstats`; None prints.
        sort: the order, as for `pstats.Stats.sort_stats`.
    """
    names = vars(sys.modules["__main__"])
    _run(statement, names, names, filename, sort)


def runctx(
    statement: Any, globals: dict[str, Any], locals: Any, filename: str | None = None
) -> None:
    """Profile a statement in these namespaces; print the table or write it. See `run`."""
    _run(statement, globals, locals, filename, -1)


def _run(
    statement: Any, names: dict[str, Any], locals: Any, filename: str | None, sort: str | int
) -> None:
    profiler = Profile()
    try:
        profiler.runctx(statement, names, locals)
    except SystemExit:
        pass  # a program's way to end: the table is wanted all the same
    if filename is None:
        profiler.print_stats(sort)
    else:
        profiler.dump_stats(filename)


# An entry of the stack is a tuple (..., function, frame, entry below). A function is a tuple
# (file, line, name); C functions have no file, and the frame of their caller.


def _is_root(entry: Any) -> bool:
    """Whether the entry stands for no call that we saw, but for a statement or a greenlet."""
    return isinstance(entry[-2], _Standard.fake_frame)


def _is_c_function(entry: Any) -> bool:
    return bool(entry[-3][0] == "")


def _pop(profiler: Profile) -> None:
    _Standard.trace_dispatch_return(profiler, profiler.cur[-2], 0)
