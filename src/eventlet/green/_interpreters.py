"""Sub-interpreters run their code in OS threads: green threads are of the main one alone.

Whoever makes a sub-interpreter run something, an `InterpreterPoolExecutor` for one, parks
until it is done. In the calling OS thread no green thread could run meanwhile, and code that
waits for one of them would wait for ever.
"""

import importlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from eventlet._core.current import existing_hub
from eventlet._thread_pool import ThreadPool

__all__ = ["patch_interpreters"]

_RUNNING = ("call", "exec", "run_func", "run_string")

_runners = ThreadPool(limit=1000)  # code may run for ever: threads on demand


def patch_interpreters(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Have sub-interpreters run in OS threads. Nothing to do before Python 3.13.

    Args:
        set_attribute: like `setattr`; remembers the change.
    """
    try:
        real = importlib.import_module("_interpreters")
    except ImportError:
        return
    for name in _RUNNING:
        if hasattr(real, name):
            set_attribute(real, name, _in_os_thread(getattr(real, name)))


def _in_os_thread(ordinary: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(ordinary)
    def run(*args: Any, **kwargs: Any) -> Any:
        if existing_hub() is None:
            return ordinary(*args, **kwargs)
        return _runners.run(ordinary, *args, **kwargs)

    return run
