"""Private copies: what is copied, what is shared, and that nothing else is touched."""

from __future__ import annotations

import importlib
import logging
import pickle
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eventlet._patching.private import PrivateCopies
from eventlet.greenthread import sleep, spawn

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
        if "eventlet" not in name:
            del sys.modules[name]


@pytest.fixture
def green_socket() -> ModuleType:
    module = ModuleType("green_socket")
    module.kind = "green"  # type: ignore[attr-defined]
    return module


@pytest.fixture
def copies(green_socket: ModuleType) -> PrivateCopies:
    return PrivateCopies({"socket": green_socket})


def test_a_copy_has_its_private_name_and_leaves_the_ordinary_import_alone(
    write_modules: WriteModules, copies: PrivateCopies, green_socket: ModuleType
) -> None:
    write_modules({"solo.py": "import socket\nname = __name__"})

    module = copies.import_target("solo")

    assert module.name == module.__name__ == "__patched_module_solo"
    assert sys.modules["__patched_module_solo"] is module
    assert module.socket is green_socket
    assert "solo" not in sys.modules
    assert importlib.import_module("solo").socket is sys.modules["socket"]
    assert copies.import_target("solo") is module


def test_entries_of_sys_modules_are_never_touched(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"pkg/__init__.py": "from . import sub", "pkg/sub.py": "import json"})
    real = importlib.import_module("pkg")
    before = dict(sys.modules)

    module = copies.import_target("pkg")

    assert {name: sys.modules.get(name) for name in before} == before
    assert set(sys.modules) - set(before) == {"__patched_module_pkg", "__patched_module_pkg.sub"}
    assert module.sub is not real.sub
    assert module.sub.json is sys.modules["json"]


SUBMODULE_FORMS = {
    "from . import": "from . import sub\nwho = sub.who",
    "from .sub import": "from .sub import who",
    "import pkg.sub": "import pkg.sub\nwho = pkg.sub.who",
    "import pkg.sub as": "import pkg.sub as other\nwho = other.who",
    "from pkg import": "from pkg import sub\nwho = sub.who",
    "importlib": "import importlib\nwho = importlib.import_module('pkg.sub').who",
    "importlib relative": (
        "from importlib import import_module\nwho = import_module('.sub', __package__).who"
    ),
    "importlib by name": ("import importlib\nwho = importlib.import_module(__name__ + '.sub').who"),
    "__import__ by name": "who = __import__(__name__ + '.sub', fromlist=['who']).who",
    "sys.modules": "import sys\nfrom . import sub\nwho = sys.modules[__name__ + '.sub'].who",
}


@pytest.mark.parametrize("form", SUBMODULE_FORMS)
def test_submodules_are_copied_however_they_are_imported(
    form: str, write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"pkg/__init__.py": SUBMODULE_FORMS[form]})
    write_modules({"pkg/sub.py": "import socket\nwho = socket.kind"})

    assert copies.import_target("pkg").who == "green"


def test_naming_a_submodule_returns_it_and_copies_its_package(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/near.py": "import socket",
            "pkg/deep/__init__.py": "",
            "pkg/deep/sub.py": "from .. import near\nfrom ..near import socket",
        }
    )
    module = copies.import_target("pkg.deep.sub")

    assert module.__name__ == "__patched_module_pkg.deep.sub"
    assert module.__package__ == "__patched_module_pkg.deep"
    assert module.near.socket.kind == module.socket.kind == "green"
    assert "pkg" not in sys.modules


def test_a_cycle_of_imports_ends(write_modules: WriteModules, copies: PrivateCopies) -> None:
    write_modules(
        {
            "pkg/__init__.py": "from . import a",
            "pkg/a.py": "from . import b\nvalue = 1",
            "pkg/b.py": "from . import a\ndef get(): return a.value",
        }
    )
    assert copies.import_target("pkg").a.b.get() == 1


