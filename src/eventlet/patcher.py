"""Make existing code green: private copies, pristine copies, and changes to real modules."""

import importlib
import sys
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from eventlet._derive import build_builtins
from eventlet._patching.ledger import LEDGER
from eventlet._patching.pristine import original
from eventlet._patching.table import DRIVERS, GREEN, ON_REQUEST, OPTIONAL, PATCHES, SWITCHES

if TYPE_CHECKING:
    from eventlet._patching.early import KeptOriginal
    from eventlet._patching.private import PrivateCopies

__all__ = [
    "already_patched",
    "import_patched",
    "inject",
    "is_monkey_patched",
    "kept_originals",
    "monkey_patch",
    "original",
    "patch_function",
    "slurp_properties",
    "unpatch",
]

P = ParamSpec("P")
R = TypeVar("R")

already_patched = LEDGER.switches
"""The switches of `monkey_patch` that are on in this process, each with the value True."""


def import_patched(
    module_name: str,
    *additional_modules: tuple[str, ModuleType],
    **kw_additional_modules: ModuleType,
) -> ModuleType:
    """Import a private copy of a module that uses the green standard library.

    The module's own package and the pure Python packages it imports are copied with it; the
    ordinary import of any of them is not affected. A further call with the same additional
    modules returns the same copy.

    Args:
        module_name: dotted name; that module is returned, not its top package.
        additional_modules: pairs (name, module): what else stands in for which module.
        kw_additional_modules: the same by keyword, for names without dots.
    """
    copies = _copies_with((*additional_modules, *kw_additional_modules.items()))
    return copies.import_target(module_name)


def inject(
    module_name: str,
    new_globals: MutableMapping[str, Any] | None,
    *additional_modules: tuple[str, ModuleType],
) -> ModuleType:
    """Import a private green copy of a module and put its names into another namespace.

    Args:
        module_name: as for `import_patched`.
        new_globals: gets every name of the copy that has no two leading underscores; `None`
            to get only the copy.
        additional_modules: as for `import_patched`.
    """
    module = import_patched(module_name, *additional_modules)
    if new_globals is not None:
        slurp_properties(module, new_globals)
    return module


def patch_function(
    func: Callable[P, R], *additional_modules: tuple[str, ModuleType]
) -> Callable[P, R]:
    """Return the function over the same globals, with green modules in its own imports.

    An import statement in its own body gives the green module or a private copy. It does not
    in functions defined inside it, which take their builtins from the shared globals.

    Args:
        func: a function written in Python.
        additional_modules: as for `import_patched`.
    """
    if not isinstance(func, FunctionType):
        raise TypeError(f"patch_function takes a function written in Python, not {func!r}")
    names = func.__globals__
    package = names.get("__package__") or names["__name__"].rpartition(".")[0]
    builtins = build_builtins(names, package, _copies_with(additional_modules))
    # A function takes its builtins from its globals when it is made, and only then.
    before = names["__builtins__"]
    names["__builtins__"] = builtins
    try:
        green = FunctionType(
            func.__code__, names, func.__name__, func.__defaults__, func.__closure__
        )
    finally:
        names["__builtins__"] = before
    green.__kwdefaults__ = func.__kwdefaults__
    green.__annotations__ = func.__annotations__
    green.__qualname__ = func.__qualname__
    green.__module__ = func.__module__
    green.__doc__ = func.__doc__
    green.__dict__.update(func.__dict__)
    return green


def slurp_properties(
    source: Any,
    destination: MutableMapping[str, Any],
    ignore: Iterable[str] = (),
    srckeys: Iterable[str] | None = None,
) -> None:
    """Copy the attributes of an object into a mapping.

    Args:
        source: usually a module.
        destination: usually the `globals()` of another.
        ignore: names that stay away, beside those with two leading underscores.
        srckeys: the names to copy; `None` for all.
    """
    keys = dir(source) if srckeys is None else srckeys
    unwanted = frozenset(ignore)
    for name in keys:
        if not name.startswith("__") and name not in unwanted:
            destination[name] = getattr(source, name)


