"""Green `threading`: the standard module over green threads and locks."""

from typing import TYPE_CHECKING

from eventlet._derive import derive
from eventlet._patching.table import GREEN, patched
from eventlet.green import _forked_threads, _threading

if TYPE_CHECKING:
    from threading import *
else:
    import threading as _real_module

    derive(globals(), "threading", GREEN)

    Condition.wait = _threading.condition_wait
    if hasattr(Thread, "_wait_for_tstate_lock"):
        Thread._wait_for_tstate_lock = _threading.wait_for_sentinel(Thread._wait_for_tstate_lock)
    else:
        Thread._after_fork = _threading.with_fresh_handle(Thread._after_fork)
    excepthook = _threading.quiet_hook(excepthook)
    _GreenThread = _threading.green_thread_class(_DummyThread)
    current_thread = _threading.current_thread_for(globals())
    for _names in (vars(_real_module), globals()):
        _forked_threads.keep_threads(_names)
    del _names, _real_module

__patched__ = patched(globals())