def test_what_a_copy_imports_is_copied_when_it_waits(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "import lib", "lib.py": "import deeper\nfrom deeper import socket"})
    write_modules({"deeper.py": "import socket"})
    real = importlib.import_module("lib")

    module = copies.import_target("app")

    assert module.lib.socket.kind == "green"
    assert module.lib is not real
    assert sys.modules["lib"].socket is sys.modules["socket"]


def test_a_loaded_module_that_never_waits_is_shared_with_its_state(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "import settings", "settings.py": "import os, json\nvalue = 1"})
    settings: Any = importlib.import_module("settings")
    settings.value = 2

    module = copies.import_target("app")

    assert module.settings is settings


LOADED_AND_WAITING = {
    "the module": "import socket",
    "a name of it": "from socket import create_connection",
    "a class over it": "import socket\nclass S(socket.socket): pass\ndel socket",
    "inside a function": "def f():\n    import socket\n    return socket",
    "inside a method": "class C:\n    def f(self):\n        import http.client",
    "through another": "from waiter import thing",
}


@pytest.mark.parametrize("how", LOADED_AND_WAITING)
def test_a_loaded_module_that_waits_is_copied(
    how: str, write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "import lib", "lib.py": LOADED_AND_WAITING[how]})
    write_modules({"waiter.py": "import socket\ndef thing(): pass"})
    names = vars(sys.modules["socket"])
    for name in ("create_connection", "socket"):
        setattr(copies["socket"], name, names[name])
    real = importlib.import_module("lib")

    assert copies.import_target("app").lib is not real


def test_modules_in_c_are_shared(copies: PrivateCopies, write_modules: WriteModules) -> None:
    import greenlet

    write_modules({"app.py": "import greenlet, greenlet._greenlet, _json"})

    module = copies.import_target("app")

    assert module.greenlet is greenlet
    assert module._json is sys.modules["_json"]


def test_a_package_with_parts_in_c_is_shared(
    tmp_path: Path, write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "import fast", "fast/__init__.py": "import socket"})
    (tmp_path / "fast" / f"_speed{importlib.machinery.EXTENSION_SUFFIXES[0]}").touch()

    module = copies.import_target("app")

    assert module.fast is sys.modules["fast"]


def test_an_additional_module_stands_in_with_all_below_it(write_modules: WriteModules) -> None:
    write_modules(
        {
            "app.py": "import mine.sub\nimport other\nfrom mine import sub",
            "mine/__init__.py": "import socket",
            "mine/sub.py": "",
            "other.py": "import socket",
        }
    )
    mine = importlib.import_module("mine")
    other = ModuleType("another")

    module = PrivateCopies({"mine": mine, "other": other}).import_target("app")

    assert module.mine is mine
    assert module.sub is sys.modules["mine.sub"]
    assert module.other is other


def test_two_sets_of_additional_modules_give_two_copies(write_modules: WriteModules) -> None:
    write_modules({"app.py": "import other"})
    one, two = ModuleType("one"), ModuleType("two")

    first = PrivateCopies({"other": one}).import_target("app")
    second = PrivateCopies({"other": two}).import_target("app")

    assert (first.other, second.other) == (one, two)
    assert sys.modules[first.__name__] is first
    assert sys.modules[second.__name__] is second


def test_a_name_that_is_chosen_is_taken_before_anything_is_loaded_under_it(
    write_modules: WriteModules,
) -> None:
    write_modules({"app.py": "name = __name__"})
    first, second = PrivateCopies({}), PrivateCopies({})
    chosen = first._private_name("app")  # another OS thread comes before it goes on

    names = [each.import_target("app").name for each in (second, first)]

    assert chosen == "__patched_module_app"
    assert names == ["__patched_module_2_app", "__patched_module_app"]


def test_a_failing_copy_leaves_nothing_and_can_be_tried_again(
    tmp_path: Path, write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "1 / 0"})
    with pytest.raises(ZeroDivisionError):
        copies.import_target("app")
    assert "__patched_module_app" not in sys.modules

    (tmp_path / "app.py").write_text("value = 1  # another length")

    assert copies.import_target("app").value == 1


