"""The loader of derived modules: imports follow the map, errors are shared, nothing swapped."""

from __future__ import annotations

import ftplib
import http.client
import imaplib
import importlib
import os
import pickle
import queue
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eventlet._derive import ImportMap, derive, share

WriteModules = Callable[[dict[str, str]], None]


@pytest.fixture
def write_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteModules]:
    """Hand out a function that writes source files on the path; they are forgotten after."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(files: dict[str, str]) -> None:
        for name, source in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def derived(name: str, entries: dict[str, str | ModuleType]) -> ModuleType:
    module = ModuleType(f"green_{name}")
    derive(vars(module), name, ImportMap(entries))
    return module


def stand_in(name: str, **names: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(names)
    return module


FORMS = {
    "import a": "import target\ndef get(): return target.who()",
    "import a as b": "import target as other\ndef get(): return other.who()",
    "from a import b": "from target import who\ndef get(): return who()",
    "from a import *": "from target import *\ndef get(): return who()",
    "inside a function": "def get():\n    import target\n    return target.who()",
    "inside a method": """
        class C:
            def get(self):
                from target import who
                return who()
        get = C().get
    """,
    "inside a nested function": """
        def get():
            def inner():
                import target
                return target.who()
            return inner()
    """,
    "in exec": "def get():\n    space = {}\n    exec('import target', globals(), space)\n"
    "    return space['target'].who()",
    "called by hand": "def get(): return __import__('target').who()",
    "import a.b": "import pkg.target\ndef get(): return pkg.target.who()",
    "import a.b as c": "import pkg.target as other\ndef get(): return other.who()",
    "from a import b where b is a module": "from pkg import target\ndef get(): return target.who()",
    "from a.b import c": "from pkg.target import who\ndef get(): return who()",
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_import_follows_the_map(form: str, write_modules: WriteModules) -> None:
    real = "def who(): return 'real'\n"
    write_modules({"target.py": real, "pkg/__init__.py": "", "pkg/target.py": real})
    write_modules({"user.py": FORMS[form]})
    green = stand_in("green_target", who=lambda: "green")

    module = derived("user", {"target": green, "pkg.target": green})

    assert module.get() == "green"
    assert importlib.import_module("user").get() == "real"


def test_relative_imports_resolve_in_the_package_the_code_comes_from(
    write_modules: WriteModules,
) -> None:
    write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/near.py": "who = 'real'",
            "pkg/plain.py": "who = 'plain'",
            "pkg/deep/__init__.py": "",
            "pkg/deep/user.py": """
                from .. import near
                from ..near import who
                from .. import plain
                def later():
                    from ..near import who
                    return who
            """,
        }
    )
    module = derived("pkg.deep.user", {"pkg.near": stand_in("n", who="green")})

    assert (module.near.who, module.who, module.later()) == ("green", "green", "green")
    assert module.plain is sys.modules["pkg.plain"]


def test_a_relative_import_past_the_top_is_an_import_error(write_modules: WriteModules) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/user.py": "from ... import x"})

    with pytest.raises(ImportError, match="beyond top-level"):
        derived("pkg.user", {"pkg.other": stand_in("o")})


def test_a_stand_in_below_a_real_package_leaves_the_package_alone(
    write_modules: WriteModules,
) -> None:
    write_modules(
        {
            "pkg/__init__.py": "here = 1",
            "pkg/one.py": "who = 'real one'",
            "pkg/two.py": "who = 'real two'",
            "pkg/three.py": "who = 'real three'",
            "user.py": "import pkg.one\nimport pkg.two, pkg.three\nfrom pkg import one, three, here",
        }
    )
    entries: dict[str, str | ModuleType] = {
        f"pkg.{name}": stand_in(name, who=f"green {name}") for name in ("one", "two")
    }
    module = derived("user", entries)

    assert [module.pkg.one.who, module.pkg.two.who] == ["green one", "green two"]
    assert (module.one.who, module.three.who, module.here) == ("green one", "real three", 1)
    assert (module.pkg.here, module.pkg.three.who) == (1, "real three")
    assert importlib.import_module("pkg.one").who == "real one"
    assert sys.modules["pkg"].one is sys.modules["pkg.one"]
    assert {"here", "one", "__path__"} <= set(dir(module.pkg))


def test_names_of_the_map_are_imported_when_first_asked_for(write_modules: WriteModules) -> None:
    write_modules(
        {
            "target.py": "",
            "green_target.py": "who = 'green'",
            "user.py": "def get():\n    import target\n    return target.who",
        }
    )
    module = derived("user", {"target": "green_target"})

    assert "green_target" not in sys.modules
    assert module.get() == "green"
    assert "target" not in sys.modules


def test_an_unmapped_submodule_of_a_stand_in_package_is_the_real_one() -> None:
    green_os = stand_in("green_os", path=os.path)
    entries = ImportMap({"os": green_os})

    chain = entries.import_chain("os.path")

    assert chain == [green_os, os.path]
    assert entries.import_members("os", ["path"]).path is os.path


def test_a_missing_name_says_so_like_any_import(write_modules: WriteModules) -> None:
    write_modules(
        {
            "target.py": "",
            "a.py": "from target import nothing",
            "b.py": "import target.nothing",
            "pkg/__init__.py": "",
            "pkg/broken.py": "import does_not_exist_at_all",
            "c.py": "from pkg import broken",
        }
    )
    green = stand_in("green_target")

    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        derived("a", {"target": green})
    with pytest.raises(ModuleNotFoundError, match=r"target\.nothing"):
        derived("b", {"target": green})
    with pytest.raises(ModuleNotFoundError, match="does_not_exist_at_all"):
        derived("c", {"pkg.other": green})


def test_deriving_what_is_not_there_or_not_python_is_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        derived("no_such_module_anywhere", {})
    with pytest.raises(ImportError, match="_thread has no Python code"):
        derived("_thread", {})

    assert caught.value.name == "no_such_module_anywhere"


def test_sys_modules_keeps_every_entry() -> None:
    import selectors
    import smtplib

    before = dict(sys.modules)
    derived("smtplib", {"socket": stand_in("s", **vars(importlib.import_module("socket")))})

    assert {name: sys.modules.get(name) for name in before} == before
    assert sys.modules["smtplib"] is smtplib
    assert sys.modules["selectors"] is selectors


def test_exception_classes_are_the_originals_everywhere() -> None:
    green_ftplib = derived("ftplib", {})
    green_imaplib = derived("imaplib", {})
    green_http = derived("http.client", {})

    assert green_ftplib.FTP is not ftplib.FTP
    assert green_ftplib.error_perm is ftplib.error_perm
    assert green_ftplib.all_errors == ftplib.all_errors
    assert green_imaplib.IMAP4.abort is imaplib.IMAP4.abort
    assert green_http.HTTPException is http.client.HTTPException
    assert green_http.BadStatusLine.__mro__ == http.client.BadStatusLine.__mro__


def test_an_error_raised_by_derived_code_is_caught_by_the_original_class() -> None:
    green_queue = derived("queue", {})

    full = green_queue.Queue(maxsize=1)
    full.put(1)

    with pytest.raises(queue.Full):
        full.put(2, block=False)


def test_an_exception_class_the_original_lacks_is_built(write_modules: WriteModules) -> None:
    write_modules(
        {
            "user.py": """
                def make():
                    class Local(Exception):
                        pass
                    return Local
            """
        }
    )
    module = derived("user", {})

    assert issubclass(module.make(), Exception)
    assert module.make() is not module.make()


def test_classes_named_as_the_same_are_the_originals(write_modules: WriteModules) -> None:
    write_modules({"user.py": "class A: pass\nclass B(A): pass"})
    module = ModuleType("green_user")

    derive(vars(module), "user", ImportMap({}), same=("A",))

    real = importlib.import_module("user")
    assert module.A is real.A
    assert module.B is not real.B


def test_classes_and_functions_pickle_by_the_derived_name(write_modules: WriteModules) -> None:
    write_modules(
        {
            "user.py": """
                import dataclasses
                @dataclasses.dataclass
                class Point:
                    x: 'int' = 0
                def function(): pass
            """
        }
    )
    module = ModuleType("green_user")
    sys.modules["green_user"] = module
    derive(vars(module), "user", ImportMap({}))

    assert pickle.loads(pickle.dumps(module.Point(3))) == module.Point(3)
    assert pickle.loads(pickle.dumps(module.function)) is module.function


def test_tracebacks_show_the_file_of_the_original() -> None:
    green_queue = derived("queue", {})

    with pytest.raises(queue.Empty) as caught:
        green_queue.Queue().get(block=False)

    assert str(caught.traceback[-1].path) == queue.__file__


def test_a_package_derives_with_its_own_relative_imports(write_modules: WriteModules) -> None:
    write_modules(
        {
            "pkg/__init__.py": "from .part import who\nfrom . import part",
            "pkg/part.py": "who = 'real'",
        }
    )
    module = derived("pkg", {"pkg.part": stand_in("p", who="green")})

    assert (module.who, module.part.who) == ("green", "green")


def test_a_facade_is_kept_for_later_imports_of_the_package(write_modules: WriteModules) -> None:
    write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/one.py": "who = 'real'",
            "user.py": """
                import pkg.one
                import pkg
                def later():
                    import pkg
                    return pkg.one.who
            """,
        }
    )
    module = derived("user", {"pkg.one": stand_in("one", who="green")})

    assert (module.pkg.one.who, module.later()) == ("green", "green")


def test_a_facade_reads_and_writes_the_real_package(write_modules: WriteModules) -> None:
    write_modules({"pkg/__init__.py": "flag = 1", "pkg/one.py": "", "user.py": "import pkg.one"})
    module = derived("user", {"pkg.one": stand_in("one")})

    module.pkg.flag = 2
    module.pkg.new = 3
    del module.pkg.new

    assert sys.modules["pkg"].flag == module.pkg.flag == 2
    assert not hasattr(sys.modules["pkg"], "new")


def test_code_run_in_other_globals_resolves_against_their_package(
    write_modules: WriteModules,
) -> None:
    write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/one.py": "who = 'one'",
            "other/__init__.py": "",
            "other/one.py": "who = 'other'",
            "pkg/user.py": """
                def run(space):
                    exec('from .one import who', {**space, '__builtins__': __builtins__}, space)
                    return space['who']
            """,
        }
    )
    module = derived("pkg.user", {"pkg.one": stand_in("one", who="green")})

    assert module.run({"__package__": "other"}) == "other"
    assert module.run({"__name__": "other.here"}) == "other"
    assert module.run({"__name__": "pkg", "__path__": []}) == "green"
    with pytest.raises(ImportError, match="no known parent package"):
        module.run({"__name__": "alone"})


def test_share_takes_all_names_but_submodules_and_dunders(write_modules: WriteModules) -> None:
    write_modules(
        {
            "pkg/__init__.py": "__all__ = ['one']\none = 1\ntwo = 2\nfrom . import part\nimport os",
            "pkg/part.py": "",
        }
    )
    namespace: dict[str, Any] = {"__name__": "green", "__doc__": "ours"}
    share(namespace, "pkg")

    assert namespace == {
        "__name__": "green",
        "__doc__": "ours",
        "__all__": ["one"],
        "one": 1,
        "two": 2,
        "os": os,
    }


def test_an_import_map_is_a_mapping_of_its_entries() -> None:
    entries = ImportMap({"a.b": "c"})

    assert dict(entries) == {"a.b": "c"}
    assert len(entries) == 1
    assert entries.concerns("a.x")
    assert not entries.concerns("b")
    assert entries.find("a") is None
