"""The manifest of public names: read `names.txt`, look each name up, compare signatures.

Run as a program it looks every name up in this process and prints the findings as JSON, pairs
(line number, finding). `find_out` does this in a fresh interpreter, because looking names up
imports all of the package.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.isolated_runner import run_isolated

NAMES = Path(__file__).with_name("names.txt")
STATUSES = ("built", "due", "gone")
TAGS = ("core", "compat", "private", "new")

ABSENT = "absent"
MATCHES = "matches"
EXPECTED = {"built": MATCHES, "due": ABSENT, "gone": ABSENT}
"""Status -> what `look_up` finds if the manifest is right."""

ANY_DEFAULT = "..."
HOLDS_FOR = re.compile(r"  # (?:(from|until) (\d+)\.(\d+)|with (\w+))$")


@dataclass(frozen=True)
class Entry:
    """One line of the manifest."""

    line: int
    status: str
    tag: str
    module: str
    expression: str

    @property
    def name(self) -> str:
        return f"{self.module}:{self.expression}"

    @property
    def bare(self) -> str:
        """The name without its signature."""
        expression = self.expression
        if expression.endswith(")"):
            expression = expression[: _opening_of_last_call(expression)]
        return f"{self.module}:{expression}"


class NotThere(Exception):
    """The name does not exist."""


def read_entries(text: str, *, holding: bool = True) -> Iterator[Entry]:
    """Read the lines that hold for this Python, or all; raises ValueError for one that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        status, tag, name = line.split(None, 2)
        module, colon, expression = name.partition(":")
        if status not in STATUSES or tag not in TAGS or not colon:
            raise ValueError(f"line {number} is not `status tag module:name`: {line!r}")
        if not holding or _holds_here(expression):
            expression = HOLDS_FOR.sub("", expression).strip()
            yield Entry(number, status, tag, module, expression)


def _holds_here(expression: str) -> bool:
    """Whether a line is about this Python, and what it needs is installed."""
    version = HOLDS_FOR.search(expression)
    if version is None:
        return True
    if version[4]:
        return importlib.util.find_spec(version[4]) is not None
    given, here = (int(version[2]), int(version[3])), sys.version_info[:2]
    return here >= given if version[1] == "from" else here <= given


def look_up(entry: Entry) -> str:
    """Find out how the package stands to an entry.

    Returns:
        `ABSENT`, `MATCHES`, or a sentence that says what is wrong.
    """
    try:
        target, signature = _parse(entry.expression)
        value, is_method = _resolve(entry.module, target)
    except NotThere:
        return ABSENT
    except Exception as exc:
        return f"broken: {type(exc).__name__}: {exc}"
    if signature is None:
        return MATCHES
    return _compare(signature, value, is_method)


def _parse(expression: str) -> tuple[ast.expr | None, ast.arguments | None]:
    """Split `Thing().name(a, b=1)` into what to look up and the signature, if any."""
    if not expression:
        return None, None
    if not expression.endswith(")"):
        return ast.parse(expression, mode="eval").body, None
    opening = _opening_of_last_call(expression)
    signature = ast.parse(f"def f{expression[opening:]}: ...").body[0]
    assert isinstance(signature, ast.FunctionDef)
    return ast.parse(expression[:opening], mode="eval").body, signature.args


def _opening_of_last_call(expression: str) -> int:
    depth = 0
    for at in range(len(expression) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(expression[at], 0)
        if depth == 0:
            return at
    raise ValueError(f"parentheses do not match in {expression!r}")


def _resolve(module_name: str, target: ast.expr | None) -> tuple[Any, bool]:
    """Return the object, and whether it is a method found on its class."""
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and (module_name + ".").startswith(exc.name + "."):
            raise NotThere from None
        raise
    if target is None:
        return module, False
    return _evaluate(target, module)


def _evaluate(node: ast.expr, module: Any) -> tuple[Any, bool]:
    match node:
        case ast.Name(id=name):
            return _attribute(module, name), False
        case ast.Attribute(value=inner, attr=name):
            owner, _ = _evaluate(inner, module)
            return _attribute(owner, name), inspect.isclass(owner) and _takes_self(owner, name)
        case ast.Call(func=inner, args=args):
            factory, _ = _evaluate(inner, module)
            return factory(*(_evaluate(arg, module)[0] for arg in args)), False
        case ast.Constant(value=value):
            return value, False
        case ast.Tuple(elts=elements):
            return tuple(_evaluate(element, module)[0] for element in elements), False
    raise ValueError(f"cannot look up {ast.unparse(node)}")


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise NotThere from None


def _takes_self(owner: type, name: str) -> bool:
    return not isinstance(inspect.getattr_static(owner, name), (staticmethod, classmethod, type))


# --- signatures -----------------------------------------------------------------------


def _compare(wanted: ast.arguments, value: Any, is_method: bool) -> str:
    try:
        have = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError) as exc:
        return f"has no signature: {exc}"
    if is_method:
        have = have[1:]
    problem = next(_differences(wanted, have), None)
    return MATCHES if problem is None else f"differs: {problem}"