def monkey_patch(**on: bool) -> None:
    """Replace blocking functions and classes of the standard library by green ones.

    Modules are changed in place, so everybody sees it who looks names up in them from now
    on; `from socket import socket` done before keeps the original. Calls add up, and a
    switch that is on stays as it is.

    Args:
        on: switches: `os`, `select`, `socket`, `thread`, `time`, `subprocess`, `builtins`
            (also `__builtin__`), `psycopg`, `MySQLdb`, and `all`. With `all` its value holds
            for those not named. Without, those not named are on if none is True, else off.
            `builtins` and `MySQLdb` are off unless named. One more, `remove_unpatchable`,
            does not count among them: it deletes what Eventlet 0.41 could not patch, such
            as `select.poll`, as far as `select` is patched, for programs that rely on that.
            `psycopg` is for psycopg2 and psycopg 3, which are changed when they are imported.
            It and `MySQLdb` stay off where those are not installed; a later call tries again.

    Raises:
        TypeError: there is no such switch.
    """
    wanted = dict(on)
    remove = wanted.pop("remove_unpatchable", False)
    switches = _chosen(wanted)
    from eventlet._patching.changes import apply  # takes its time, and is for those who patch

    apply(switches, remove)


def unpatch() -> None:
    """Undo all that `monkey_patch` has changed, for tests.

    What was made meanwhile stays as it is: green sockets and threads go on being green.

    Raises:
        RuntimeError: green or OS threads wait for locks that would become ordinary again
            under them.
    """
    if already_patched:
        from eventlet._patching.changes import undo  # loaded since then

        undo()


def is_monkey_patched(module: str | ModuleType) -> bool:
    """Tell whether a switch of `monkey_patch` is on, by its name or the module so named."""
    name = module.__name__ if isinstance(module, ModuleType) else module
    return name in already_patched


def kept_originals() -> "list[KeptOriginal]":
    """List the references to originals that modules took before `monkey_patch` was called.

    What is reached through one of them does not park. They come from `from time import sleep`
    and the like, from default arguments, attributes of classes and base classes. The remedy
    is to patch first.

    Returns:
        One entry (module, name, original) for each: names as texts.
    """
    from eventlet._patching.early import find_kept_originals  # for those who ask

    return find_kept_originals(LEDGER, sys.modules)


def _chosen(on: dict[str, bool]) -> list[str]:
    """Work out which switches a call of `monkey_patch` turns on, in the order of the table."""
    wanted = dict(on)
    if "__builtin__" in wanted:
        wanted["builtins"] = wanted.pop("__builtin__")
    default = wanted.pop("all") if "all" in wanted else not any(wanted.values())
    for name in wanted:
        if name not in SWITCHES:
            known = ", ".join(("all", *SWITCHES))
            raise TypeError(f"monkey_patch() has no switch {name!r}; it has {known}")
    return [
        switch for switch in SWITCHES if wanted.get(switch, default and switch not in ON_REQUEST)
    ]


_copies: "dict[frozenset[tuple[str, ModuleType]], PrivateCopies]" = {}


def _copies_with(additional: Iterable[tuple[str, ModuleType]]) -> "PrivateCopies":
    from eventlet._patching.private import PrivateCopies  # for those who ask

    given = dict(additional)
    key = frozenset(given.items())
    copies = _copies.get(key)
    return copies if copies is not None else _copies.setdefault(key, PrivateCopies(given))


def _green_modules(switch: str) -> list[tuple[str, ModuleType]]:
    """List the modules that a switch is about.

    Returns:
        Pairs (name of a real module, its green stand-in, whose `__patched__` has the names).
    """
    try:
        return [
            (patch.module, importlib.import_module(patch.green))
            for patch in (*PATCHES, *DRIVERS)
            if patch.switch == switch
            and (patch.module == switch or GREEN.get(patch.module) == patch.green)
        ]
    except ImportError:
        if switch not in OPTIONAL:
            raise
        return []


# Programs that undo patching name by name in a forked child ask these: oslo.privsep, for one.
_green_os_modules = partial(_green_modules, "os")
_green_select_modules = partial(_green_modules, "select")
_green_socket_modules = partial(_green_modules, "socket")
_green_thread_modules = partial(_green_modules, "thread")
_green_time_modules = partial(_green_modules, "time")
_green_subprocess_modules = partial(_green_modules, "subprocess")
_green_builtins = partial(_green_modules, "builtins")
_green_MySQLdb = partial(_green_modules, "MySQLdb")  # noqa: N816 - the name of the switch


def _run_script(arguments: list[str]) -> None:
    """Run a script in this process with everything patched."""
    from eventlet._patching.program import Program, run_program

    if not arguments:
        raise SystemExit("usage: python -m eventlet.patcher script [argument ...]")
    run_program(Program("path", arguments[0], arguments[1:]), monkey_patch)


if __name__ == "__main__":
    _run_script(sys.argv[1:])
