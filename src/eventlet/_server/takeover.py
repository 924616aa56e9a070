"""How an application tells the server that it has taken a connection over."""

from __future__ import annotations

from typing import Any

from eventlet.corolocal import local

__all__ = ["TakeOver"]


class TakeOver(local):
    """The flag `already_handled`, for each green thread its own; other attributes may be set.

    Attributes:
        was_ever_used: somebody in this process has set the flag. Reading a green thread's own
            variable costs a microsecond, and most servers never need to.
    """

    was_ever_used = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "already_handled" and value:
            type(self).was_ever_used = True
        super().__setattr__(name, value)

    def take(self) -> bool:
        """Tell whether the flag is set here, and put it back."""
        if not getattr(self, "already_handled", False):
            return False
        self.already_handled = False
        return True
