"""Green `subprocess`: the standard module over green pipes and a green `waitpid`."""

import io as _io
from typing import TYPE_CHECKING

from eventlet._derive import Facade, ImportMap, derive
from eventlet._patching.table import GREEN, patched
from eventlet.green._subprocess import accept_interval, open_pipe

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
    mswindows = _mswindows

__patched__ = patched(globals())
