"""Imports point down. The layers are the table below; a new file must be put in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.import_graph import Module, find_cycle, read_tree

ROOT = "eventlet"
SOURCE = Path(__file__).resolve().parent.parent / "src" / ROOT

# Lowest layer first; patterns are names below the root package. The most exact wins.
LAYERS: list[tuple[str, ...]] = [
    # 0 ground: the standard library alone
    ("_unpatched", "_settings", "_errors", "_derive", "_protocols", "_protocols.*", "support"),
    # 1 core: the ground and greenlet
    ("_core", "_core.*"),
    # 2 primitives
    (
        *("greenthread", "event", "timeout", "semaphore", "lock", "queue", "corolocal"),
        *("greenpool", "_imap", "pools", "dagpool", "taskgroup", "coros", "hubs", "hubs.*"),
        *("completion", "_loop_mark", "_plain_loops", "support.greenlets"),
    ),
    # 3 input and output
    ("greenio", "greenio.*", "tpool", "_racing", "_resolver", "_thread_pool"),
    # 4 the green standard library
    (
        "_names",
        "_names.*",
        "green",
        "green.*",
        "support.greendns",
        "support.psycopg2_patcher",
        "_patching",
        "_patching.*",
        "patcher",
    ),
    # 5 services
    (
        *("convenience", "db_pool", "_db_connection"),
        *("websocket", "_websocket", "_websocket.*"),
        *("backdoor", "_console_globals"),
        *("wsgi", "_server", "_server.*", "_http2", "_http2.*"),
        *("_serve", "_serve.*", "gunicorn"),
        *("asyncio", "_aio", "_aio.*", "hubs.asyncio"),
    ),
    # 6 tools
    ("introspect", "debug", "_debug", "_debug.*", "testing", "_cli", "_cli.*"),
    # 7 front door
    ("", "__main__"),
]
MAY_USE_ROOT = ("__main__", "_cli", "_cli.*")
THIRD_PARTY: list[set[str]] = [set(), {"greenlet"}]  # above these two: anything declared
BANNED_NAMES = {"util", "utils", "common", "base", "misc", "helpers"}
MAX_LINES = 600
MAX_SHIM_LINES = 30


def complaints(root: Path) -> Iterator[str]:
    """Say what breaks the rules in the package at `root`, one sentence each."""
    modules = read_tree(root)
    for module in modules.values():
        yield from _file_complaints(module)
        layer = layer_of(module.name)
        if layer is None:
            yield f"{module.name} is in no layer; put it in the table"
            continue
        for target in sorted(module.imports):
            yield from _import_complaints(module, layer, target, modules)
    inside = {m.name: m.imports & modules.keys() - {ROOT} for m in modules.values()}
    if cycle := find_cycle(inside):
        yield f"import cycle: {' -> '.join(cycle)}"


def layer_of(name: str) -> int | None:
    """Tell the layer of a dotted name below the root, None when the table lacks it."""
    short = _short(name)
    for exact in (True, False):
        for number, patterns in enumerate(LAYERS):
            if short in patterns if exact else any(fnmatchcase(short, p) for p in patterns):
                return number
    return None


def _short(name: str) -> str:
    return name.partition(".")[2]


def _file_complaints(module: Module) -> Iterator[str]:
    if module.path.stem in BANNED_NAMES and not module.is_shim:
        yield f"{module.name}: a module has a name of its own, not {module.path.stem!r}"
    if module.lines > MAX_LINES:
        yield f"{module.name} has {module.lines} lines, more than {MAX_LINES}"
    if module.is_shim and module.lines > MAX_SHIM_LINES:
        yield f"{module.name} is a shim of {module.lines} lines, more than {MAX_SHIM_LINES}"


def _import_complaints(
    module: Module, layer: int, target: str, modules: dict[str, Module]
) -> Iterator[str]:
    top = target.partition(".")[0]
    if top != ROOT:
        foreign = top not in sys.stdlib_module_names
        if foreign and layer < len(THIRD_PARTY) and top not in THIRD_PARTY[layer]:
            yield f"{module.name} (layer {layer}) imports {top} from outside"
    elif target == ROOT:
        if not any(fnmatchcase(_short(module.name), p) for p in MAY_USE_ROOT):
            yield f"{module.name} imports the root package"
    elif target not in modules:
        yield f"{module.name} imports {target}, which does not exist"
    else:
        above = layer_of(target)
        if above is not None and above > layer:
            yield f"{module.name} (layer {layer}) imports {target} (layer {above})"
        if modules[target].is_shim and not module.is_shim and module.name != ROOT:
            yield f"{module.name} imports the shim {target}"


def test_imports_point_down_and_files_keep_the_rules() -> None:
    assert "\n".join(complaints(SOURCE)) == ""


BAD: dict[str, tuple[dict[str, str], str]] = {
    "upward": (
        {"_core/hub.py": "import eventlet.wsgi as w", "wsgi.py": ""},
        "eventlet._core.hub (layer 1) imports eventlet.wsgi (layer 5)",
    ),
    "upward inside a function": (
        {"_errors.py": "def f():\n    from eventlet.event import Event", "event.py": ""},
        "eventlet._errors (layer 0) imports eventlet.event (layer 2)",
    ),
    "upward by a relative import": (
        {"_core/hub.py": "from ..event import Event", "event.py": "Event = 1"},
        "eventlet._core.hub (layer 1) imports eventlet.event (layer 2)",
    ),
    "upward in the run-time branch": (
        {"lock.py": "if TYPE_CHECKING:\n    x = 1\nelse:\n    from eventlet.wsgi import a", "wsgi.py": ""},
        "eventlet.lock (layer 2) imports eventlet.wsgi (layer 5)",
    ),
    "upward by import_module": (
        {"lock.py": "importlib.import_module('eventlet.wsgi')", "wsgi.py": ""},
        "eventlet.lock (layer 2) imports eventlet.wsgi (layer 5)",
    ),
    "a cycle": (
        {
            "event.py": "from eventlet.lock import a",
            "lock.py": "def f():\n    from eventlet.queue import b",
            "queue.py": "from eventlet.event import c",
        },
        "import cycle: eventlet.event -> eventlet.lock -> eventlet.queue -> eventlet.event",
    ),
    "the root": (
        {"event.py": "from eventlet import lock", "lock.py": ""},
        "eventlet.event imports the root package",
    ),
    "the root, bound by a dotted import": (
        {"event.py": "import eventlet.lock", "lock.py": ""},
        "eventlet.event imports the root package",
    ),
    "a shim": (
        {"queue.py": "from eventlet.coros import x", "coros.py": "'''Compatibility name for x.'''"},
        "eventlet.queue imports the shim eventlet.coros",
    ),
    "a shim that grew": (
        {"coros.py": "'''Compatibility name for x.'''\n" + "x = 1\n" * 30},
        "eventlet.coros is a shim of 31 lines, more than 30",
    ),
    "an empty name": (
        {"_core/util.py": ""},
        "eventlet._core.util: a module has a name of its own, not 'util'",
    ),
    "a long file": (
        {"event.py": "x = 1\n" * 601},
        "eventlet.event has 601 lines, more than 600",
    ),
    "a file in no layer": (
        {"novel.py": ""},
        "eventlet.novel is in no layer; put it in the table",
    ),
    "a third party in the ground": (
        {"_errors.py": "import greenlet"},
        "eventlet._errors (layer 0) imports greenlet from outside",
    ),
    "a module that is not there": (
        {"event.py": "from eventlet.lock import a"},
        "eventlet.event imports eventlet.lock, which does not exist",
    ),
}  # fmt: skip


@pytest.mark.parametrize("files, complaint", BAD.values(), ids=BAD.keys())
def test_the_check_finds(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    root = _write_tree(tmp_path, files)

    assert list(complaints(root)) == [complaint]


def test_the_check_allows_what_is_allowed(tmp_path: Path) -> None:
    root = _write_tree(
        tmp_path,
        {
            "_core/hub.py": "import greenlet\nif TYPE_CHECKING:\n    from eventlet.wsgi import x",
            "event.py": "from eventlet._core.hub import Hub\nimport eventlet.lock as lock",
            "lock.py": "derive(globals(), 'eventlet.wsgi', GREEN)",
            "greenio/base.py": "'''Compatibility name for the sockets.'''",
            "__main__.py": "import eventlet",
            "wsgi.py": "import httptools\nfrom eventlet.event import Event",
        },
    )

    assert list(complaints(root)) == []


def _write_tree(directory: Path, files: dict[str, str]) -> Path:
    root = directory / ROOT
    root.mkdir()
    for name, text in ({"__init__.py": ""} | files).items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if path.parent != root:
            (path.parent / "__init__.py").touch()
    return root
