"""Pristine copies of standard modules: what `patcher.original` returns.

A module in Python runs again over imports that are pristine in turn, so nothing in it refers
to a patched name. A module in C has one instance in the process, and `os` holds the
environment: their copies are new module objects with what the ledger says was there before.

Programs written for Eventlet 0.41 import the copies by their private names
(`import __original_module_threading`), which were in `sys.modules` from the start. Where
patching is on, such an import makes the copy.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from eventlet._derive import ImportMap, code_of, run
from eventlet._patching.ledger import ABSENT, LEDGER
from eventlet._patching.old_locks import noted_sentinel
from eventlet._patching.table import WAITING

__all__ = ["PREFIX", "forget_originals", "offer_originals", "original"]

PREFIX = "__original_module_"
NOT_RUN_AGAIN = frozenset({"builtins", "importlib", "os", "sys"})


class _PristineImports(ImportMap):
    """Lead every module that patching reaches, itself or through others, to its copy."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys((*WAITING, "os"), ""))

    def find(self, name: str) -> ModuleType | None:
        return original(name) if name in self else None


def original(modname: str) -> ModuleType:
    """Return a separate copy of a module in which nothing is patched.

    The copy is made once and lives in `sys.modules` as `__original_module_<modname>`.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    private = f"{PREFIX}{modname}"
    copy = sys.modules.get(private)
    if copy is not None:
        return copy
    spec = importlib.util.find_spec(modname)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {modname!r}", name=modname)
    copy = ModuleType(private)
    copy.__spec__, copy.__loader__ = spec, spec.loader
    try:
        code = None if modname in NOT_RUN_AGAIN else code_of(modname, spec.loader)
    except ImportError:
        code = None
    if code is None:
        _fill_from_real(copy, modname)
        return sys.modules.setdefault(private, copy)
    names = vars(copy)
    is_package = spec.submodule_search_locations is not None
    package = modname if is_package else modname.rpartition(".")[0]
    if spec.has_location:
        names["__file__"] = spec.origin
    if is_package:
        names["__path__"] = spec.submodule_search_locations
    sys.modules[private] = copy
    try:
        run(code, names, package, _IMPORTS, errors_from=modname)
    except BaseException:
        sys.modules.pop(private, None)
        raise
    return copy


def _fill_from_real(copy: ModuleType, name: str) -> None:
    real = importlib.import_module(name)
    names = vars(copy)
    names.update((key, value) for key, value in vars(real).items() if key not in names)
    for key, value in LEDGER.pristine(real).items():
        if value is ABSENT:
            names.pop(key, None)
        else:
            names[key] = value
    if name == "_thread" and "_set_sentinel" in names:
        names["_set_sentinel"] = noted_sentinel  # its locks are patched, C releases them


_IMPORTS = _PristineImports()


def offer_originals() -> None:
    """Have copies found by `import`, too, from now on."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)


def forget_originals() -> None:
    """Have only `original` make copies again."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


class _Finder:
    """Finds `__original_module_<modname>`, and loads it by having the copy made."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(PREFIX):
            return None
        modname = name.removeprefix(PREFIX)
        is_known = modname and "." not in modname and importlib.util.find_spec(modname)
        return ModuleSpec(name, _LOADER) if is_known else None


class _Loader:
    """Loads what `_Finder` found; a copy keeps the spec of the module it is a copy of."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        copy = original(spec.name.removeprefix(PREFIX))
        self._specs[spec.name] = copy.__spec__
        return copy

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._specs.pop(module.__name__)


_LOADER: Any = _Loader()
_FINDER: Any = _Finder()
