"""Private copies of modules that import the green standard library: `import_patched`.

Theory of operation

`PrivateCopies` is an import map that makes its stand-ins as they are asked for. The module
the user named, and the package it is in, run again under a private name; so does each pure
Python package it imports, for code is only as green as what it calls. Two kinds of package
are shared with the rest of the program instead:

- one that is loaded already and uses, itself or through others, nothing that waits: it may
  hold state that the program has set;
- one with parts in C, which cannot be loaded twice.

The standard library comes from the green table or is shared. What the user hands over as an
additional module stands in for that name and all below it.

A copy lives in `sys.modules` as `__patched_module_<name>`, which is its `__name__`: string
annotations of dataclasses and pickle look classes up there. No other entry is touched.
Loggers keep their ordinary names.

Each copy is loaded once; a second green thread that imports it meanwhile parks until it is
whole, except when the loading one waits for that second thread in turn, as in an import
cycle over two threads: then it gets the module as it is, like anybody inside a cycle.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, FunctionType, ModuleType
from typing import Any

import greenlet

from eventlet._core.current import get_hub
from eventlet._core.wait_queue import WaitQueue
from eventlet._derive import Facade, ImportMap, code_of, run
from eventlet._patching.table import GREEN, WAITING, WRITTEN
from eventlet._unpatched import Mutex

__all__ = ["PREFIX", "PrivateCopies"]

PREFIX = "__patched_module_"
ALWAYS_SHARED = frozenset({"__main__", "eventlet", "greenlet"})


class PrivateCopies(ImportMap):
    """The green table, additional modules, and a private copy of whatever else needs one."""

    def __init__(self, additional: Mapping[str, ModuleType]) -> None:
        import logging  # takes its time, and only private copies need it

        self._loggers = logging.getLogger
        ours = {
            "logging": Facade(logging, getLogger=self._get_logger),
            "importlib": Facade(importlib, import_module=self._import_module),
        }
        super().__init__({**ours, **GREEN, **additional})
        self._additional = frozenset(additional)
        self._roots: set[str] = set()
        self._private_tops: dict[str, str] = {}
        self._copies: dict[str, _Copy] = {}
        self._copied_tops: dict[str, bool] = {}
        self._blocked: dict[greenlet.greenlet, _Copy] = {}

    def import_target(self, name: str) -> ModuleType:
        """Return the green or private form of the module that the user named."""
        if name in self._additional or name in WRITTEN:
            return self.import_module(name)
        if name in GREEN and not self._additional:
            return self.import_module(name)
        top = name.partition(".")[0]
        self._roots.add(name if top in sys.stdlib_module_names else top)
        return self.import_module(name)

    def original_name(self, name: str) -> str:
        """Return the ordinary name of a private copy; any other name as it is."""
        if not name.startswith(PREFIX):
            return name
        top, dot, rest = name.partition(".")
        for ordinary, private in self._private_tops.items():
            if private == top:
                return f"{ordinary}{dot}{rest}"
        return name

    def concerns(self, name: str) -> bool:
        """Tell whether this import may lead to a stand-in or a copy."""
        return super().concerns(name) or self._is_copied(name)

    def find(self, name: str) -> ModuleType | None:
        """Return the stand-in or the private copy, loaded; `None` for what is shared."""
        if name in self and not self._is_root(name):
            return super().find(name)
        return self._copy(name) if self._is_copied(name) else None

    def _is_root(self, name: str) -> bool:
        return any(name == root or name.startswith(f"{root}.") for root in self._roots)

    def _is_copied(self, name: str) -> bool:
        if self._is_root(name):
            return True
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in ALWAYS_SHARED:
            return False
        if any(name.startswith(f"{given}.") or name == given for given in self._additional):
            return False
        copied = self._copied_tops.get(top)
        if copied is None:
            copied = self._copied_tops.setdefault(top, _needs_copy(top))
        return copied

    def _copy(self, name: str) -> ModuleType | None:
        while True:
            mine = _Copy(greenlet.getcurrent())
            copy = self._copies.setdefault(name, mine)
            if copy is mine:
                self._load_copy(name, copy)
                return copy.module
            if not copy.is_done:
                self._wait_for(copy)
            if self._copies.get(name) is copy:
                return copy.module

    def _load_copy(self, name: str, copy: "_Copy") -> None:
        try:
            self._run_copy(name, copy)
        except BaseException:
            del self._copies[name]
            raise
        finally:
            _chosen.discard(self._private_tops.get(name.partition(".")[0], ""))
            copy.is_done = True
            copy.waiters.wake_all()

    def _run_copy(self, name: str, copy: "_Copy") -> None:
        spec = self._spec_of(name)
        private = self._private_name(name)
        copy.module = sys.modules.get(private)
        if copy.module is not None:  # its package put it there by itself
            return
        if spec is None:
            copy.module = self._provided(name, private)
            return
        code = None
        if spec.loader is not None:
            try:
                code = code_of(name, spec.loader)
            except ImportError:  # in C: shared, under its ordinary name
                return
        module = copy.module = _new_module(private, spec)
        sys.modules[private] = module
        if code is not None:
            self._run(name, code, module)
        copy.module = sys.modules.get(private, module)  # a module may replace itself
        self._bind_copy(name, copy.module)

    def _provided(self, name: str, private: str) -> ModuleType:
        """Import what the copy of a package provides itself, by a finder that knows its name.

        Raises:
            ModuleNotFoundError: there is no such module.
        """
        parent = sys.modules.get(private.rpartition(".")[0])
        if parent is None or _find_spec(private, getattr(parent, "__path__", None)) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.import_module(private)

    def _spec_of(self, name: str) -> ModuleSpec | None:
        parent_name, _, _ = name.rpartition(".")
        if name.partition(".")[0] in sys.stdlib_module_names:
            return importlib.util.find_spec(name)
        if not parent_name:
            return _find_spec(name, None)
        parent = self._load(parent_name)
        if not hasattr(parent, "__path__"):
            message = f"No module named {name!r}; {parent_name!r} is not a package"
            raise ModuleNotFoundError(message, name=name)
        return _find_spec(name, parent.__path__)

    def _run(self, name: str, code: CodeType, module: ModuleType) -> None:
        is_standard = name.partition(".")[0] in sys.stdlib_module_names
        namespace = vars(module)
        package = self.original_name(namespace["__package__"])
        try:
            run(code, namespace, package, self, errors_from=name if is_standard else None)
        except BaseException:
            sys.modules.pop(module.__name__, None)
            raise

    def _bind_copy(self, name: str, module: ModuleType) -> None:
        parent_name, _, attribute = name.rpartition(".")
        if not parent_name:
            return
        private_parent = self._private_name(parent_name)
        parent = sys.modules.get(private_parent)
        if parent is None:  # a module of the standard library, copied without its package
            parent = sys.modules[private_parent] = Facade(self._load(parent_name))
        vars(parent)[attribute] = module

    def _private_name(self, name: str) -> str:
        top, dot, rest = name.partition(".")
        private = self._private_tops.get(top)
        if private is None:
            private = self._choose_name(top)
        return f"{private}{dot}{rest}"

    def _choose_name(self, top: str) -> str:
        """Choose a name that nobody else has, nor is about to use in another OS thread."""
        with _choosing:
            chosen = self._private_tops.get(top)
            if chosen is not None:
                return chosen
            private, number = f"{PREFIX}{top}", 2
            while private in _chosen or any(
                each.partition(".")[0] == private for each in tuple(sys.modules)
            ):
                private, number = f"{PREFIX}{number}_{top}", number + 1
            self._private_tops[top] = private
            _chosen.add(private)
            return private

    def _wait_for(self, copy: "_Copy") -> None:
        me = greenlet.getcurrent()
        holder: _Copy | None = copy
        while holder is not None:
            if holder.owner is me:
                return
            holder = self._blocked.get(holder.owner)
        hub = get_hub()
        ticket = hub.ticket()
        copy.waiters.append(ticket)
        self._blocked[me] = copy
        try:
            if not copy.is_done:
                hub.park(ticket)
        finally:
            del self._blocked[me]
            copy.waiters.discard(ticket)

    def _get_logger(self, name: str | None = None) -> Any:
        """Return the logger of that name; a private copy gets its ordinary one."""
        return self._loggers(None if name is None else self.original_name(name))

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        """Import a module as code under this map would, relative to `package`."""
        if name.startswith("."):
            name = importlib.util.resolve_name(name, self.original_name(package or ""))
        return self.import_module(self.original_name(name))


_choosing = Mutex()
_chosen: set[str] = set()
"""Names of copies that are not in `sys.modules` yet."""


class _Copy:
    """The loading of one private copy: who does it, and who waits for it."""

    def __init__(self, owner: greenlet.greenlet) -> None:
        self.owner = owner
        self.module: ModuleType | None = None
        self.is_done = False
        self.waiters = WaitQueue()


def _find_spec(name: str, path: Any) -> ModuleSpec | None:
    """Find a module without importing its parent, as `importlib.util.find_spec` would."""
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path, None)
        except KeyError:
            if path is None or name.rpartition(".")[0] in sys.modules:
                raise
            spec = _namespace_spec(name, path)  # it wants to ask the parent for its path
        if spec is not None:
            return spec
    return None


def _namespace_spec(name: str, path: Any) -> ModuleSpec:
    """Make the spec of folders without code, in a package that only its copy has loaded."""
    spec = ModuleSpec(name, None, is_package=True)
    folders = (os.path.join(each, name.rpartition(".")[2]) for each in path)
    spec.submodule_search_locations = [folder for folder in folders if os.path.isdir(folder)]
    return spec


def _new_module(private: str, spec: ModuleSpec) -> ModuleType:
    loader = spec.loader
    for kind in (SourceFileLoader, SourcelessFileLoader):
        if type(loader) is kind:  # these refuse to serve another name than their own
            loader = kind(private, loader.path)
    locations = spec.submodule_search_locations
    own = ModuleSpec(private, loader, origin=spec.origin, is_package=locations is not None)
    if locations is not None:
        own.submodule_search_locations = list(locations)
    own.has_location = spec.has_location
    own.cached = spec.cached
    module = ModuleType(private)
    names = vars(module)
    names.update(__spec__=own, __loader__=loader, __package__=own.parent)
    if own.submodule_search_locations is not None:
        names["__path__"] = own.submodule_search_locations
    if own.has_location:
        names.update(__file__=own.origin, __cached__=own.cached)
    return module


def _needs_copy(top: str) -> bool:
    """Tell whether a package must be copied to be green, and can be."""
    spec = _find_spec(top, None)
    if spec is None or _has_compiled_parts(spec):
        return False
    return top not in sys.modules or _waits(top)


def _has_compiled_parts(spec: ModuleSpec) -> bool:
    suffixes = tuple(EXTENSION_SUFFIXES)
    if spec.origin is not None and spec.origin.endswith(suffixes):
        return True
    return any(
        name.endswith(suffixes)
        for location in spec.submodule_search_locations or ()
        for _folder, _folders, names in os.walk(location)
        for name in names
    )


def _waits(top: str) -> bool:
    """Tell whether a loaded package uses a waiting module, itself or through others."""
    seen: set[str] = set()
    todo = [top]
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        for used in _used_modules(package):
            if used in WAITING:
                return True
            used_top = used.partition(".")[0]
            if used_top not in sys.stdlib_module_names:
                todo.append(used_top)
    return False


def _used_modules(package: str) -> Iterator[str]:
    """Name the modules that the loaded modules of a package refer to."""
    inside = f"{package}."
    for name, module in tuple(sys.modules.items()):
        if name != package and not name.startswith(inside):
            continue
        for value in tuple(vars(module).values()):
            yield from _origins(value)


def _origins(value: Any) -> Iterator[str]:
    if isinstance(value, ModuleType):
        yield value.__name__
        return
    for made_of in value.__mro__ if isinstance(value, type) else (value,):
        home = getattr(made_of, "__module__", None)
        if isinstance(home, str):
            yield home
    members = tuple(vars(value).values()) if isinstance(value, type) else (value,)
    for member in members:
        if isinstance(member, FunctionType):
            yield from _imported_in(member.__code__)


def _imported_in(code: CodeType) -> Iterator[str]:
    """Name the waiting modules that a function imports when it runs."""
    if not WAITING.isdisjoint(code.co_names):
        import dis  # takes its time

        for step in dis.get_instructions(code):
            if step.opname == "IMPORT_NAME":
                yield step.argval
