"""Run a standard module's own code over other imports: the loader of derived modules.

A *derived module* is the code object of an existing module, taken from that module's loader
and executed in another namespace, where `import` follows an *import map* (name -> what stands
in for it). Nothing is copied into our tree and `sys.modules` is never swapped: other threads
that import meanwhile see nothing.

Theory of operation

The namespace gets a `__builtins__` dictionary of its own. Python takes a function's builtins
from the globals it is defined in, so the map also holds for an `import` inside a function or
method that runs later. Two builtins differ from the ordinary ones:

`__import__` resolves the name (relative ones against the package the code came from, not the
    one it now lives in) and asks the map first. A name that neither the map nor any name of
    the map below the same top package concerns goes to the ordinary import at once.

`__build_class__` does not build an exception class that the source module has under the same
    qualified name: it returns that one. Exception classes are thereby shared from the start,
    in subclasses, in tuples such as `ftplib.all_errors` and nested as `imaplib.IMAP4.error`.
    Rebinding names afterwards would miss those.

`import a.b` binds `a` and expects `a.b` to be the stand-in. Where the map has `a.b` but not
`a`, a *facade* of the real `a` carries it, because the real one is not ours to change.

Limits: the builtins are a copy taken when the module is derived, so a later assignment to the
`builtins` module is not seen; types written in C are the same objects as ever.
"""

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

__all__ = ["Facade", "ImportMap", "build_builtins", "code_of", "derive", "overlay", "run", "share"]

Namespace = dict[str, Any]
"""The globals of a module, by name."""


class ImportMap(Mapping[str, str | ModuleType]):
    """What stands in for which module.

    Keys are dotted module names. A value is the stand-in itself or its dotted name, which is
    imported when it is first asked for.
    """

    def __init__(self, entries: Mapping[str, str | ModuleType]) -> None:
        self._entries = dict(entries)
        self._tops = frozenset(name.partition(".")[0] for name in self._entries)
        self._facades: dict[str, ModuleType] = {}

    def __getitem__(self, name: str) -> str | ModuleType:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def concerns(self, name: str) -> bool:
        """Tell whether the import of this absolute name may lead to a stand-in."""
        return name.partition(".")[0] in self._tops

    def original_name(self, name: str) -> str:
        """Return the name under which the ordinary import knows this module."""
        return name

    def find(self, name: str) -> ModuleType | None:
        """Return the stand-in for this absolute name, imported; `None` when it has none."""
        target = self._entries.get(name)
        if target is None or isinstance(target, ModuleType):
            return target
        return importlib.import_module(target)

    def import_module(self, name: str) -> ModuleType:
        """Import an absolute dotted name and return that module, not its top package."""
        return self.import_chain(name)[-1]

    def import_chain(self, name: str) -> list[ModuleType]:
        """Import every module on a dotted path, outermost first, each bound in the one before."""
        parts = name.split(".")
        names = [".".join(parts[: end + 1]) for end in range(len(parts))]
        chain = [self._load(each) for each in names]
        for inner in range(len(chain) - 1, 0, -1):
            chain[inner - 1] = self._bind(names[inner - 1], chain[inner - 1], names[inner])
        return chain

    def import_members(self, name: str, members: Sequence[str]) -> ModuleType:
        """Import a module for `from name import members`, with submodules among the members."""
        module = self.import_module(name)
        if "*" in members:
            members = [*(m for m in members if m != "*"), *getattr(module, "__all__", ())]
        for member in members:
            module = self._bind_member(name, module, member)
        return module

    def _load(self, name: str) -> ModuleType:
        facade = self._facades.get(name)
        if facade is not None:
            return facade
        found = self.find(name)
        return importlib.import_module(name) if found is None else found

    def _bind_member(self, name: str, module: ModuleType, member: str) -> ModuleType:
        submodule = f"{name}.{member}"
        stand_in = submodule in self
        if not stand_in and (hasattr(module, member) or not hasattr(module, "__path__")):
            return module
        try:
            self._load(submodule)
        except ModuleNotFoundError as exc:
            if exc.name != submodule:
                raise
            return module  # the import statement itself says that the member is missing
        return self._bind(name, module, submodule)

    def _bind(self, parent_name: str, parent: ModuleType, name: str) -> ModuleType:
        """Make a loaded submodule visible on its parent, or on a facade of a real parent."""
        child = self._load(name)
        attribute = name.rpartition(".")[2]
        missing = object()
        present = _stored(parent, attribute, missing)
        if present is child:
            return parent
        if parent is not sys.modules.get(parent_name):
            if present is missing:  # a name the package gave itself is not ours to replace
                setattr(parent, attribute, child)
            return parent
        if self.find(name) is None:
            return parent
        facade = self._facades.setdefault(parent_name, Facade(parent))
        vars(facade)[attribute] = child
        return facade


def _stored(module: ModuleType, attribute: str, default: object) -> Any:
    """Look up an attribute that is there, without having the module make it: it may import."""
    names = vars(module)
    if attribute in names or not isinstance(module, Facade):
        return names.get(attribute, default)
    return _stored(names["_real"], attribute, default)


