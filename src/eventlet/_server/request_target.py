"""Split a request target into what WSGI calls path and query."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import httptools

from eventlet._protocols.http1 import is_host
from eventlet._protocols.refusals import BadRequest

__all__ = ["RequestTarget", "split_target"]

_AUTHORITY_END = re.compile(r"[/?#]")
_PORT_END = re.compile(r":[0-9]+\Z")


class RequestTarget(NamedTuple):
    """Where a request goes.

    Attributes:
        raw_path: as sent.
        path: percent-decoded, one character a byte (latin-1).
        query: behind the first `?`, as sent; None where there is no `?`.
        host: host and port when the target names them, which beats the Host field.
    """

    raw_path: str
    path: str
    query: str | None
    host: str | None


@lru_cache(maxsize=128)
def split_target(method: str, target: str) -> RequestTarget:
    """Take a target apart, whichever of its four forms it has.

    Raises:
        BadRequest: it has none of them, or one that the method may not have.

    Source: RFC 9112 section 3.2.
    """
    if method == "CONNECT":
        if _PORT_END.search(target) is None or not is_host(target):
            raise BadRequest("CONNECT needs a host and a port")
        return RequestTarget(target, target, None, None)
    if target[0] == "/":
        path, mark, query = target.partition("?")
        return RequestTarget(path, _decode(path), query if mark else None, None)
    if target == "*":
        if method != "OPTIONS":
            raise BadRequest("* is a target for OPTIONS alone")
        return RequestTarget("*", "*", None, None)
    return _split_absolute(method, target)


def _split_absolute(method: str, target: str) -> RequestTarget:
    scheme, mark, behind_scheme = target.partition("://")
    authority = _AUTHORITY_END.split(behind_scheme, maxsplit=1)[0]
    rest = behind_scheme[len(authority) :]
    # The path is as free as that of a target without an authority.
    if not mark or scheme.lower() not in ("http", "https"):
        raise BadRequest("target has no valid form")
    # An underscore is as good as in a Host field, where names of containers have them.
    plain = authority.replace("_", "-")
    try:
        httptools.parse_url(f"{scheme}://{plain}/".encode("latin-1"))
    except httptools.HttpParserInvalidURLError as exc:
        raise BadRequest("target has no valid form") from exc
    host = authority.rpartition("@")[2]
    if not is_host(host):
        raise BadRequest("target does not name one host")
    if not rest and method == "OPTIONS":
        return RequestTarget("*", "*", None, host)
    path, mark, query = rest.partition("?")
    if path[:1] != "/":
        path = f"/{path}"
    return RequestTarget(path, _decode(path), query if mark else None, host)


def _decode(path: str) -> str:
    if "%" not in path:
        return path
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
