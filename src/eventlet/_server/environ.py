"""Make the WSGI environ: what is the server's, the connection's, the request's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from eventlet._protocols.http1 import HeaderFields, RequestLine
from eventlet._server.file_wrapper import FileWrapper
from eventlet._server.request_body import Input
from eventlet._server.request_target import RequestTarget

__all__ = [
    "HEADERS_RAW",
    "Environ",
    "addr_to_host_port",
    "connection_environ",
    "fields_environ",
    "is_tls",
    "request_environ",
    "server_environ",
    "socket_repr",
]

Environ = dict[str, Any]
PROTOCOLS = ("HTTP/1.0", "HTTP/1.1")


class _ExtensionName(str):
    """The name of a variable of ours that PEP 3333 would have written with a dot.

    `wsgiref.validate` looks for the dot: without one, a name is that of a CGI variable, whose
    value has to be a string. Otherwise this is the plain name.
    """

    __slots__ = ()

    def __contains__(self, part: object) -> bool:
        return part == "." or super().__contains__(part)  # type: ignore[operator]  # or it raises


HEADERS_RAW = _ExtensionName("headers_raw")


def server_environ(extra: Environ | None) -> Environ:
    """Give what is the same for every request of a server; `extra` wins."""
    environ: Environ = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    if extra is not None:
        environ.update(extra)
    return environ


def connection_environ(
    base: Environ,
    sock: Any,
    peer: Any,
    set_idle: Callable[[], None],
    on_stop: Callable[[Callable[[], object] | None], None],
) -> Environ:
    """Give what is the same for every request of a connection."""
    environ = base.copy()
    host, port = addr_to_host_port(sock.getsockname())
    peer_host, peer_port = addr_to_host_port(peer)
    environ.update(
        {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": peer_host,
            "REMOTE_PORT": str(peer_port),
            "eventlet.set_idle": set_idle,
            "eventlet.on_stop": on_stop,
        }
    )
    if is_tls(sock):
        environ["wsgi.url_scheme"] = "https"
        environ["HTTPS"] = "on"
    return environ


def fields_environ(base: Environ, fields: HeaderFields) -> Environ:
    """Give what is the same for all requests of a connection with the same header fields."""
    return {**base, **fields.variables, HEADERS_RAW: fields.raw}


def request_environ(
    base: Environ, line: RequestLine, target: RequestTarget, body: Input
) -> Environ:
    """Give the environ of one request."""
    environ = base.copy()  # is quicker than to begin with an empty one
    environ["REQUEST_METHOD"] = line.method
    environ["PATH_INFO"] = target.path
    environ["RAW_PATH_INFO"] = target.raw_path
    environ["SERVER_PROTOCOL"] = PROTOCOLS[line.minor]
    environ["wsgi.input"] = environ["eventlet.input"] = body
    environ["eventlet.posthooks"] = []
    if target.query is not None:
        environ["QUERY_STRING"] = target.query
    if target.host is not None:
        environ["HTTP_HOST"] = target.host
    return environ


def addr_to_host_port(addr: Any) -> tuple[str, Any]:
    """Give host and port of a socket address; a unix one is `("unix", "")`."""
    if isinstance(addr, tuple):
        return addr[0], addr[1]
    return "unix", ""


def is_tls(sock: Any) -> bool:
    """Tell whether a socket speaks TLS."""
    return hasattr(sock, "do_handshake")


def socket_repr(sock: Any) -> str:
    """Give the URL under which a listening socket can be reached."""
    scheme = "https" if is_tls(sock) else "http"
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return f"{scheme}:{name}"
    host, port = name[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
