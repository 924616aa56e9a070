"""The patcher: which switches are on, private and pristine copies, patched functions.

What changes the process runs in a fresh interpreter: `tests/isolated/patched_*.py`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import eventlet.green.socket
from eventlet import patcher

from tests.isolated_runner import run_isolated

ALL = {"os", "select", "socket", "thread", "time", "subprocess", "psycopg"}


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that uses the network, on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    (tmp_path / "user_of_sockets.py").write_text(
        textwrap.dedent(
            """
            import socket, dotted.name
            _private = 1
            def late():
                import socket
                return socket
            """
        )
    )
    (tmp_path / "dotted").mkdir()
    (tmp_path / "dotted" / "__init__.py").write_text("")
    (tmp_path / "dotted" / "name.py").write_text("")
    yield "user_of_sockets"
    for name in set(sys.modules) - before:
        if "eventlet" not in name:
            del sys.modules[name]


SWITCHES: list[tuple[dict[str, bool], set[str]]] = [
    ({}, ALL),
    ({"all": True}, ALL),
    ({"all": False}, set()),
    ({"all": True, "socket": False}, ALL - {"socket"}),
    ({"all": False, "socket": True}, {"socket"}),
    ({"socket": True}, {"socket"}),
    ({"socket": True, "select": True}, {"socket", "select"}),
    ({"socket": False}, ALL - {"socket"}),
    ({"socket": False, "select": True}, {"select"}),
    ({"builtins": True}, {"builtins"}),
    ({"__builtin__": True}, {"builtins"}),
    ({"builtins": False}, ALL),
    ({"all": True, "builtins": True}, ALL | {"builtins"}),
    ({"psycopg": False}, ALL - {"psycopg"}),
    ({"psycopg": True}, {"psycopg"}),
    ({"MySQLdb": False, "time": True}, {"time"}),
]


@pytest.mark.parametrize("keywords, expected", SWITCHES, ids=[str(call) for call, _ in SWITCHES])
def test_the_switches_that_a_call_turns_on(keywords: dict[str, bool], expected: set[str]) -> None:
    script = f"""
        from eventlet import patcher
        patcher.monkey_patch(**{keywords!r})
        assert all(value is True for value in patcher.already_patched.values())
        print(sorted(patcher.already_patched))
    """
    assert run_isolated(script).stdout.strip() == str(sorted(expected))


def test_an_unknown_switch_is_named() -> None:
    with pytest.raises(TypeError, match="'sockets'"):
        patcher.monkey_patch(sockets=True)
    assert patcher.already_patched == {}


def test_import_patched_gives_the_same_green_copy_each_time(user_module: str) -> None:
    module = patcher.import_patched(user_module)

    assert module.__name__ == f"__patched_module_{user_module}"
    assert module.socket is eventlet.green.socket
    assert module.late() is eventlet.green.socket
    assert patcher.import_patched(user_module) is module
    assert user_module not in sys.modules


def test_additional_modules_come_as_pairs_or_by_keyword(user_module: str) -> None:
    fake, other = ModuleType("fake"), ModuleType("other")

    first = patcher.import_patched(user_module, ("dotted.name", other), socket=fake)
    again = patcher.import_patched(user_module, ("socket", fake), ("dotted.name", other))

    assert first.socket is fake
    assert first.dotted.name is other
    assert again is first


@pytest.mark.parametrize("name", ["http.client", "urllib.request", "socket", "threading"])
def test_import_patched_of_a_standard_module_is_the_green_one(name: str) -> None:
    assert patcher.import_patched(name).__name__ == f"eventlet.green.{name}"


def test_import_patched_of_a_derived_module_honours_additional_modules() -> None:
    fake: Any = ModuleType("fake")
    vars(fake).update(
        {name: value for name, value in vars(eventlet.green.socket).items() if name[:2] != "__"}
    )
    module = patcher.import_patched("http.client", ("socket", fake))

    assert module.socket is fake
    assert module.HTTPException is sys.modules["http.client"].HTTPException
    del sys.modules[module.__name__]


def test_inject_fills_the_namespace_every_time(user_module: str) -> None:
    first: dict[str, Any] = {"__name__": "mine"}
    second: dict[str, Any] = {}

    module = patcher.inject(user_module, first)
    again = patcher.inject(user_module, second)
    alone = patcher.inject(user_module, None)

    assert module is again is alone
    assert first["socket"] is second["socket"] is eventlet.green.socket
    assert (first["_private"], first["__name__"]) == (1, "mine")


def test_slurp_properties_copies_what_is_asked_for() -> None:
    class Source:
        one = 1
        two = 2
        _three = 3

    everything: dict[str, Any] = {}
    some: dict[str, Any] = {}
    patcher.slurp_properties(Source, everything, ignore=["two"])
    patcher.slurp_properties(Source, some, srckeys=["two", "__doc__"])

    assert everything == {"one": 1, "_three": 3}
    assert some == {"two": 2}


def outer_scope() -> Any:
    kept = "kept"

    def func(argument: int = 1, *, keyword: str = "k") -> tuple[Any, ...]:
        """What it does."""
        import socket

        return socket, argument, keyword, kept, __name__

    return func


def test_patch_function_sees_green_modules_over_the_same_globals() -> None:
    func = outer_scope()
    func.attribute = 5
    before = func.__globals__["__builtins__"]

    green: Any = patcher.patch_function(func)

    assert green()[0] is eventlet.green.socket
    assert func()[0] is sys.modules["socket"]
    assert green(2, keyword="x")[1:] == (2, "x", "kept", __name__)
    assert green.__globals__ is func.__globals__
    assert func.__globals__["__builtins__"] is before
    assert (green.__doc__, green.attribute) == ("What it does.", 5)
    assert (green.__qualname__, green.__module__) == (func.__qualname__, __name__)


def test_patch_function_takes_additional_modules_and_only_functions() -> None:
    fake = ModuleType("fake")

    assert patcher.patch_function(outer_scope(), ("socket", fake))()[0] is fake
    with pytest.raises(TypeError, match="written in Python"):
        patcher.patch_function(len)


def test_nothing_is_patched_at_first() -> None:
    assert not patcher.is_monkey_patched("socket")
    assert not patcher.is_monkey_patched(sys.modules["socket"])


def test_original_gives_one_separate_copy() -> None:
    """Trap-free pristine copies: see also `tests/isolated/patched_original.py`."""
    script = """
        import sys, threading
        from eventlet import patcher
        copy = patcher.original('threading')
        assert copy is patcher.original('threading') is sys.modules['__original_module_threading']
        assert copy is not threading and copy.Thread is not threading.Thread
        assert copy.BrokenBarrierError is threading.BrokenBarrierError
        assert patcher.original('http.client').socket is patcher.original('socket')
        assert patcher.original('os').environ is __import__('os').environ
        try:
            patcher.original('no_such_module')
        except ModuleNotFoundError as exc:
            assert exc.name == 'no_such_module'
        print('ok')
    """
    assert run_isolated(script).stdout == "ok\n"


def test_patching_can_be_undone_name_by_name_in_a_child() -> None:
    """As oslo.privsep does, and asks for what it has to undo."""
    script = """
        import importlib, os, sys
        import eventlet
        from eventlet import patcher

        switches = ("os", "select", "socket", "thread", "time", "subprocess")
        lists = [getattr(patcher, f"_green_{switch}_modules") for switch in switches]
        lists.append(patcher._green_builtins)
        pairs = [pair for modules in lists for pair in modules()]
        assert {"os", "select", "selectors", "socket", "ssl", "_thread", "threading", "queue",
                "time", "subprocess", "builtins"} <= {name for name, green in pairs}
        eventlet.monkey_patch(all=True, builtins=True)
        eventlet.sleep(0)
        pid = os.fork()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        for name, green in pairs:
            real, copy = importlib.import_module(name), patcher.original(name)
            for attribute in green.__patched__:
                if hasattr(copy, attribute) and hasattr(green, attribute):
                    setattr(real, attribute, getattr(copy, attribute))
        import concurrent.futures, queue, socket, subprocess, threading, time
        a, b = socket.socketpair()
        assert "green" not in type(a).__module__
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            both = threading.Barrier(2)
            idents = [pool.submit(lambda: (both.wait(20), threading.get_native_id())[1])
                      for _ in range(2)]
            assert len({each.result(20) for each in idents} - {threading.get_native_id()}) == 2
            answer = pool.submit(b.recv, 5)
            a.sendall(b"hello")
            assert answer.result(20) == b"hello"
        assert subprocess.run([sys.executable, "-c", "exit(3)"]).returncode == 3
        print("ok", flush=True)
        os._exit(0)
    """
    assert run_isolated(script).stdout == "ok\n"


def test_a_driver_that_is_missing_has_nothing_to_undo() -> None:
    is_missing = importlib.util.find_spec("MySQLdb") is None

    names = [name for name, green in patcher._green_MySQLdb()]

    assert names == ([] if is_missing else ["MySQLdb"])


def test_a_script_can_be_run_patched(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, socket, neighbour\n"
        "print(__name__, sys.argv[1:], socket.socket.__name__, neighbour.here)"
    )
    (tmp_path / "neighbour.py").write_text("here = True")
    command = [sys.executable, "-W", "ignore", "-m", "eventlet.patcher"]

    environ = {**os.environ, "PYTHONPATH": "src"}

    done = subprocess.run(
        [*command, script, "a"], capture_output=True, text=True, check=True, env=environ
    )
    misused = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)

    assert done.stdout == "__main__ ['a'] GreenSocket True\n"
    assert (misused.returncode, misused.stderr.split(":")[0]) == (1, "usage")


QUICK = ("fork", "imports", "original", "threads_at_exit", "undo")
LONGER = ("early_thread", "feedparser", "partly", "program")
ISOLATED = [
    *(f"patched_{name}.py" for name in QUICK),
    *(pytest.param(f"patched_{name}.py", marks=pytest.mark.slow) for name in LONGER),
]


@pytest.mark.parametrize("script", ISOLATED)
def test_a_program_in_a_fresh_interpreter(script: str) -> None:
    done = run_isolated(script)

    assert done.stdout.splitlines()[-1] == "passed"
    assert done.stderr == ""
