"""The `open` that parks where the plain one waits: at a FIFO, for the other side.

Everything else is opened as ever. So this one stands in `builtins` and `io` when `os` is
patched, and is an object: a function would become a method in classes that keep `open`.
"""

import io
import sys
from typing import Any

from eventlet._patching.table import patched
from eventlet.greenio.pipes import GreenPipe, is_fifo

__all__ = ["open"]

_ordinary: Any = io.open


class _Open:
    """Opens files; the arguments are those of the plain `open`."""

    __slots__ = ()
    __doc__ = _ordinary.__doc__
    __name__ = __qualname__ = "open"
    __wrapped__ = _ordinary

    def __call__(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if opener is None and not isinstance(file, int) and is_fifo(file):
            return GreenPipe(file, mode, buffering, encoding, errors, newline, closefd)
        if sys.flags.warn_default_encoding and "b" not in mode:
            encoding = io.text_encoding(encoding)  # warns of our caller, and not of us
        return _ordinary(file, mode, buffering, encoding, errors, newline, closefd, opener)

    def __repr__(self) -> str:
        return "<green function open>"


open: Any = _Open()

__patched__ = patched(globals())