class Facade(ModuleType):
    """Stand in for a real module, some of whose attributes are other ones.

    Everything else is read from the real module and written to it.
    """

    def __init__(self, real: ModuleType, **replaced: Any) -> None:
        super().__init__(real.__name__, real.__doc__)
        own = vars(self)
        for dunder in ("__file__", "__package__", "__path__", "__spec__", "__loader__"):
            if hasattr(real, dunder):
                own[dunder] = getattr(real, dunder)
        own["_real"] = real
        own.update(replaced)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._real, attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(self._real, attribute, value)

    def __delattr__(self, attribute: str) -> None:
        delattr(self._real, attribute)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._real)})


def derive(
    namespace: Namespace, name: str, import_map: ImportMap, same: Sequence[str] = ()
) -> None:
    """Fill a module's namespace by running the code of another module over an import map.

    Args:
        namespace: the `globals()` of the green module.
        name: dotted name of the module whose code runs; it is only imported itself when it
            defines exception classes, which the two share.
        import_map: what its import statements give, now and inside its functions later.
        same: names of classes that are taken over like exception classes.

    Raises:
        ModuleNotFoundError: this Python has no such module.
        ImportError: the module has no Python code (it is built in, or an extension).
    """
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    code = code_of(name, spec.loader)
    run(code, namespace, package, import_map, name, same)


def share(namespace: Namespace, name: str) -> None:
    """Fill a module's namespace with the objects of another module, for one that never waits.

    Taken from the module's dictionary, because `__all__` leaves public names out. Names with
    two leading underscores and the package's own submodules stay away, but `__all__` and
    `__patched__` come.
    """
    source = importlib.import_module(name)
    below = f"{name}."
    for attribute, value in vars(source).items():
        if attribute.startswith("__") and attribute not in ("__all__", "__patched__"):
            continue
        if isinstance(value, ModuleType) and value.__name__.startswith(below):
            continue
        namespace[attribute] = value


def overlay(namespace: Namespace, written: ModuleType) -> None:
    """Put the names in a module's `__all__` over those that a namespace has already."""
    for name in written.__all__:
        namespace[name] = getattr(written, name)


def run(
    code: CodeType,
    namespace: Namespace,
    package: str,
    import_map: ImportMap,
    errors_from: str | None = None,
    same: Sequence[str] = (),
) -> None:
    """Run a module's code in a namespace over an import map; see `build_builtins`."""
    namespace["__builtins__"] = build_builtins(namespace, package, import_map, errors_from, same)
    exec(code, namespace)  # noqa: S102 - the code of an importable module, as import does


def code_of(name: str, loader: Any) -> CodeType:
    """Return the code object of a module from its loader.

    Raises:
        ImportError: there is none; the module is written in C.
    """
    get_code = getattr(loader, "get_code", None)
    code = None if get_code is None else get_code(name)
    if code is None:
        raise ImportError(f"{name} has no Python code to derive from; it is written in C")
    assert isinstance(code, CodeType)
    return code


def build_builtins(
    namespace: Namespace,
    package: str,
    import_map: ImportMap,
    errors_from: str | None = None,
    same: Sequence[str] = (),
) -> Namespace:
    """Build the builtins of a derived namespace: the ordinary ones with two replaced.

    Args:
        namespace: the globals that the code will run in.
        package: the package against which its relative imports are resolved.
        import_map: what its imports give.
        errors_from: name of the module whose exception classes are taken over; `None` to let
            the code build its own.
        same: qualified names of other classes that are taken over from that module.
    """
    replaced: Namespace = {"__import__": _importer(namespace, package, import_map)}
    if errors_from is not None:
        replaced["__build_class__"] = _class_builder(errors_from, frozenset(same))
    return {**vars(builtins), **replaced}


def _importer(
    namespace: Namespace, package: str, import_map: ImportMap
) -> Callable[..., ModuleType]:
    ordinary_import = builtins.__import__

    def __import__(  # noqa: A001, N807 - stands in for the builtin, in tracebacks too
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            here = package if globals is None or globals is namespace else _package_of(globals)
            name = _absolute(name, import_map.original_name(here), level)
        else:
            name = import_map.original_name(name)
        if not import_map.concerns(name):
            return ordinary_import(name, globals, locals, fromlist or (), 0)
        if fromlist:
            return import_map.import_members(name, fromlist)
        return import_map.import_chain(name)[0]

    return __import__


def _package_of(namespace: Mapping[str, Any]) -> str:
    package = namespace.get("__package__")
    if package is None:
        name: str = namespace.get("__name__", "")
        package = name if "__path__" in namespace else name.rpartition(".")[0]
    assert isinstance(package, str)
    return package


def _absolute(name: str, package: str, level: int) -> str:
    if not package:
        raise ImportError("attempted relative import with no known parent package")
    base = package.split(".")
    if level > len(base):
        raise ImportError("attempted relative import beyond top-level package")
    kept = base[: len(base) - level + 1]
    return ".".join([*kept, name] if name else kept)


def _class_builder(source: str, same: frozenset[str]) -> Callable[..., Any]:
    ordinary_build = builtins.__build_class__

    def __build_class__(  # noqa: A001, N807 - stands in for the builtin
        func: Callable[[], Any], name: str, /, *bases: Any, **keywords: Any
    ) -> Any:
        is_error = any(isinstance(base, type) and issubclass(base, BaseException) for base in bases)
        if is_error or func.__qualname__ in same:
            found: Any = importlib.import_module(source)
            for part in func.__qualname__.split("."):
                found = getattr(found, part, None)
            if isinstance(found, type) and issubclass(found, BaseException) is is_error:
                return found
        return ordinary_build(func, name, *bases, **keywords)

    return __build_class__
