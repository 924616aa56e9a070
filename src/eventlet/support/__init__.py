"""Small things that programs written for the old library import from here."""

from typing import Any

__all__ = ["bytes_to_str", "get_errno"]


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
