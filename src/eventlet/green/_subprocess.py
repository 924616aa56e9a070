"""What the code of `subprocess` needs beyond green imports, and how the real one gets both."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import wraps
from typing import Any

from eventlet._core.scope import shielded
from eventlet.greenio.pipes import GreenPipe
from eventlet.greenio.records import lend

__all__ = ["accept_interval", "end_when_interrupted", "note_kill", "open_pipe"]
__all__ += ["reap_what_was_killed", "unite"]

IMPORTS = ("_PopenSelector", "io", "os", "select", "selectors", "threading", "time")
"""The names by which the code of `subprocess` reaches everything that waits."""


def open_pipe(file: int, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
    """Open a green file where the code calls `io.open`."""
    if buffering == 1 and "b" in mode:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, "
            "the default buffer size will be used",
            RuntimeWarning,
            stacklevel=3,
        )
    return GreenPipe(file, mode, buffering, **options)


def accept_interval(ordinary: Callable[..., int]) -> Callable[..., int]:
    """Make a `Popen.wait` that takes the `check_interval` of old programs."""

    def wait(self: Any, timeout: float | None = None, check_interval: float = 0.01) -> int:
        """Park until the child has exited; return its status.

        Args:
            self: the process.
            timeout: seconds; `None` waits for ever.
            check_interval: not used; old programs pass it.

        Raises:
            TimeoutExpired: the time was up first.
        """
        return ordinary(self, timeout)

    return wait


def end_when_interrupted(ordinary: Callable[..., None]) -> Callable[..., None]:
    """Make a `Popen.__init__` that leaves no child behind when it is killed or timed out.

    It waits until the child has begun with its program. Nobody could reap a child whose
    object was never handed out, so that is ended. A cancelled scope is told at the next park.
    Green pipes and sockets that the child gets are lent to it.
    """
    look_up = inspect.signature(ordinary).bind

    @wraps(ordinary)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - as below
        with suppress(TypeError):  # the call says what is wrong
            _lend_files(look_up(self, *args, **kwargs).arguments)
        with shielded():
            try:
                ordinary(self, *args, **kwargs)
            except BaseException:
                if getattr(self, "_child_created", False) and self.returncode is None:
                    self.kill()
                    self.wait()
                raise

    return __init__


def _lend_files(arguments: Mapping[str, Any]) -> None:
    """Lend a child the files that it gets by the arguments of `Popen`."""
    given = [arguments.get(name) for name in ("stdin", "stdout", "stderr")]
    for file in (*given, *arguments.get("pass_fds", ())):
        number = file if isinstance(file, int) or file is None else file.fileno()
        if number is not None and number >= 0:
            lend(number)


def note_kill(ordinary: Callable[..., None]) -> Callable[..., None]:
    """Make a `Popen.kill` that remembers its call."""

    def kill(self: Any) -> None:
        """Send SIGKILL to the child."""
        self._was_killed = True
        ordinary(self)

    return kill


def reap_what_was_killed(ordinary: Callable[..., None]) -> Callable[..., None]:
    """Make a `Popen.__exit__` that waits for a child that was killed, whatever was cancelled.

    `run` and the like kill their child when they are interrupted, and leave the rest to this
    method. It is soon over. For a child that lives a wait can be cancelled like any other.
    """

    def __exit__(self: Any, *exc_info: Any) -> None:  # noqa: N807 - the method of that name
        with shielded() if getattr(self, "_was_killed", False) else nullcontext():
            ordinary(self, *exc_info)

    return __exit__


def unite(set_attribute: Callable[[Any, str, Any], None], real: Any, green: Any) -> None:
    """Make the real module green by its imports, and the green one another name of it.

    So there is one `Popen`, also for those who have imported or subclassed it already, and
    one list of processes that wait to be reaped.

    Args:
        set_attribute: like `setattr`; remembers the change.
        real: the standard module.
        green: `eventlet.green.subprocess`.
    """
    for name in IMPORTS:
        if hasattr(real, name):
            set_attribute(real, name, getattr(green, name))
    set_attribute(real.Popen, "wait", accept_interval(real.Popen.wait))
    set_attribute(real.Popen, "__init__", end_when_interrupted(real.Popen.__init__))
    set_attribute(real.Popen, "kill", note_kill(real.Popen.kill))
    set_attribute(real.Popen, "__exit__", reap_what_was_killed(real.Popen.__exit__))
    for name, value in tuple(vars(real).items()):
        if not name.startswith("__") and name not in IMPORTS:
            set_attribute(green, name, value)
