"""Plain asyncio loops in green threads of a program that is not patched.

A loop of the standard library waits in the selector it made, and that blocks the OS thread.
So from the first hub on, such loops are made with a selector that looks who waits: in a
green thread it parks on its own descriptor, and only that green thread waits; anywhere else
(the main greenlet, OS threads without a hub) it is the standard one. Loops that are given a
selector keep it, and so does a patched program, where the standard selector is green.

asyncio is changed in one place, the constructor of its selector loops, when both it and a
hub are there; it is never imported for that.
"""

import selectors
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from greenlet import getcurrent

from eventlet._core.current import call_at_first_hub, existing_hub, get_hub
from eventlet._core.thread import SpawnedGreenlet
from eventlet._loop_mark import note_selecting

__all__ = ["LoopSelector"]

_MODULE: Final = "asyncio.selector_events"
_Selected = list[tuple[selectors.SelectorKey, int]]


class LoopSelector(selectors.DefaultSelector):
    """The standard selector; in a green thread, only that green thread waits."""

    _is_closed = False

    def select(self, timeout: float | None = None) -> _Selected:
        """Wait until something is ready; return pairs (key, events).

        Args:
            timeout: seconds; 0 or less does not wait, `None` waits for ever.
        """
        if not isinstance(getcurrent(), SpawnedGreenlet):
            return super().select(timeout)
        note_selecting(self)
        hub = get_hub()
        deadline = None if timeout is None else hub.clock() + timeout
        hub.budget -= 1
        if hub.budget < 0:
            hub.spend()
        while True:
            ready = super().select(0)
            left = None if deadline is None else deadline - hub.clock()
            if ready or (left is not None and left <= 0):
                return ready
            hub.wait_foreign(self.fileno(), read=True, timeout=left)

    def close(self) -> None:
        """Close it; a green thread that waits for it gets EBADF. Again does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        hub = existing_hub()
        waited_on = None if hub is None else hub.descriptors.get(self.fileno())
        if waited_on is not None:
            waited_on.close()
        super().close()


class _Finder:
    """Sees asyncio being imported, once."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def execute_and_adapt(module: ModuleType) -> None:
                del loader.exec_module
                execute(module)
                _adapt(module)

            loader.exec_module = execute_and_adapt
        return spec


def _adapt_now_or_later() -> None:
    module = sys.modules.get(_MODULE)
    if module is not None:
        _adapt(module)
    elif not sys.is_finalizing():  # then there are no imports any more
        sys.meta_path.insert(0, _Finder())


def _adapt(module: ModuleType) -> None:
    loop_class = getattr(module, "BaseSelectorEventLoop", None)
    if loop_class is None or not hasattr(LoopSelector, "fileno"):
        return  # half imported; or a platform without a selector that can be waited for
    loop_class.__init__ = _with_loop_selector(loop_class.__init__)


def _with_loop_selector(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def init_with_loop_selector(self: Any, selector: Any = None) -> None:
        if selector is None and selectors.DefaultSelector is LoopSelector.__base__:
            selector = LoopSelector()
        init(self, selector)

    return init_with_loop_selector


call_at_first_hub(_adapt_now_or_later)
