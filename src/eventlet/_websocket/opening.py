"""The client's side of the opening handshake: URLs and answers in, requests out.

Source: RFC 6455, sections 3 and 4.1; RFC 9110, section 9.3.6 (CONNECT).
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from eventlet._websocket.errors import HandshakeFailed
from eventlet._websocket.extensions import DEFLATE, DeflateParameters, read_deflate_answer
from eventlet._websocket.handshake import accept_key

__all__ = [
    "MAX_HEAD",
    "Answer",
    "Headers",
    "Target",
    "check_answer",
    "check_beginning",
    "check_proxy_answer",
    "make_key",
    "make_proxy_request",
    "make_request",
    "parse_proxy",
    "parse_target",
    "read_answer",
]

MAX_HEAD = 65536  # bytes of an answer's head

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

_OFFER = f"{DEFLATE}; client_max_window_bits"
_PORTS = {"ws": 80, "wss": 443, "http": 80}
_OURS = {"connection", "upgrade", "content-length", "transfer-encoding"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_BEGINNING = b"HTTP/1."
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: (.*))?")
_BAD_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_AS_IT_IS = "/%:@!$&'()*+,;=~?[]"


class Target(NamedTuple):
    """Where a URL leads.

    Attributes:
        host: name or address, without brackets.
        port: TCP port.
        is_tls: the scheme is wss.
        resource: path and query.
        authority: host and port as in the field Host.
        credentials: value of an Authorization field; None without user information.
    """

    host: str
    port: int
    is_tls: bool
    resource: str
    authority: str
    credentials: str | None


class Answer(NamedTuple):
    """The head of a response.

    Attributes:
        status: of HTTP.
        phrase: that came with it.
        fields: pairs (name, value) in their order.
    """

    status: int
    phrase: str
    fields: list[tuple[str, str]]

    @property
    def is_interim(self) -> bool:
        """Another response follows."""
        return self.status < 200 and self.status != 101

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of this name, in lower case."""
        return [value for key, value in self.fields if key.lower() == name]

    def elements(self, name: str) -> list[str]:
        """Return the elements of a field that is a list."""
        found = [part.strip() for part in ",".join(self.values(name)).split(",")]
        return [part for part in found if part]


def parse_target(url: str) -> Target:
    """Read a URL of a WebSocket.

    Raises:
        ValueError: it is none.
    """
    parts = _split_url(url, {"ws", "wss"})
    if parts.fragment or url.endswith("#"):
        raise ValueError(f"the URL of a WebSocket has no fragment: {url!r}")
    resource = quote(parts.path, safe=_AS_IT_IS) or "/"
    if parts.query:
        resource += "?" + quote(parts.query, safe=_AS_IT_IS)
    return _make_target(parts, resource)


def parse_proxy(url: str) -> Target:
    """Read the URL of a proxy.

    Raises:
        ValueError: it is none, or not of the scheme http.
    """
    parts = _split_url(url, {"http"})
    return _make_target(parts, "")


def make_key() -> str:
    """Make up the key of a request."""
    return base64.b64encode(os.urandom(16)).decode()


def make_request(
    target: Target, key: str, headers: Headers, subprotocols: Sequence[str], compression: bool
) -> bytes:
    """Make the request for a WebSocket.

    Raises:
        ValueError: a header field or sub-protocol cannot be sent.
    """
    given = _check_headers(headers)
    names = {name.lower() for name, _ in given}
    fields = [] if "host" in names else [("Host", target.authority)]
    fields += [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
    ]
    if subprotocols:
        for each in subprotocols:
            if not _TOKEN.fullmatch(each):
                raise ValueError(f"{each!r} cannot be the name of a sub-protocol")
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    if compression:
        fields.append(("Sec-WebSocket-Extensions", _OFFER))
    if target.credentials is not None and "authorization" not in names:
        fields.append(("Authorization", target.credentials))
    return _make_head(f"GET {target.resource} HTTP/1.1", [*fields, *given])


