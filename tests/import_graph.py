"""The import graph of a source tree, read from its syntax trees.

Imports inside functions count, because a cycle there is still a cycle; imports under
`if TYPE_CHECKING:` do not, because they never happen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHIM_MARK = "Compatibility name for"


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, what it imports, and whether it is a shim."""

    name: str
    path: Path
    imports: frozenset[str]
    lines: int
    is_shim: bool


def read_tree(root: Path) -> dict[str, Module]:
    """Read every module below the package directory `root`, by dotted name."""
    files = sorted(root.rglob("*.py"))
    names = {path: _dotted(path, root) for path in files}
    known = frozenset(names.values())
    return {name: _read(path, name, known) for path, name in names.items()}


def find_cycle(edges: dict[str, frozenset[str]]) -> list[str]:
    """Find one cycle; returns the names on it, first repeated last, or an empty list."""
    done: set[str] = set()
    trail: list[str] = []

    def visit(name: str) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        trail.append(name)
        for target in sorted(edges.get(name, frozenset())):
            if cycle := visit(target):
                return cycle
        done.add(trail.pop())
        return []

    return next((cycle for name in sorted(edges) if (cycle := visit(name))), [])


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(path: Path, name: str, known: frozenset[str]) -> Module:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, str(path))
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    imports = frozenset(_imports(tree, package, known)) - {name}
    is_shim = (ast.get_docstring(tree) or "").startswith(SHIM_MARK)
    return Module(name, path, imports, len(source.splitlines()), is_shim)


def _imports(node: ast.AST, package: str, known: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    match node:
        case ast.Import(names=aliases):
            for alias in aliases:
                # Without `as`, `import a.b` binds `a`: the root package is what is used.
                yield alias.name
                if alias.asname is None and "." in alias.name:
                    yield alias.name.partition(".")[0]
        case ast.ImportFrom(module=module, names=aliases, level=level):
            base = _absolute(module or "", package, level)
            inner = [f"{base}.{alias.name}" for alias in aliases]
            yield from (each for each in inner if each in known)
            # `from package import module` of another package touches the module alone,
            # but of the root it is a use of the root.
            if any(each not in known for each in inner) or "." not in base:
                yield base
        case ast.Call(func=func, args=[ast.Constant(value=str(target)), *_]):
            called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if called in {"import_module", "__import__"}:
                yield target
    for child in children:
        yield from _imports(child, package, known)


def _absolute(module: str, package: str, level: int) -> str:
    if level == 0:
        return module
    parts = package.split(".")
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, module] if module else base)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"
