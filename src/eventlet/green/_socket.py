"""Connecting by name, for the green `socket` module; and how the real one gets it."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

from eventlet._racing import AllFailed, connect_to_any

__all__ = ["make_create_connection", "unite", "unite_tls"]

STANDARD = ("create_server", "fromfd", "getfqdn", "socketpair")
STANDARD_TLS = (
    *("create_default_context", "_create_default_https_context", "_create_stdlib_context"),
    *("_create_unverified_context", "get_server_certificate"),
)
"""Functions that are green by the names they use, and find them in their own module."""

_DEFAULT_TIMEOUT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]  # no stub


def make_create_connection(names: Mapping[str, Any]) -> Callable[..., Any]:
    """Make the green `create_connection`.

    Args:
        names: the namespace in which it finds `socket` and `getaddrinfo` when it is called.
    """

    def create_connection(
        address: tuple[str | None, int],
        timeout: Any = _DEFAULT_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        *,
        all_errors: bool = False,
        happy_eyeballs: bool | None = None,
    ) -> Any:
        """Connect to a host and return the socket.

        The addresses of a name are tried in a race (RFC 8305). The socket is closed also
        when the caller is killed or cancelled.

        Args:
            address: pair (host, port).
            timeout: seconds for each attempt, and what the socket has afterwards.
            source_address: pair (host, port) to connect from.
            all_errors: raise an `ExceptionGroup` of all errors in place of the last one.
            happy_eyeballs: whether attempts overlap; None for what EVENTLET_HAPPY_EYEBALLS
                says.

        Raises:
            OSError: no address could be connected to.
        """
        host, port = address

        def attempt(found: tuple[Any, ...]) -> Any:
            family, kind, proto, _canonical, target = found
            sock = names["socket"](family, kind, proto)
            try:
                if timeout is not _DEFAULT_TIMEOUT:
                    sock.settimeout(timeout)
                if source_address:
                    sock.bind(source_address)
                sock.connect(target)
            except BaseException:
                sock.close()
                raise
            return sock

        addresses = names["getaddrinfo"](host, port, 0, socket.SOCK_STREAM)
        if not addresses:
            raise OSError("getaddrinfo returns an empty list")
        try:
            return connect_to_any(
                addresses, lambda found: found[0], attempt, _close, happy_eyeballs
            )
        except AllFailed as exc:
            failures = exc.failures
        try:
            if all_errors:
                raise ExceptionGroup("create_connection failed", list(failures))
            raise failures[-1]
        finally:
            failures.clear()  # their tracebacks refer to this frame

    return create_connection


def unite(set_attribute: Callable[[Any, str, Any], None], real: Any, green: Any) -> None:
    """Have the functions of both modules look names up in the real one, which is patched.

    So whoever replaces `socket.socket` or `socket.getaddrinfo` is followed, as by the
    ordinary functions: proxy libraries do so, and tests.

    Args:
        set_attribute: like `setattr`; remembers the change.
        real: the standard module `socket`, whose patched names are set beside this.
        green: `eventlet.green.socket`.
    """
    set_attribute(green, "create_connection", make_create_connection(vars(real)))
    _share(set_attribute, real, green, STANDARD)


def unite_tls(set_attribute: Callable[[Any, str, Any], None], real: Any, green: Any) -> None:
    """Do what `unite` does for `ssl`."""
    _share(set_attribute, real, green, STANDARD_TLS)


def _share(
    set_attribute: Callable[[Any, str, Any], None], real: Any, green: Any, names: tuple[str, ...]
) -> None:
    for name in names:
        if hasattr(real, name):
            set_attribute(green, name, getattr(real, name))


def _close(sock: Any) -> None:
    sock.close()
