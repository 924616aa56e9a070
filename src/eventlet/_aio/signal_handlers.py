"""The signal handlers of several loops in one process.

The standard loop writes signals to the one wake-up descriptor there is, so of two loops only
one would hear. Ours use plain Python handlers, which run in the main OS thread and write to
the loop's own descriptor. Per signal the newest handler counts; when a loop takes its handler
back, the one before it counts again, in whatever order the loops end.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from eventlet._core.fork import call_in_child
from eventlet._unpatched import getpid

__all__ = ["add", "remove", "remove_all"]


@dataclass
class _Stack:
    """The handlers of one signal, oldest first, on top of what there was before.

    Attributes:
        before: what `signal.signal` returned at the first of them.
        entries: pairs (loop, what to call).
    """

    before: Any
    entries: list[tuple[object, Callable[[], object]]] = field(default_factory=list)
    pid: int = field(default_factory=getpid)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.pid != getpid():  # of a child that has not come to let go of it
            _give_back(signum)
            os.kill(getpid(), signum)
        elif self.entries:
            self.entries[-1][1]()


_stacks: dict[int, _Stack] = {}


def add(sig: int, loop: object, call: Callable[[], object]) -> None:
    """Have `call()` called after each signal `sig` until `loop` takes it back.

    Raises:
        RuntimeError: not in the main OS thread, or the signal cannot be caught.
        ValueError: there is no such signal.
    """
    if not isinstance(sig, int):
        raise TypeError(f"sig must be an int, not {sig!r}")
    if sig not in signal.valid_signals():
        raise ValueError(f"invalid signal number {sig}")
    stack = _stacks.get(sig)
    installed: Any = signal.getsignal(sig)
    if stack is None or installed is not stack:
        stack = _Stack(None)
        try:
            stack.before = signal.signal(sig, stack)
        except (ValueError, OSError) as exc:
            raise RuntimeError(f"sig {sig} cannot be caught: {exc}") from exc
        signal.siginterrupt(sig, False)
        _stacks[sig] = stack
        call_in_child(_give_all_back)
    stack.entries = [entry for entry in stack.entries if entry[0] is not loop] + [(loop, call)]


def remove(sig: int, loop: object) -> bool:
    """Take back the handler of a loop; tell whether there was one."""
    stack = _stacks.get(sig)
    if stack is None or all(entry[0] is not loop for entry in stack.entries):
        return False
    stack.entries = [entry for entry in stack.entries if entry[0] is not loop]
    if not stack.entries:
        _give_back(sig)
    return True


def remove_all(loop: object) -> None:
    """Take back every handler of a loop."""
    for sig in list(_stacks):
        remove(sig, loop)


def _give_back(sig: int) -> None:
    stack = _stacks.pop(sig, None)
    installed: Any = signal.getsignal(sig)
    if stack is not None and installed is stack:  # else somebody else has taken the signal since
        signal.signal(sig, signal.SIG_DFL if stack.before is None else stack.before)


def _give_all_back() -> None:
    """Forget the loops of the process that forked this one: they run there only."""
    for sig in list(_stacks):
        _give_back(sig)
