"""Why something cannot be served."""

from __future__ import annotations

__all__ = ["Misuse", "Refusal", "reason"]


class Refusal(Exception):
    """What the user asked for cannot be done; shown as one line, without a traceback.

    Args:
        what: what is wrong, with the value.
        way_out: what to do about it.

    Attributes:
        details: a traceback to be shown before that line, where the application failed.
        files: what it went through; a change of one may mend it.
    """

    def __init__(
        self, what: str, way_out: str, details: str = "", files: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{what}; {way_out}")
        self.details = details
        self.files = files


class Misuse(Refusal):
    """The options cannot be used as they are written, here or anywhere."""


def reason(exc: OSError) -> str:
    """Say why a call of the system failed, without the path, which the caller names."""
    return exc.strerror or str(exc)