def _differences(wanted: ast.arguments, have: list[inspect.Parameter]) -> Iterator[str]:
    """Say where a call that `wanted` allows would not mean the same to `have`.

    What we have may take more than is wanted, as long as nobody has to pass it. A parameter
    may be positional-only where `**kwargs` would otherwise take arguments of its name away.
    """
    kinds = inspect.Parameter
    by_name = {parameter.name: parameter for parameter in have}
    positional = [p for p in have if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any_keyword = any(p.kind is kinds.VAR_KEYWORD for p in have)
    arguments = [*wanted.posonlyargs, *wanted.args]
    defaults = [None] * (len(arguments) - len(wanted.defaults)) + list(wanted.defaults)
    for place, (argument, default) in enumerate(zip(arguments, defaults, strict=True)):
        if place >= len(positional) or positional[place].name != argument.arg:
            found = positional[place].name if place < len(positional) else "nothing"
            yield f"argument {place + 1} is {found}, not {argument.arg}"
            return
        only = positional[place].kind is kinds.POSITIONAL_ONLY
        if only and not takes_any_keyword and argument not in wanted.posonlyargs:
            yield f"{argument.arg} cannot be passed by name"
        yield from _default_differences(argument.arg, default, positional[place])
    for argument, default in zip(wanted.kwonlyargs, wanted.kw_defaults, strict=True):
        if argument.arg not in by_name:
            yield f"there is no {argument.arg}"
        else:
            yield from _default_differences(argument.arg, default, by_name[argument.arg])
    if wanted.vararg and not any(p.kind is kinds.VAR_POSITIONAL for p in have):
        yield f"there is no *{wanted.vararg.arg}"
    if wanted.kwarg and not takes_any_keyword:
        yield f"there is no **{wanted.kwarg.arg}"
    named = {argument.arg for argument in (*arguments, *wanted.kwonlyargs)}
    for parameter in have:
        variable = parameter.kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        if parameter.name not in named and not variable and parameter.default is parameter.empty:
            yield f"{parameter.name} must be passed"


def _default_differences(
    name: str, wanted: ast.expr | None, have: inspect.Parameter
) -> Iterator[str]:
    if wanted is None:
        if have.default is not have.empty:
            return  # it may be left out here: more is allowed, nothing means otherwise
    elif have.default is have.empty:
        yield f"{name} has no default"
    elif ast.unparse(wanted) != ANY_DEFAULT:
        expected = _default_value(wanted)
        if have.default is not expected and have.default != expected:
            yield f"{name} defaults to {have.default!r}, not {expected!r}"


def _default_value(node: ast.expr) -> Any:
    if isinstance(node, ast.Attribute):
        return pkgutil.resolve_name(ast.unparse(node))
    return ast.literal_eval(node)


def find_out() -> dict[int, str]:
    """Look every name up in a fresh interpreter; returns line number -> finding."""
    # On Python 3.11 asyncore and asynchat announce, at import, that they will go.
    going = ["ignore:The asyn", "ignore:The eventlet.green.asyn"]
    flags = [part for rule in ("error", *going) for part in ("-W", rule)]
    done = run_isolated(Path(__file__), timeout=60, flags=tuple(flags))
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print the finding for every entry as JSON."""
    entries = read_entries(NAMES.read_text(encoding="utf-8"))
    json.dump([(entry.line, look_up(entry)) for entry in entries], sys.stdout)


if __name__ == "__main__":
    main()
