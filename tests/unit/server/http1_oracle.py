"""A second opinion on what bytes mean as a row of HTTP/1 requests.

Written for the tests alone, from RFC 9110 and 9112 and the rules of the server, a character at a
time, without a regular expression and without a line of the server's code.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

VISIBLE = range(0x21, 0x7F)
DELIMITERS = b'"(),/:;<=>?@[\\]{}'
TOKEN = frozenset(c for c in VISIBLE if c not in DELIMITERS)
TEXT = frozenset([*range(0x20, 0x7F), *range(0x80, 0x100), 9])
DIGITS = frozenset(b"0123456789")
HEX = frozenset(b"0123456789abcdefABCDEF")
HOST_CHARS = (
    frozenset(b"!$&'()*+;=-._~") | DIGITS | frozenset(range(65, 91)) | frozenset(range(97, 123))
)
# Of a host in a URL; the grammar of the Host field has more.
WEB_HOST_CHARS = frozenset(b".-_:") | DIGITS | frozenset(range(65, 91)) | frozenset(range(97, 123))
ONCE = (b"content-length", b"content-type", b"host")
CODINGS = (b"identity", b"gzip", b"x-gzip", b"compress", b"x-compress", b"deflate")
NOT_IN_TRAILERS = (b"content-length", b"transfer-encoding", b"host", b"trailer", b"te")


class Refused(Exception):
    """Whatever follows, nothing on this connection may be served from here on."""


class Unfinished(Exception):
    """The bytes end inside a head: nothing to answer, or to refuse for what there is."""


@dataclass
class Served:
    """One request that the application has to see.

    Attributes:
        query: None where the target has no question mark.
        host: None where neither target nor header names one.
    """

    method: bytes
    path: bytes
    query: bytes | None
    host: bytes | None
    body: bytes


@dataclass
class Opinion:
    """What has to happen.

    Attributes:
        end: `over` (closed, or nothing more to read), `refused`, or `unfinished`.
    """

    served: list[Served] = field(default_factory=list)
    end: str = "over"


def judge(data: bytes) -> Opinion:
    """Say what a server that reads these bytes, and then the end, has to do."""
    opinion = Opinion()
    rest = data
    try:
        while True:
            while rest[:2] == b"\r\n":
                rest = rest[2:]
            if not rest:
                return opinion
            request, rest, closes = one_request(rest)
            opinion.served.append(request)
            if closes:
                return opinion
    except Refused:
        opinion.end = "refused"
    except Unfinished:
        opinion.end = "unfinished"
    return opinion


def take_line(data: bytes) -> tuple[bytes, bytes]:
    end = data.find(b"\n")
    if end < 0:
        raise Unfinished
    line = data[: end + 1]
    need(line[-2:] == b"\r\n" and set(line[:-2]) <= TEXT)
    return line[:-2], data[end + 1 :]


def need(claim: bool) -> None:
    if not claim:
        raise Refused


def one_request(data: bytes) -> tuple[Served, bytes, bool]:
    first, data = take_line(data)
    words = first.split(b" ")
    need(len(words) == 3)
    method, target, version = words
    need(bool(method) and set(method) <= TOKEN and method[:1].isalpha())
    need(bool(target) and all(c in VISIBLE or c >= 0x80 for c in target))
    need(len(version) == 8 and version[:5] == b"HTTP/" and version[6:7] == b".")
    need({version[5], version[7]} <= DIGITS and version[5:6] == b"1")
    is_old = version[7:] == b"0"

    headers: list[tuple[bytes, bytes]] = []
    while True:
        line, data = take_line(data)
        if not line:
            break
        headers.append(header(line))
    need(len(headers) <= 100)
    names = [name for name, _ in headers]
    need(all(names.count(name) <= 1 for name in ONCE))
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    hosts = values.get(b"host", [])
    need(all(is_host(host) for host in hosts))
    path, query, host = split_target(method, target)
    if host is None:
        host = hosts[0] if hosts else None

    options = listed(values.get(b"connection", []))
    closes = b"close" in options or (is_old and b"keep-alive" not in options)
    lengths = values.get(b"content-length", [])
    if b"transfer-encoding" in values:
        codings = listed(values[b"transfer-encoding"])
        need(not is_old and not lengths)
        need(codings[-1] == b"chunked" and codings.count(b"chunked") == 1)
        need(all(coding in CODINGS for coding in codings[:-1]))
        body, data = chunks(data)
    elif lengths:
        need(bool(lengths[0]) and set(lengths[0]) <= DIGITS and len(lengths[0]) <= 18)
        size = int(lengths[0])
        need(len(data) >= size)
        body, data = data[:size], data[size:]
    else:
        body = b""
    return Served(method, path, query, host, body), data, closes


def header(line: bytes) -> tuple[bytes, bytes]:
    colon = line.find(b":")
    need(colon > 0)
    name, value = line[:colon], line[colon + 1 :]
    need(set(name) <= TOKEN)
    return name.lower(), value.strip(b" \t")


def listed(values: list[bytes]) -> list[bytes]:
    return [item.strip(b" \t").lower() for item in b",".join(values).split(b",")]


def split_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None, bytes | None]:
    if method == b"CONNECT":
        host, colon, port = target.rpartition(b":")
        need(bool(host and colon and port) and set(port) <= DIGITS and is_host(target))
        return target, None, None
    if target == b"*":
        need(method == b"OPTIONS")
        return target, None, None
    host: bytes | None = None  # type: ignore[no-redef]  # of another form of target
    if target[:1] != b"/":
        scheme, mark, rest = target.partition(b"://")
        need(bool(mark) and scheme.lower() in (b"http", b"https"))
        ends = [rest.find(c) for c in (b"/", b"?", b"#") if c in rest]
        end = min(ends) if ends else len(rest)
        user, _, host = rest[:end].rpartition(b"@")  # who asks is nobody's business here
        need(set(user) <= HOST_CHARS | set(b":%"))
        target = rest[end:]
        need(is_host(host) and (host[:1] == b"[" or set(host) <= WEB_HOST_CHARS))
        port = host[host.rfind(b"]") + 1 :].partition(b":")[2]
        need(host[-1:] != b":" and len(port) <= 5 and int(port or b"0") <= 65535)
        if not target and method == b"OPTIONS":
            return b"*", None, host
    path, mark, query = target.partition(b"?")
    path = path if path[:1] == b"/" else b"/" + path
    return path, query if mark else None, host


def is_host(host: bytes) -> bool:
    """A name, an IPv4 address or a literal in brackets, with an optional port; one only."""
    name, colon, port = host, b"", b""
    if host[:1] == b"[":
        end = host.find(b"]") + 1
        name, colon, port = host[:end], host[end : end + 1], host[end + 1 :]
        return is_literal(name) and colon in (b"", b":") and is_port(port)
    name, colon, port = host.partition(b":")
    return is_name(name) and is_port(port)


def is_port(port: bytes) -> bool:
    return set(port) <= DIGITS and int(port or b"0") <= 65535


def is_literal(host: bytes) -> bool:
    inner = host[1:-1]
    if host[:1] != b"[" or host[-1:] != b"]" or not inner:
        return False
    if inner[:1] in (b"v", b"V"):
        version, dot, address = inner[1:].partition(b".")
        return (
            bool(dot and version and address)
            and set(version) <= HEX
            and set(address) <= HOST_CHARS | {ord(":")}
        )
    try:
        return bool(socket.inet_pton(socket.AF_INET6, inner.decode("latin-1")))
    except OSError:
        return False


def is_name(host: bytes) -> bool:
    if not host:
        return False
    pos = 0
    while pos < len(host):
        if host[pos] == ord("%"):
            escape = host[pos + 1 : pos + 3]
            if len(escape) != 2 or not set(escape) <= HEX:
                return False
            pos += 3
        elif host[pos] in HOST_CHARS:
            pos += 1
        else:
            return False
    return True


# --- chunks ----------------------------------------------------------------------------------


def chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, data = chunk_line(data)
        size = chunk_size(line)
        if size == 0:
            break
        need(data[size : size + 2] == b"\r\n")
        body += data[:size]
        data = data[size + 2 :]
    while True:
        line, data = chunk_line(data)
        if not line:
            return body, data
        name, _ = header(line)
        need(name not in NOT_IN_TRAILERS)


def chunk_line(data: bytes) -> tuple[bytes, bytes]:
    """A line inside a body: the end of the bytes breaks it."""
    try:
        return take_line(data)
    except Unfinished:
        raise Refused from None


def chunk_size(line: bytes) -> int:
    digits = 0
    while digits < len(line) and line[digits] in HEX:
        digits += 1
    need(1 <= digits <= 16)
    pos = digits
    while pos < len(line):
        pos = skip_blanks(line, pos)
        need(line[pos : pos + 1] == b";")
        pos = word(line, skip_blanks(line, pos + 1))
        after = skip_blanks(line, pos)
        if line[after : after + 1] == b"=":
            after = skip_blanks(line, after + 1)
            pos = quoted(line, after) if line[after : after + 1] == b'"' else word(line, after)
        else:
            need(after == pos or after < len(line))
    return int(line[:digits], 16)


def skip_blanks(line: bytes, pos: int) -> int:
    while line[pos : pos + 1] in (b" ", b"\t"):
        pos += 1
    return pos


def word(line: bytes, pos: int) -> int:
    start = pos
    while pos < len(line) and line[pos] in TOKEN:
        pos += 1
    need(pos > start)
    return pos


def quoted(line: bytes, pos: int) -> int:
    pos += 1
    while True:
        need(pos < len(line))
        if line[pos] == ord('"'):
            return pos + 1
        pos += 2 if line[pos] == ord("\\") else 1
