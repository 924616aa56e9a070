"""Make the PostgreSQL drivers green, when they are imported: the switch `psycopg`.

Both wait for their server in C, and both have a way in. psycopg2 calls back when it would wait.
psycopg 3 waits in one function, `psycopg.waiting.wait`; the C form that it picks can be replaced
by its own forms over the `select` module, which may be a green one.

They are not imported for this: that takes a tenth of a second, and few programs use either. A
finder in `sys.meta_path` lets the others find the modules, and changes them once they are made.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, cast

from eventlet._patching.ledger import LEDGER
from eventlet.green import select, selectors
from eventlet.support.psycopg2_patcher import eventlet_wait_callback

__all__ = ["change_psycopg", "forget_psycopg"]


def change_psycopg() -> bool:
    """Change psycopg2 and psycopg, now or when they are imported; tell if either is there."""
    if not any(map(_is_installed, ("psycopg2", "psycopg"))):
        return False
    for name, change in _CHANGES.items():
        module = sys.modules.get(name)
        if module is not None:
            change(module)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    return True


def forget_psycopg() -> None:
    """Leave drivers alone that are imported from now on."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # a module without a spec, or a finder's word
        return False


class _WaitCallback:
    """The one callback of psycopg2, as an attribute that the ledger can set and put back."""

    __name__ = "psycopg2.extensions"

    def __init__(self, extensions: ModuleType) -> None:
        vars(self).update(extensions=extensions, wait_callback=extensions.get_wait_callback())

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)["extensions"].set_wait_callback(value)
        vars(self)[name] = value


def _change_psycopg2(extensions: ModuleType) -> None:
    if hasattr(extensions, "set_wait_callback"):  # 2.2 is the first version with it
        LEDGER.set(_WaitCallback(extensions), "wait_callback", eventlet_wait_callback)


def _change_psycopg3(waiting: ModuleType) -> None:
    own = getattr(waiting, "wait_poll", None) or getattr(waiting, "wait_selector", None)
    if own is None:
        return  # 3.0, which has no C form and waits with what `selectors` has
    LEDGER.set(waiting, "wait", own)
    LEDGER.set(waiting, "select", select)
    LEDGER.set(waiting, "DefaultSelector", selectors.DefaultSelector)


_CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "psycopg2.extensions": _change_psycopg2,
    "psycopg.waiting": _change_psycopg3,
}


class _Finder:
    """Finds nothing itself: wraps the loader that others find for the modules of `_CHANGES`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = _CHANGES.get(name)
        if change is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                found: ModuleSpec = spec
                found.loader = cast("Loader", _Loader(spec.loader, change))
                return found
        return None


_FINDER: Any = _Finder()


class _Loader:
    """Another loader, after whose work the module is changed."""

    def __init__(self, loader: Any, change: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._change = change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._change(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
