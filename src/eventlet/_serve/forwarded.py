"""Believe what trusted proxies say about the client: X-Forwarded-For and X-Forwarded-Proto.

The chain of addresses is read from its end, where the nearest proxy wrote: each proxy that is
trusted vouches for the entry before its own, and the first who is not trusted is the client.
What others have put in front is theirs and means nothing. From a peer that is not trusted the
headers are taken away, lest an application believes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from eventlet._serve.peers import Peers

__all__ = ["Forwarded", "believed_client"]

HEADERS = (
    *("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"),
    *("HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX"),
)

_WITH_PORT = re.compile(r"(?P<v4>[0-9.]+):[0-9]+|\[(?P<v6>[^\]]+)\](?::[0-9]+)?")


class Forwarded:
    """A WSGI application that gives another one the client's address and scheme.

    Args:
        app: answers.
        peers: the trusted proxies.
    """

    def __init__(self, app: Callable[..., Any], peers: Peers) -> None:
        self._app = app
        self._peers = peers

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer one request."""
        if environ["REMOTE_ADDR"] in self._peers:
            self._believe(environ)
        else:
            for name in HEADERS:
                environ.pop(name, None)
        return self._app(environ, start_response)

    def _believe(self, environ: dict[str, Any]) -> None:
        client = believed_client(environ.get("HTTP_X_FORWARDED_FOR", ""), self._peers)
        if client is not None:
            environ["REMOTE_ADDR"] = client
            environ["REMOTE_PORT"] = ""  # nobody says
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        if scheme == "https":
            environ["wsgi.url_scheme"] = "https"
            environ["HTTPS"] = "on"
        elif scheme == "http":
            environ["wsgi.url_scheme"] = "http"
            environ.pop("HTTPS", None)


def believed_client(chain: str, peers: Peers) -> str | None:
    """Give the client's address from an X-Forwarded-For that a trusted peer sent.

    Args:
        chain: its value.
        peers: the trusted proxies.

    Returns:
        None when it says nothing that can be believed.
    """
    client = None
    for entry in reversed(chain.split(",")):
        address = _address(entry)
        if address is None:
            break
        client = address
        if client not in peers:
            break
    return client


def _address(entry: str) -> str | None:
    """Give the address of an entry, which some proxies write with a port."""
    entry = entry.strip()
    match = _WITH_PORT.fullmatch(entry)
    if match is not None:
        entry = match["v4"] or match["v6"]
    try:
        return str(ip_address(entry))
    except ValueError:
        return None
