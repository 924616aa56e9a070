"""Green `subprocess`: the standard module over green pipes and a green `waitpid`."""

import io as _io
from typing import TYPE_CHECKING

from eventlet._derive import Facade, ImportMap, derive
from eventlet._patching.table import GREEN, patched
from eventlet.green._subprocess import (
    accept_interval,
    end_when_interrupted,
    note_kill,
    open_pipe,
    reap_what_was_killed,
)

if TYPE_CHECKING:
    from subprocess import *
else:
    derive(
        globals(),
        "subprocess",
        ImportMap({**GREEN, "io": Facade(_io, open=open_pipe)}),
        same=("CompletedProcess", "STARTUPINFO"),
    )
    Popen.wait = accept_interval(Popen.wait)
    Popen.__init__ = end_when_interrupted(Popen.__init__)
    Popen.kill = note_kill(Popen.kill)
    Popen.__exit__ = reap_what_was_killed(Popen.__exit__)
    mswindows = _mswindows

__patched__ = patched(globals())
