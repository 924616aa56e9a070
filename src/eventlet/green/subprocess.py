"""Green `subprocess`: the standard module over green pipes and a green `waitpid`."""

import io as _io
from typing import TYPE_CHECKING, Any

from eventlet._derive import Facade, ImportMap, derive
from eventlet._patching.table import GREEN, patched
from eventlet.greenio.pipes import GreenPipe


def _open_pipe(file: Any, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
    return GreenPipe(file, mode, buffering, **options)


if TYPE_CHECKING:
    from subprocess import *
else:
    derive(
        globals(),
        "subprocess",
        ImportMap({**GREEN, "io": Facade(_io, open=_open_pipe)}),
        same=("CompletedProcess", "STARTUPINFO"),
    )
    mswindows = _mswindows

    class Popen(Popen):  # the functions of the derived module find it by this name
        """A child process; waiting for it and talking to it parks the green thread."""

        def wait(self, timeout: float | None = None, check_interval: float = 0.01) -> int:
            """Park until the child has exited; return its status.

            Args:
                timeout: seconds; `None` waits for ever.
                check_interval: not used; old programs pass it.

            Raises:
                TimeoutExpired: the time was up first.
            """
            return super().wait(timeout)


__patched__ = patched(globals())
