"""Small things that programs written for the old library import from here."""

import importlib
import warnings
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

__all__ = ["PY33", "bytes_to_str", "get_errno", "wrap_deprecated"]

P = ParamSpec("P")
R = TypeVar("R")

PY33: Final = False
"""Whether this is Python 3.3, which it never is."""

if not TYPE_CHECKING:  # checked programs import what they use

    def __getattr__(name: str) -> Any:
        if name in {"greendns", "greenlets"}:  # were there after `import eventlet`
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_errno(exc: BaseException) -> Any:
    """Return an exception's errno; else its first argument; None when it has neither."""
    code = getattr(exc, "errno", None)
    if code is not None:
        return code
    return exc.args[0] if exc.args else None


def bytes_to_str(b: bytes | str, encoding: str = "ascii") -> str:
    """Decode bytes; text is returned as it is.

    Raises:
        UnicodeDecodeError: the bytes are not in this encoding.
    """
    return b.decode(encoding) if isinstance(b, bytes) else b


def wrap_deprecated(old: str, new: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a decorator for a function that goes by an old name: calling it warns.

    Args:
        old: the name it is called by.
        new: what to use in its place.
    """

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        @wraps(func)
        def call_and_warn(*args: P.args, **kwargs: P.kwargs) -> R:
            warnings.warn(
                f"{old} is deprecated; use {new} instead", DeprecationWarning, stacklevel=2
            )
            return func(*args, **kwargs)

        return call_and_warn

    return decorate
