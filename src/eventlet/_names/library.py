"""A private copy of dnspython over green sockets, loaded when a name first needs it.

The user's own `dns` package, loaded or not, is neither used nor changed. Of dnspython's optional
parts, those that would pull in HTTP and QUIC libraries are off: nothing here asks that way.
"""

import logging
from types import ModuleType
from typing import Any

from eventlet._patching.private import PrivateCopies
from eventlet._resolver import NoGreenNames
from eventlet._unpatched import Mutex

__all__ = ["LIBRARY", "Library"]

_FOR_QUESTIONS = ("dns.message", "dns.name", "dns.rdatatype", "dns.rcode", "dns.flags")
_FOR_EVERYTHING = ("dns.resolver", "dns.query", "dns.reversename", "dns.rrset")


class Library:
    """The copy, and whether it can be had.

    Attributes:
        failure: why it cannot be had; None when it can, or was not tried yet, or could not be
            tried.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._copies: PrivateCopies | None = None
        self._dns: ModuleType | None = None
        self._is_whole = False
        self._lock = Mutex()

    def load(self) -> ModuleType:
        """Return the package `dns` with what is needed to make and read messages.

        Raises:
            NoGreenNames: there is no dnspython, or what calls itself `dns` is something else.
        """
        if self._dns is None:
            self._dns = self._import(_FOR_QUESTIONS)
        return self._dns

    def load_whole(self) -> ModuleType:
        """Return the package `dns` with its resolver.

        Raises:
            NoGreenNames: as `load` does.
        """
        if self._dns is None or not self._is_whole:
            self._dns = self._import((*_FOR_QUESTIONS, *_FOR_EVERYTHING))
            self._is_whole = True
        return self._dns

    def _import(self, names: tuple[str, ...]) -> ModuleType:
        if self.failure is not None:
            raise NoGreenNames from self.failure
        try:
            copies = self._shared_copies()
            features: Any = copies.import_target("dns._features")
            features.force("doh", False)
            features.force("doq", False)
            for name in names:
                copies.import_module(name)
            return copies.import_module("dns")
        except Exception as exc:  # whatever a stranger's package of that name raises
            if not isinstance(exc, OSError):  # such as too many open files, which pass
                self.failure = exc
            if not isinstance(exc, ModuleNotFoundError):
                _log.warning("dnspython cannot be used, the OS resolver is: %r", exc)
            raise NoGreenNames from exc

    def _shared_copies(self) -> PrivateCopies:
        """Return the one set of copies; OS threads that load at the same time wait in it."""
        made = PrivateCopies({})
        with self._lock:
            if self._copies is None:
                self._copies = made
            return self._copies


_log = logging.getLogger("eventlet.names")

LIBRARY = Library()
"""The one copy of this process."""
