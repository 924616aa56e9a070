"""The import machinery under patching: its one lock, forks, and modules in C loaded again.

The lock that importing takes for a moment, and `imp.acquire_lock` for as long as one likes, is
owned by an OS thread: to C, all green threads of one are the same owner. So a re-entrant lock
of a green thread stands before it. A fork takes that first, as C does with its own: a child
never finds a module half made by somebody who holds the lock.

A module in C that is removed from `sys.modules` and imported again brings new types. Those
that patching has changed are kept instead.
"""

import _imp as real
import _queue
import os
from collections.abc import Callable
from typing import Any

from eventlet._core.current import existing_hub
from eventlet._core.waiting import is_ending
from eventlet._unpatched import rlock_type

__all__ = ["patch_imports"]

_CHANGED = {"_queue": {name: getattr(_queue, name) for name in ("Empty", "SimpleQueue")}}
"""What patched types are called in which module; exceptions that their methods raise."""


class _Forks:
    """What a fork does while `_imp` is patched: take the lock, and give it up after that."""

    def __init__(self) -> None:
        self.is_watching = False
        self.acquire_lock: Any = None
        self.take: Callable[[], None] = _do_nothing
        self.let_go: Callable[[], None] = _do_nothing

    def before(self) -> None:
        if real.acquire_lock is self.acquire_lock:
            self.take()

    def after(self) -> None:
        self.let_go()

    def watch(self) -> None:
        if not self.is_watching:
            self.is_watching = True
            os.register_at_fork(
                before=self.before, after_in_parent=self.after, after_in_child=self.after
            )


def _do_nothing() -> None:
    """Stand in for what there is nothing to do for."""


_forks = _Forks()


def patch_imports(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Change what importing finds in `_imp`.

    Args:
        set_attribute: like `setattr`; remembers the change.
    """
    _forks.take, _forks.let_go = take, let_go = _make_lock()
    _forks.acquire_lock = acquire_lock = _acquiring(take, real.acquire_lock)
    set_attribute(real, "acquire_lock", acquire_lock)
    set_attribute(real, "release_lock", _releasing(let_go, real.release_lock))
    for name in ("exec_builtin", "exec_dynamic"):
        set_attribute(real, name, _with_types_kept(getattr(real, name)))
    _forks.watch()


def _make_lock() -> tuple[Callable[[], None], Callable[[], None]]:
    """Make the lock before that of C: how to own it, and how to give it up.

    Both can be called to the last, when modules have been emptied.
    """
    lock, hub_here, ending = rlock_type(), existing_hub, is_ending

    def take() -> None:
        hub = None if ending() else hub_here()
        lock.acquire(hub is None or hub.may_park())  # a hub goes on without it

    def let_go() -> None:
        if lock._is_owned():
            lock.release()

    return take, let_go


def _acquiring(take: Callable[[], None], ordinary: Callable[[], None]) -> Callable[[], None]:
    def acquire_lock() -> None:
        """Take the lock of the import machinery; park while another green thread has it."""
        take()
        ordinary()

    return acquire_lock


def _releasing(let_go: Callable[[], None], ordinary: Callable[[], None]) -> Callable[[], None]:
    def release_lock() -> None:
        """Give the lock of the import machinery back.

        Raises:
            RuntimeError: it is not held.
        """
        ordinary()
        let_go()

    return release_lock


def _with_types_kept(ordinary: Callable[[Any], Any]) -> Callable[[Any], Any]:
    changed = _CHANGED

    def execute(module: Any) -> Any:
        """Run the body of a module in C; types that are patched stay what they were."""
        result = ordinary(module)
        vars(module).update(changed.get(module.__name__, ()))
        return result

    return execute
