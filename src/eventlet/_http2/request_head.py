"""Judge the header fields of a request of HTTP/2, and give what HTTP/1.1 makes of a head.

The rules that are HTTP/2's own are checked here. Then the request is written down as a head of
HTTP/1.1, which is safe once no value holds a line end, and goes through the reader of those: so
names, lengths, hosts, limits and what becomes of repeated fields are judged in one place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from eventlet._errors import EventletError
from eventlet._protocols.head_collector import HeadLimits
from eventlet._protocols.http1 import HeaderFields, HeadParser, RequestLine
from eventlet._protocols.refusals import BadRequest
from eventlet._server.request_target import RequestTarget, split_target

__all__ = ["MalformedRequest", "RequestHead", "check_trailers", "read_head"]

Fields = Iterable[tuple[bytes, bytes]]

CONNECTION_FIELDS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
# No control character but TAB, and no blank at either end.
_VALUE: Final = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_METHOD: Final = re.compile(rb"[A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z]*")
_PATH: Final = re.compile(rb"/[!-~\x80-\xff]*|\*")


class MalformedRequest(EventletError, ValueError):
    """It is no request of HTTP/2; the stream is reset.

    Attributes:
        detail: what is wrong, for the log; never contains the client's bytes.
    """

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class RequestHead(NamedTuple):
    """A request but for its body."""

    line: RequestLine
    fields: HeaderFields
    target: RequestTarget


def read_head(fields: Fields, parser: HeadParser, limits: HeadLimits) -> RequestHead:
    """Check the fields of a request and take them apart.

    Raises:
        MalformedRequest: they break the rules of HTTP/2.
        RequestRefused: they break those of HTTP, or a limit.

    Source: RFC 9113 sections 8.2 and 8.3.
    """
    pseudo, plain = _separate(fields)
    method, target = _check_pseudo(pseudo)
    host = _host(pseudo.get(b":authority"), plain)
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    if host is not None:
        lines.append(b"host: " + host)
    lines += [b"%b: %b" % field for field in plain]
    head = b"\r\n".join(lines)
    limits.check(head)
    line, header_fields = parser.parse(head)
    text = f"{line.method} {line.target} HTTP/2"
    return RequestHead(
        line._replace(text=text, minor=0), header_fields, split_target(line.method, line.target)
    )


def check_trailers(fields: Fields) -> None:
    """Check the fields behind a body; they are dropped.

    Raises:
        MalformedRequest: they break the rules of HTTP/2.
    """
    pseudo, _ = _separate(fields)
    if pseudo:
        raise MalformedRequest("a pseudo-header among the trailers")


def _separate(fields: Fields) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """Part pseudo-headers from fields, with one Cookie at most."""
    pseudo: dict[bytes, bytes] = {}
    plain: list[tuple[bytes, bytes]] = []
    cookies: list[bytes] = []
    for name, value in fields:
        if _VALUE.fullmatch(value) is None:
            raise MalformedRequest("a value with a control character, or blanks around it")
        if name.startswith(b":"):
            if plain or cookies:
                raise MalformedRequest("a pseudo-header behind a field")
            if name not in _PSEUDO or name in pseudo:
                raise MalformedRequest("a pseudo-header that is unknown or repeated")
            pseudo[name] = value
        elif _NAME.fullmatch(name) is None:
            raise MalformedRequest("a name that is no lower-case token")
        elif name in CONNECTION_FIELDS or (name == b"te" and value.lower() != b"trailers"):
            raise MalformedRequest("a field of the connection")
        elif name == b"cookie":
            # Clients send the parts one by one, to compress them better (section 8.2.3).
            cookies.append(value)
        else:
            plain.append((name, value))
    if cookies:
        plain.append((b"cookie", b"; ".join(cookies)))
    return pseudo, plain


def _check_pseudo(pseudo: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """Give method and target."""
    method = pseudo.get(b":method", b"")
    if _METHOD.fullmatch(method) is None:
        raise MalformedRequest("no method, or none that is a token")
    if method == b"CONNECT":
        authority = pseudo.get(b":authority", b"")
        if b":scheme" in pseudo or b":path" in pseudo or not authority or b" " in authority:
            raise MalformedRequest("CONNECT has an authority, and neither scheme nor path")
        return method, authority
    path = pseudo.get(b":path", b"")
    if _PATH.fullmatch(path) is None:
        raise MalformedRequest("no path, or none that begins with /")
    scheme = pseudo.get(b":scheme")
    if scheme is None:
        raise MalformedRequest("no scheme")
    if scheme.lower() not in (b"http", b"https"):
        raise BadRequest("neither http nor https")
    return method, path


def _host(authority: bytes | None, plain: list[tuple[bytes, bytes]]) -> bytes | None:
    """Give the value of the only Host; takes one that says the same out of `plain`."""
    if authority is None:
        return None
    hosts = [field for field in plain if field[0] == b"host"]
    if len(hosts) > 1:
        raise BadRequest("repeated Host")
    for field in hosts:
        if field[1].lower() != authority.lower():
            raise BadRequest("Host differs from :authority")
        plain.remove(field)
    return authority