def make_proxy_request(target: Target, proxy: Target) -> bytes:
    """Make the request that has a proxy connect to the target."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    where = f"{host}:{target.port}"
    fields = [("Host", where)]
    if proxy.credentials is not None:
        fields.append(("Proxy-Authorization", proxy.credentials))
    return _make_head(f"CONNECT {where} HTTP/1.1", fields)


def check_beginning(head: bytes) -> None:
    """See whether what has come so far can be a response.

    Raises:
        HandshakeFailed: it cannot.
    """
    if not head.startswith(_BEGINNING[: len(head)]):
        raise HandshakeFailed("the answer is not HTTP/1.1")


def read_answer(head: bytes) -> Answer:
    """Read the head of a response, without its empty line.

    Raises:
        HandshakeFailed: it is none.
    """
    status_line, *lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise HandshakeFailed("the answer is not HTTP/1.1")
    status = int(match[1])
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not (colon and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
            raise HandshakeFailed("a header line of the answer cannot be read", status, fields)
        fields.append((name, value))
    return Answer(status, match[2] or "", fields)


def check_proxy_answer(answer: Answer) -> None:
    """See that a proxy has connected.

    Raises:
        HandshakeFailed: it has not.
    """
    if not 200 <= answer.status < 300:
        what = f"the proxy answered {answer.status} {answer.phrase}".rstrip()
        raise HandshakeFailed(what, answer.status, answer.fields)


def check_answer(
    answer: Answer, key: str, subprotocols: Sequence[str], compression: bool
) -> tuple[str | None, DeflateParameters | None]:
    """Return what the server chose: sub-protocol and compression.

    Raises:
        HandshakeFailed: it does not want a WebSocket, or chose what was not offered.
    """

    def fail(what: str) -> HandshakeFailed:
        return HandshakeFailed(what, answer.status, answer.fields)

    if answer.status != 101:
        raise fail(f"the server answered {answer.status} {answer.phrase}".rstrip())
    if [each.lower() for each in answer.values("upgrade")] != ["websocket"]:
        raise fail("the answer does not upgrade to websocket")
    if "upgrade" not in [each.lower() for each in answer.elements("connection")]:
        raise fail("the answer has no `Connection: Upgrade`")
    if answer.values("sec-websocket-accept") != [accept_key(key)]:
        raise fail("the answer does not belong to our key")
    chosen = answer.values("sec-websocket-protocol")
    if len(chosen) > 1 or any(each not in subprotocols for each in chosen):
        raise fail(f"the server chose a sub-protocol that was not offered: {', '.join(chosen)}")
    extensions = ", ".join(answer.values("sec-websocket-extensions"))
    if extensions and not compression:
        raise fail(f"the server chose extensions, and none were offered: {extensions}")
    try:
        deflate = read_deflate_answer(extensions)
    except ValueError as exc:
        raise fail(f"the server chose {exc}") from exc
    return (chosen[0] if chosen else None), deflate


# --- parts ------------------------------------------------------------------------------------


def _split_url(url: str, schemes: set[str]) -> SplitResult:
    parts = urlsplit(url)
    if _BAD_IN_URL.search(url) or parts.scheme not in schemes or not parts.hostname:
        form = " or ".join(f"{scheme}://host[:port]" for scheme in sorted(schemes))
        raise ValueError(f"a URL of the form {form} is needed, not {url!r}")
    return parts


def _make_target(parts: SplitResult, resource: str) -> Target:
    assert parts.hostname is not None
    usual = _PORTS[parts.scheme]
    port = usual if parts.port is None else parts.port
    if not port:
        raise ValueError(f"nobody can listen on port 0: {parts.hostname}:0")
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode()
    authority = f"[{host}]" if ":" in host else host
    if port != usual:
        authority += f":{port}"
    credentials = None
    if parts.username is not None:
        pair = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        credentials = "Basic " + base64.b64encode(pair).decode()
    return Target(host, port, parts.scheme == "wss", resource, authority, credentials)


def _check_headers(headers: Headers) -> list[tuple[str, str]]:
    given = list(headers.items() if isinstance(headers, Mapping) else headers)
    for name, value in given:
        if not (_TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError(f"the header field {name!r}: {value!r} cannot be sent")
        if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"the header field {name} belongs to the handshake")
    return given


def _make_head(line: str, fields: Iterable[tuple[str, str]]) -> bytes:
    lines = [line, *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
