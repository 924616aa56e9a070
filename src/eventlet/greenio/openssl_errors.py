"""pyOpenSSL's module `SSL`; without pyOpenSSL, the exceptions of it that programs catch."""

import importlib
from typing import Any

__all__ = ["SSL"]


class _Exceptions:
    """Nobody raises these: what would is not installed."""

    class WantReadError(Exception):
        """It would have to wait until the socket can be read."""

    class WantWriteError(Exception):
        """It would have to wait until the socket can be written."""

    class ZeroReturnError(Exception):
        """The peer has ended the TLS connection."""

    class SysCallError(Exception):
        """A system call failed."""


def _find() -> Any:
    try:
        return importlib.import_module("OpenSSL.SSL")
    except ImportError:
        return _Exceptions


SSL: Any = _find()