def test_a_missing_module_is_named_as_it_was_asked_for(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "", "pkg/__init__.py": "from . import gone"})

    with pytest.raises(ModuleNotFoundError, match="No module named 'gone_entirely'"):
        copies.import_target("gone_entirely")
    with pytest.raises(ModuleNotFoundError, match="'app' is not a package"):
        copies.import_target("app.gone")
    with pytest.raises(ImportError, match="cannot import name 'gone'"):
        copies.import_target("pkg")


def test_string_annotations_pickle_and_loggers_work_in_a_copy(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/app.py": """
                from __future__ import annotations
                import dataclasses, logging, typing
                from logging import getLogger
                @dataclasses.dataclass
                class Point:
                    x: int
                    kind: typing.ClassVar[str] = 'p'
                    next: Point | None = None
                hints = typing.get_type_hints(Point)
                loggers = [logging.getLogger(__name__), getLogger(__name__), getLogger()]
                other = logging.getLogger('else.where')
            """,
        }
    )
    module = copies.import_target("pkg.app")
    point = module.Point(1, module.Point(2))

    assert [field.name for field in module.dataclasses.fields(point)] == ["x", "next"]
    assert module.hints["next"] == module.Point | None
    assert pickle.loads(pickle.dumps(point)) == point
    assert pickle.loads(pickle._dumps(point)) == point  # type: ignore[attr-defined]
    assert module.loggers == [logging.getLogger("pkg.app")] * 2 + [logging.getLogger()]
    assert module.other is logging.getLogger("else.where")


def test_the_logging_module_of_a_copy_is_otherwise_the_real_one(
    write_modules: WriteModules, copies: PrivateCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    write_modules({"app.py": "import logging.handlers\nlogging.raiseExceptions = False"})

    module = copies.import_target("app")

    assert module.logging.handlers is sys.modules["logging.handlers"]
    assert logging.raiseExceptions is False


def test_resources_of_a_package_are_found(
    tmp_path: Path, write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules(
        {
            "pkg/__init__.py": """
                import importlib.resources, pkgutil
                text = importlib.resources.files(__name__).joinpath('data.txt').read_text()
                data = pkgutil.get_data(__name__, 'data.txt')
            """,
            "pkg/data.txt": "hello",
        }
    )
    module = copies.import_target("pkg")

    assert (module.text, module.data) == ("hello", b"hello")
    assert module.__file__ == str(tmp_path / "pkg" / "__init__.py")


def test_a_namespace_package_is_copied(write_modules: WriteModules, copies: PrivateCopies) -> None:
    write_modules({"space/one.py": "import socket\nfrom . import two", "space/two.py": "x = 1"})

    module = copies.import_target("space.one")

    assert (module.socket.kind, module.two.x) == ("green", 1)


def test_a_module_that_replaces_itself_or_registers_others_is_followed(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules(
        {
            "pkg/__init__.py": """
                import sys, types
                made = types.ModuleType(__name__ + '.made')
                made.value = 1
                sys.modules[made.__name__] = made
                from . import itself
                from .made import value
            """,
            "pkg/itself.py": """
                import sys
                class Instead:
                    answer = 42
                sys.modules[__name__] = Instead()
            """,
        }
    )
    module = copies.import_target("pkg")

    assert module.itself.answer == 42
    assert module.value == 1


def test_a_standard_module_is_copied_alone_and_shares_its_errors() -> None:
    import logging.handlers
    import mailbox

    fake = ModuleType("fake")
    copies = PrivateCopies({"socket": fake})

    handlers = copies.import_target("logging.handlers")
    boxes = copies.import_target("mailbox")

    assert handlers.socket is fake
    assert handlers.logging.getLogger("x") is logging.getLogger("x")
    assert boxes is not mailbox
    assert boxes.Error is mailbox.Error
    for name in ("__patched_module_logging.handlers", "__patched_module_mailbox"):
        del sys.modules[name]


def load_twice(copies: PrivateCopies, names: tuple[str, str]) -> list[Any]:
    threads = [spawn(copies.import_target, name) for name in names]
    return [thread.wait() for thread in threads]


def test_a_second_green_thread_gets_a_module_whose_body_parks_whole(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"app.py": "import eventlet.greenthread as g\ng.sleep(0.01)\nvalue = 1"})
    seen: list[object] = []

    def use() -> None:
        seen.append(copies.import_target("app").value)

    for thread in [spawn(use), spawn(use)]:
        thread.wait()

    assert seen == [1, 1]


def test_an_import_cycle_over_two_green_threads_ends(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    body = "import eventlet.greenthread as g\ng.sleep(0.01)\nimport {}\nvalue = 1"
    write_modules({"one.py": body.format("two"), "two.py": body.format("one")})

    first, second = load_twice(copies, ("one", "two"))

    assert first.two is second
    assert second.one is first
    assert first.value == second.value == 1


def test_a_green_thread_that_waited_for_a_failing_copy_tries_itself(
    write_modules: WriteModules, copies: PrivateCopies
) -> None:
    write_modules({"tries.py": "count = 0"})
    tries = importlib.import_module("tries")
    seen: list[object] = []

    def use() -> None:
        try:
            seen.append(copies.import_target("app"))
        except ZeroDivisionError as exc:
            seen.append(type(exc))

    write_modules(
        {
            "app.py": "import eventlet.greenthread as g\nimport tries\ntries.count += 1\n"
            "g.sleep(0.01)\nif tries.count == 1: 1 / 0\n"
        }
    )
    for thread in [spawn(use), spawn(use)]:
        thread.wait()
    sleep(0)

    assert seen == [ZeroDivisionError, sys.modules["__patched_module_app"]]
    assert tries.count == 2


def test_folders_without_code_inside_a_package_are_packages(
    write_modules: WriteModules, copies: PrivateCopies, green_socket: ModuleType
) -> None:
    write_modules(
        {
            "holder/__init__.py": "from holder.empty.deep import leaf",
            "holder/empty/deep/leaf.py": "import socket",
            "portions/part/leaf.py": "import socket",
        }
    )

    assert copies.import_target("holder").leaf.socket is green_socket
    assert copies.import_target("portions.part.leaf").socket is green_socket
    assert not {"holder", "portions", "portions.part"} & set(sys.modules)


def test_modules_that_a_package_provides_by_a_finder_of_its_own_are_part_of_the_copy(
    write_modules: WriteModules,
    copies: PrivateCopies,
    green_socket: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    write_modules(
        {
            "provider.py": """
                import socket, sys
                from importlib.machinery import ModuleSpec

                class Finder:
                    def find_spec(self, name, path, target=None):
                        known = name.startswith(__name__ + ".moves")
                        return ModuleSpec(name, self, is_package=True) if known else None

                    def create_module(self, spec):
                        return None

                    def exec_module(self, module):
                        module.kind = socket.kind

                __path__ = []
                __package__ = __name__
                sys.meta_path.append(Finder())
            """,
            "consumer.py": """
                from provider.moves import kind
                import provider.moves.deeper
                deeper = provider.moves.deeper
            """,
        }
    )

    module = copies.import_target("consumer")

    assert module.kind == module.deeper.kind == "green"
    assert not [name for name in sys.modules if name.startswith("provider")]


def test_a_package_may_load_its_modules_when_they_are_asked_for(
    write_modules: WriteModules, copies: PrivateCopies, green_socket: ModuleType
) -> None:
    write_modules(
        {
            "idle/__init__.py": """
                import importlib

                def __getattr__(name):
                    if name != "part":
                        raise AttributeError(name)
                    return importlib.import_module("." + name, __name__)
            """,
            "idle/part/__init__.py": "from .inner import socket",
            "idle/part/inner.py": "from ..other import socket",
            "idle/other.py": "import idle.part, socket\nfrom idle import part",
        }
    )

    assert copies.import_target("idle").part.socket is green_socket
    assert vars(copies.import_target("idle"))["part"].__name__ == "__patched_module_idle.part"
