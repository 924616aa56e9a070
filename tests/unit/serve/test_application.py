"""Finding the application that a text names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlet._serve.application import Target, load, parse
from eventlet._serve.refusal import Refusal

from tests.unit.serve.served import write


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with applications, on the path."""
    (tmp_path / "served_pack").mkdir()
    write(
        tmp_path / "served_pack",
        __init__="",
        web="""\
            class Holder:
                class inner:
                    def app(environ, start_response): return "inner"

            def app(environ, start_response): return "plain"

            def make(*args, **kwargs):
                return lambda environ, start_response: (args, kwargs)

            def fail():
                raise KeyError("why")

            def nothing(): pass

            async def asgi(scope, receive, send): pass

            class Asgi:
                async def __call__(self, scope, receive, send): pass
        """,
        broken="def app(:",
        missing="import served_nowhere",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("served_pack")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "text, target",
    [
        ("a:b", Target("a", ("b",), None)),
        ("a.b:c.d.e", Target("a.b", ("c", "d", "e"), None)),
        ("a:b()", Target("a", ("b",), ([], {}))),
        ("a:b.c('x', 1, y=[2, None])", Target("a", ("b", "c"), (["x", 1], {"y": [2, None]}))),
    ],
)
def test_a_text_names_a_target(text: str, target: Target) -> None:
    assert parse(text) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a:", ":b", "a.:b", "a b:c", "a-b:c", "a/b.py:c", "a:b c", "a:b[0]", "a:1"),
        *("a:b()()", "a:b().c", "a:b(c)", "a:b(*[1])", "a:b(**{})", "a:b(", "a:b;c", "a:b(1+1)x"),
    ],
)
def test_a_text_that_names_none_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=r"names no application; write module:name"):
        parse(text)


@pytest.mark.usefixtures("modules")
def test_an_application_is_loaded() -> None:
    ask: tuple[dict[str, str], None] = {}, None

    assert load("served_pack.web:app")(*ask) == "plain"
    assert load("served_pack.web:Holder.inner.app")(*ask) == "inner"
    assert load("served_pack.web:make()")(*ask) == ((), {})
    assert load("served_pack.web:make('x', n=2)")(*ask) == (("x",), {"n": 2})


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize(
    "text, why, files",
    [
        ("served_pack.none:app", "no module 'served_pack.none'; run this in the folder", []),
        ("served_none.web:app", "there is no module 'served_none'", []),
        ("served_pack.web:nope.x", "has no 'nope'", ["web.py"]),
        ("served_pack.web:Holder.innr", "Holder has no 'innr'; did you mean inner", ["web.py"]),
        ("served_pack.web:nothing()", "returned is a NoneType, not a WSGI application", ["web.py"]),
        (
            "served_pack.web:nothing",
            r"does not take .*write served_pack.web:nothing\(\)",
            ["web.py"],
        ),
        ("served_pack.web:asgi", "asgi is asynchronous, not a WSGI application", ["web.py"]),
        ("served_pack.web:Asgi()", "returned is asynchronous, not a WSGI", ["web.py"]),
    ],
)
def test_what_is_not_there_needs_no_traceback(text: str, why: str, files: list[str]) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        load(text)

    assert refused.value.details == ""
    assert [Path(path).name for path in refused.value.files] == files


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize(
    "text, why, file",
    [
        ("served_pack.broken:app", "importing 'served_pack.broken' failed with Synt", "broken.py"),
        ("served_pack.missing:app", "failed with ModuleNotFoundError: No module", "missing.py"),
        ("served_pack.web:fail()", "failed with KeyError: 'why'; see the traceback", "web.py"),
    ],
)
def test_what_fails_shows_where(text: str, why: str, file: str) -> None:
    with pytest.raises(Refusal) as refused:
        load(text)

    assert why in str(refused.value)
    assert file in refused.value.details
    assert "application.py" not in refused.value.details
    assert [path for path in refused.value.files if path.endswith(file)]
