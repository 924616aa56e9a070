"""Find every public callable of the package that is our own code."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import eventlet

from tests.unit.parks.not_parking import DERIVED

__all__ = ["key_of", "public_calls"]

SOURCE = str(Path(eventlet.__file__).parent)
HOMES = (
    *("eventlet.green._fcntl", "eventlet.green._os", "eventlet.green._select"),
    *("eventlet.green._signal_handlers", "eventlet.green._thread"),
)
"""Private modules whose names are public in green modules."""
SPECIAL = frozenset(
    {"__await__", "__call__", "__enter__", "__exit__", "__getitem__", "__iter__", "__next__"}
)
PLATFORMS = (
    *("eventlet.green.OpenSSL", "eventlet.green.MySQLdb", "eventlet.green.zmq"),
    "eventlet.gunicorn",
)
"""Modules that need somebody else's package, which may be missing."""


def public_calls() -> dict[str, Any]:
    """Map `module:qualified name` to each function and method that users can call.

    Those of derived modules are the standard library's code, and are not listed.
    """
    found: dict[str, Any] = {}
    for module in _modules():
        for name in {*getattr(module, "__all__", ()), *getattr(module, "__patched__", ())}:
            value = getattr(module, name, None)
            if isinstance(value, type):
                found |= _methods(value)
            elif _is_ours(value):
                found[key_of(value)] = value
    return found


def key_of(call: Any) -> str:
    """Name a function, method or class by where it is defined."""
    call = inspect.unwrap(getattr(call, "__func__", call))
    return f"{call.__module__}:{call.__qualname__}"


def _modules() -> Iterator[Any]:
    yield eventlet
    for info in pkgutil.walk_packages(eventlet.__path__, "eventlet."):
        is_public = not any(part.startswith("_") for part in info.name.split("."))
        is_left_out = info.name.removeprefix("eventlet.green.") in DERIVED
        is_left_out |= info.name.startswith(PLATFORMS)
        if (is_public or info.name in HOMES) and not is_left_out:
            yield importlib.import_module(info.name)


def _methods(cls: type) -> dict[str, Any]:
    if not cls.__module__.startswith("eventlet.") or issubclass(cls, BaseException):
        return {}
    return {
        f"{cls.__module__}:{cls.__qualname__}.{name}": value
        for name, value in vars(cls).items()
        if (name in SPECIAL or not name.startswith("_")) and _is_ours(value)
    }


def _is_ours(value: Any) -> bool:
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, functools.partial):
        value = value.func
    return isinstance(value, FunctionType) and value.__code__.co_filename.startswith(SOURCE)
