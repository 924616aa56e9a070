"""Find the application that `module:name` or `module:make(...)` stands for."""

from __future__ import annotations

import ast
import difflib
import importlib
import traceback
from collections.abc import Callable
from functools import reduce
from inspect import iscoroutinefunction, signature
from types import ModuleType
from typing import Any, NamedTuple

from eventlet._serve.refusal import Misuse, Refusal

__all__ = ["Target", "load", "parse"]

FORM = "write module:name, module:name.attribute or module:make()"


class Target(NamedTuple):
    """Where the application is.

    Attributes:
        module: dotted name.
        path: attributes from there, the first one in the module.
        call: arguments of the factory, None where there is none.
    """

    module: str
    path: tuple[str, ...]
    call: tuple[list[Any], dict[str, Any]] | None


def parse(text: str) -> Target:
    """Read the form in which applications are named.

    Raises:
        Refusal: it is of another form.
    """
    module, colon, rest = text.partition(":")
    names = module.split(".")
    if not colon or not all(name.isidentifier() for name in names):
        raise Misuse(f"{text!r} names no application", FORM)
    try:
        tree = ast.parse(rest, mode="eval").body
        call = None
        if isinstance(tree, ast.Call):
            call = (
                [ast.literal_eval(each) for each in tree.args],
                {_named(each): ast.literal_eval(each.value) for each in tree.keywords},
            )
            tree = tree.func
        path = _path(tree)
    except (SyntaxError, ValueError):
        raise Misuse(f"{text!r} names no application", FORM) from None
    return Target(module, path, call)


def _named(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("** has no name")
    return keyword.arg


def _path(tree: ast.expr) -> tuple[str, ...]:
    if isinstance(tree, ast.Attribute):
        return (*_path(tree.value), tree.attr)
    if isinstance(tree, ast.Name):
        return (tree.id,)
    raise ValueError("not a dotted name")


def load(text: str) -> Callable[..., Any]:
    """Import the module and give the application.

    Raises:
        Refusal: there is none, or its code failed; then with the traceback.
    """
    target = parse(text)
    module = _import(target.module)
    try:
        return _find(text, target, module)
    except Refusal as exc:
        exc.files = exc.files or tuple(filter(None, [getattr(module, "__file__", None)]))
        raise


def _find(text: str, target: Target, module: ModuleType) -> Callable[..., Any]:
    found: Any = reduce(_attribute, target.path, module)
    name = ":".join((target.module, ".".join(target.path)))
    if target.call is not None:
        if not callable(found):
            raise Refusal(f"{name} is {_kind(found)}, which cannot be called", FORM)
        args, kwargs = target.call
        try:
            found = found(*args, **kwargs)
        except (Exception, SystemExit) as exc:
            raise _failure(f"{text} failed", exc) from exc
        name = f"what {text} returned"
    if not callable(found):
        raise Refusal(f"{name} is {_kind(found)}, not a WSGI application", "name a callable")
    if iscoroutinefunction(found) or iscoroutinefunction(type(found).__call__):
        raise Refusal(f"{name} is asynchronous, not a WSGI application", "serve it by ASGI")
    if not _takes_a_request(found):
        raise Refusal(
            f"{name} does not take environ and start_response",
            f"if it makes the application, write {text}()",
        )
    return found  # type: ignore[no-any-return]  # anything that can be called


def _takes_a_request(app: Callable[..., Any]) -> bool:
    """Tell whether it can be called as WSGI does, as far as can be seen from here."""
    try:
        form = signature(app, follow_wrapped=False)
    except (TypeError, ValueError):
        return True
    try:
        form.bind(None, None)
    except TypeError:
        return False
    return True


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise _failure(f"importing {name!r} failed", exc) from exc
        way_out = "run this in the folder it is in, or name that with --chdir"
        if name.endswith(".py"):
            way_out = f"name it as an import does, {name.removesuffix('.py')}"
        raise Refusal(f"there is no module {exc.name!r}", way_out) from None
    except (Exception, SystemExit) as exc:
        raise _failure(f"importing {name!r} failed", exc) from exc


def _attribute(holder: Any, name: str) -> Any:
    try:
        return getattr(holder, name)
    except AttributeError:
        what = getattr(holder, "__name__", None) or _kind(holder)
        names = [each for each in dir(holder) if not each.startswith("_")]
        near = difflib.get_close_matches(name, names, n=3) or names[:5]
        way_out = f"did you mean {' or '.join(near)}?" if near else FORM
        raise Refusal(f"{what} has no {name!r}", way_out) from None


def _failure(what: str, exc: BaseException) -> Refusal:
    """Show a failure of the application from its own first frame on."""
    own = exc.__traceback__
    while own is not None and own.tb_frame.f_code.co_filename.startswith(_BEFORE_IT):
        own = own.tb_next
    lines = traceback.format_exception(type(exc), exc, own)
    summary = "".join(traceback.format_exception_only(exc)).strip().splitlines()[-1]
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(own)]
    if isinstance(exc, SyntaxError) and exc.filename is not None:
        files.append(exc.filename)
    return Refusal(
        f"{what} with {summary}", "see the traceback above", "".join(lines), tuple(files)
    )


_BEFORE_IT = (__file__, importlib.__file__, "<frozen importlib")


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
