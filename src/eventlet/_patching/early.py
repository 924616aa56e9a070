"""Find who took what patching replaced before it did: `patcher.kept_originals`."""

import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from eventlet._patching.ledger import ABSENT, Ledger

__all__ = ["KeptOriginal", "find_kept_originals"]

HARMLESS: Final = frozenset(
    {
        *("_count", "_get_main_thread_ident", "_set_sentinel", "error", "exit", "exit_thread"),
        *("get_ident", "interrupt_main", "stack_size", "timeout"),
    }
)
"""Names whose originals do not wait."""

ON_PURPOSE: Final = frozenset(
    {
        ("asyncio.events", "_RunningLoop's base _local"),
        ("bz2", "_builtin_open"),
        ("ftplib", "_SSLSocket"),
        ("multiprocessing.resource_tracker", "ResourceTracker._stop_locked's default argument"),
        ("ssl", "create_connection"),
        ("ssl", "socket"),
        ("subprocess", "Popen._internal_poll's default argument"),
        ("subprocess", "_del_safe.waitpid"),
        ("subprocess", "_waitpid"),
        ("tarfile", "bltn_open"),
        ("threading", "__excepthook__"),
        ("tokenize", "_builtin_open"),
    }
)
"""References in the standard library that make no green thread block: (module, name).

Those to `open` are for files of certain kinds, which nobody has in a FIFO.
"""


class KeptOriginal(NamedTuple):
    """A reference to an original, somewhere in a module.

    Attributes:
        module: the name of the module that has it.
        name: where it is there, such as "sleep" or "Client.connect".
        original: what it leads to, such as "time.sleep".
    """

    module: str
    name: str
    original: str


def find_kept_originals(
    ledger: Ledger, modules: Mapping[str, ModuleType | None]
) -> list[KeptOriginal]:
    """List the references that loaded modules keep to what the ledger has replaced.

    Args:
        ledger: what was replaced.
        modules: name -> module, as in `sys.modules`.
    """
    originals = _originals(ledger)
    if not originals:
        return []
    return sorted(
        {
            KeptOriginal(name, where, originals[id(value)])
            for name, module in tuple(modules.items())
            if isinstance(module, ModuleType) and not _is_exempt(name, module)
            for where, value in _references(name, module)
            if id(value) in originals and (name, where) not in ON_PURPOSE
        }
    )


def _originals(ledger: Ledger) -> dict[int, str]:
    """Return what was replaced in real modules, and waits: `id` -> dotted name."""
    found: dict[int, str] = {}
    for change in ledger.changes:
        if not isinstance(change.module, ModuleType) or _is_green(change.module.__name__):
            continue
        is_code = change.before is not ABSENT and callable(change.before)
        if is_code and change.name not in HARMLESS and change.after is not ABSENT:
            found.setdefault(id(change.before), f"{change.module.__name__}.{change.name}")
    return found


def _is_green(name: str) -> bool:
    return name.partition(".")[0] == "eventlet"


def _is_exempt(name: str, module: ModuleType) -> bool:
    """Whether a module has its originals rightly: our own, copies, where they come from."""
    if _is_green(name) or name.startswith(("__original_module_", "__patched_module_")):
        return True
    is_written_in_python = (getattr(module, "__file__", None) or "").endswith((".py", ".pyc"))
    return name in sys.stdlib_module_names and not is_written_in_python


def _references(name: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield where the globals of a module, its classes and its functions lead: (where, value)."""
    for key, value in tuple(vars(module).items()):
        yield key, value
        if getattr(value, "__module__", None) != name:
            continue
        if isinstance(value, type):
            for base in value.__bases__:
                yield f"{key}'s base {base.__name__}", base
            for attribute, member in tuple(vars(value).items()):
                plain = getattr(member, "__func__", member)  # a static method
                yield f"{key}.{attribute}", plain
                yield from _defaults(f"{key}.{attribute}", plain)
        else:
            yield from _defaults(key, value)


def _defaults(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, FunctionType):
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield f"{where}'s default argument", default
