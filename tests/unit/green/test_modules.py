"""All green modules: importable, complete, named in the table, without a trace elsewhere."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys

import pytest

import eventlet.green
from eventlet._patching.table import GREEN, NEVER_WAITS, PATCHES, WAITING, WRITTEN

from tests.isolated_runner import run_isolated

GONE_IN_312 = {"asynchat", "asyncore", "smtpd"}
GONE_IN_313 = {"nntplib", "telnetlib"}
DEPRECATED = GONE_IN_312 | GONE_IN_313
PRESENT = sorted(name for name in GREEN if name not in DEPRECATED)

RENAMED = {
    "BaseHTTPServer": "http.server",
    "CGIHTTPServer": "http.server",
    "Queue": "queue",
    "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver",
    "httplib": "http.client",
}


@pytest.mark.parametrize("name", PRESENT)
def test_a_green_module_has_every_public_name_of_the_standard_one(name: str) -> None:
    real = importlib.import_module(name)
    green = GREEN.find(name)
    inside = f"{name}."
    names = [
        each
        for each in dir(real)
        if not each.startswith("_")
        and not getattr(getattr(real, each), "__name__", "").startswith(inside)
    ]

    missing = [each for each in names if not hasattr(green, each)]

    assert missing == (["RLock"] if name == "_thread" else [])


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_has_all_names_of_its_home(old: str) -> None:
    shim = importlib.import_module(f"eventlet.green.{old}")
    home = GREEN.find(RENAMED[old])
    names = [name for name in dir(home) if not name.startswith("__")]

    assert [name for name in names if getattr(shim, name) is not getattr(home, name)] == []


def test_the_urllib_package_has_the_names_it_always_had() -> None:
    import eventlet.green.urllib as package
    from eventlet.green import ftplib, socket, time
    from eventlet.green.http import client

    names = (package.socket, package.time, package.httplib, package.ftplib)

    assert names == (socket, time, client, ftplib)


@pytest.mark.parametrize("name", sorted(DEPRECATED))
def test_what_this_python_has_no_more_is_empty_or_missing(name: str) -> None:
    script = f"""
        import warnings
        warnings.simplefilter('ignore')
        import eventlet.green.{name} as green
        print('socket' in vars(green) and green.socket.__name__, hasattr(green, '__all__'))
    """
    is_there = importlib.util.find_spec(name) is not None
    expected = 0 if is_there or name in ("asyncore", "asynchat") else 1

    done = run_isolated(script, expect_status=expected)

    if expected:
        assert f"No module named '{name}'" in done.stderr
    elif name != "asynchat":
        assert done.stdout.startswith("eventlet.green.socket" if is_there else "False")


def test_importing_every_green_module_changes_no_real_one() -> None:
    script = """
        import importlib, pkgutil, sys
        names = sorted(set(sys.argv[1].split(',')))
        real = {name: importlib.import_module(name) for name in names}
        before = {name: dict(vars(module)) for name, module in real.items()}
        import eventlet.green
        for found in pkgutil.walk_packages(eventlet.green.__path__, 'eventlet.green.'):
            if found.name.rpartition('.')[2] not in sys.argv[2].split(','):
                importlib.import_module(found.name)
        for name, module in real.items():
            assert sys.modules[name] is module, name
            after = dict(vars(module))
            changed = [key for key in after if after[key] is not before[name].get(key)]
            assert not changed or changed == ['__warningregistry__'], (name, changed)
        print('clean')
    """
    done = run_isolated(script, ",".join(PRESENT), ",".join([*DEPRECATED, "MySQLdb"]))

    assert done.stdout == "clean\n"


def test_importing_the_green_package_starts_nothing() -> None:
    script = """
        import os, threading
        fds = os.listdir('/proc/self/fd')
        import eventlet.green.subprocess, eventlet.green.urllib.request, eventlet.patcher
        from eventlet._core.current import existing_hub
        print(threading.active_count(), existing_hub(), len(os.listdir('/proc/self/fd')) - len(fds))
    """
    assert run_isolated(script).stdout == "1 None 0\n"


def test_every_file_of_the_package_is_in_the_table_or_explained() -> None:
    found = {
        each.name.removeprefix("eventlet.green.")
        for each in pkgutil.walk_packages(eventlet.green.__path__, "eventlet.green.")
        if not each.name.rpartition(".")[2].startswith("_")
    }
    in_table = {str(target).removeprefix("eventlet.green.") for target in GREEN.values()}
    in_table -= {name for name in in_table if name.rpartition(".")[2].startswith("_")}

    others = {"builtin", "profile"}  # only on demand; tells green threads apart, waits for nothing
    others |= {"MySQLdb", "OpenSSL", "OpenSSL.SSL", "OpenSSL.crypto", "OpenSSL.version", "zmq"}
    assert found - in_table - set(RENAMED) == others
    assert in_table - found == set()


def test_the_table_is_closed_under_parents() -> None:
    parents = {name.rpartition(".")[0] for name in GREEN if "." in name}

    assert parents <= set(GREEN)


def test_the_sets_of_the_table_name_modules_of_the_table() -> None:
    assert set(WRITTEN) <= set(GREEN)
    assert set(GREEN) >= NEVER_WAITS
    assert set(GREEN) - NEVER_WAITS == WAITING


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.module)
def test_what_is_patched_is_there_and_listed(patch: object) -> None:
    assert hasattr(patch, "names")
    real = vars(importlib.import_module(patch.module))  # type: ignore[attr-defined]
    green = importlib.import_module(patch.green)  # type: ignore[attr-defined]
    names = [name for name in patch.names if name in real]

    assert names
    assert [name for name in names if not hasattr(green, name)] == []
    assert set(names) <= set(green.__patched__)


def test_the_old_name_of_queue_says_what_is_patched_too() -> None:
    old, new = (importlib.import_module(f"eventlet.green.{name}") for name in ("Queue", "queue"))

    assert set(old.__patched__) >= {"Queue", "LifoQueue", "PriorityQueue"}
    assert old.__patched__ is new.__patched__


def test_no_public_name_of_a_patched_module_is_from_a_later_python_only() -> None:
    known_from = {"_ThreadHandle", "_make_thread_handle", "_shutdown", "_thread_shutdown"}
    known_from |= {"_get_main_thread_ident", "start_joinable_thread", "_start_joinable_thread"}
    known_from |= {"lock", "Lock", "_set_sentinel", "_start_new_thread", "wrap_socket"}
    absent = {
        name
        for patch in PATCHES
        for name in patch.names
        if not hasattr(importlib.import_module(patch.module), name)
    }

    assert absent <= known_from, sys.version
